"""Whatever ends a scrub, there is no clean copy afterwards, or there is a whole one: never a part of it."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recorder.capture.reader import open_capture
from recorder.capture.verify import failed
from recorder.errors import ExitCode
from recorder.scrubbing.quarantine.keys import new_quarantine_pair
from recorder.scrubbing.quarantine.looking import summary
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import make_capture
from tests.scrubbing.helpers import POLICY, SECRET, WITHHOLDING, orders, some_odd


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("closed")
    make_capture(work / "raw", some_odd(300), segment_records=60)
    (work / "policy.yaml").write_text(WITHHOLDING)
    new_quarantine_pair(work / "q.key", work / "q.pub")
    return work


def scrub_command(site: Path, out: Path) -> list[str]:
    command = [sys.executable, "-c", "from recorder.cli.main import main; main()", "scrub", str(site / "raw")]
    command += ["-p", str(site / "policy.yaml"), "-o", str(out)]
    return [*command, "--quarantine", str(out.with_name("held")), "--quarantine-key", str(site / "q.pub")]


@pytest.mark.parametrize("most_bytes", [0, 1_000, 2_500, 4_000])
def test_a_full_disk_leaves_nothing(site: Path, tmp_path: Path, most_bytes: int) -> None:
    """Files may not grow beyond so many bytes, as on a disk that is full: spills, segments, then the manifest."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then write() fails with EFBIG, as it does with ENOSPC
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    done = subprocess.run(
        scrub_command(site, tmp_path / "clean"),
        env={**os.environ, **SECRET},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == ExitCode.FAILED, done.stderr
    assert done.stderr.startswith("blackbox: Can't write "), done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_kill_at_any_moment_leaves_no_part_of_a_clean_copy() -> None:
    # A process of its own: it forks, which this one can't any more once Arrow's threads run in it.
    command = [sys.executable, "-m", "tests.crash.scrubs", "--kills", "200", "--seconds", "6"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert re.search(r"killed [1-9]\d*, .*wrong 0\b", done.stdout), done.stdout + done.stderr


def test_a_scrub_that_nobody_ends_makes_a_whole_copy(site: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        scrub_command(site, tmp_path / "clean"), env={**os.environ, **SECRET}, check=False, timeout=120
    )
    assert done.returncode == ExitCode.LOSS
    assert not failed(verify_clean(tmp_path / "clean"))
    lacks = open_capture(site / "raw").manifest.records - open_capture(tmp_path / "clean").manifest.records
    assert summary(tmp_path / "held")[1].records == lacks > 0


@pytest.mark.parametrize(
    ("function", "jobs", "says"),
    [
        ("vanishes", "1", "A worker process ended in the middle of its work."),
        ("vanishes", "2", "A worker process ended in the middle of its work."),
        ("stops", "1", "rule 'custom' (tests.desensitizers.rules.foreign:stops) failed (Stop)"),
    ],
)
def test_a_function_that_ends_the_process_ends_no_command_as_if_all_were_well(
    tmp_path: Path, function: str, jobs: str, says: str
) -> None:
    make_capture(tmp_path / "raw", orders(12))
    reference = f"tests.desensitizers.rules.foreign:{function}"
    custom = f'customer.name: {{rule: custom, function: "{reference}"}}'
    (tmp_path / "policy.yaml").write_text(POLICY.replace("customer.name: {domain: name}", custom))
    command = [sys.executable, "-c", "from recorder.cli.main import main; main()", "scrub", "raw"]
    done = subprocess.run(
        [*command, "-p", "policy.yaml", "-o", "clean", "-j", jobs],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path.cwd()), **os.environ, **SECRET},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == ExitCode.FAILED, done.stderr
    assert done.stderr.startswith("blackbox: "), done.stderr
    assert says in done.stderr
    assert reference in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "policy.yaml"}
