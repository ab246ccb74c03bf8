"""What a disk that is full, or a directory that is not ours, does to a quarantine: a sentence, and no file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recorder.scrubbing.quarantine.keys import new_quarantine_pair

WRITE = """
import resource, signal, sys
from pathlib import Path
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.quarantine.keys import load_recipient
from recorder.scrubbing.quarantine.records import Held
from recorder.scrubbing.quarantine.writing import Destination, Quarantine

work, most = Path(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then write() fails with EFBIG, as it does with ENOSPC
to = Destination(work / "held" / "x", load_recipient(work / "q.pub"))
row = Held("t", 0, 1, 0, "create", None, b"x" * 50_000, (), None, False, "value", "", "undecodable", "why")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
quarantine = Quarantine(to, "parent")
try:
    quarantine.write((row for _ in range(40)), ())
    quarantine.publish()
except ScrubError as error:
    print(error)
    quarantine.discard()
"""


@pytest.mark.parametrize("most", [0, 10, 100_000, 2_000_000])
def test_a_full_disk_leaves_no_part_of_a_quarantine(tmp_path: Path, most: int) -> None:
    new_quarantine_pair(tmp_path / "q.key", tmp_path / "q.pub")
    (tmp_path / "held").mkdir()
    command = [sys.executable, "-c", WRITE, str(tmp_path), str(most)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.startswith(f"Can't write the quarantine {tmp_path / 'held' / 'x'}: File too large"), done.stdout
    assert "No copy was made." in done.stdout
    assert list((tmp_path / "held").iterdir()) == []
