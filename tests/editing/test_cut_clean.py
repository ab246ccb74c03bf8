"""A part of a clean capture is clean, and says on whose proof; nothing else ever becomes clean by being cut."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from recorder.capture.manifest import encode
from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.capture.verify import failed
from recorder.editing.cut import cut
from recorder.editing.cut_partition import Wanted
from recorder.errors import CaptureError
from recorder.replaying.clusters import check_clusters
from recorder.replaying.options import Options
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.stamp import is_intact
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import make_capture
from tests.scrubbing.helpers import POLICY, SECRET, orders


@pytest.fixture
def raw(tmp_path: Path) -> Capture:
    return make_capture(tmp_path / "raw", orders(40))


@pytest.fixture
def clean(raw: Capture, tmp_path: Path) -> Capture:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return open_capture(scrub(raw, load_policy(tmp_path / "policy.yaml", SECRET), tmp_path / "clean").path)


def part(capture: Capture, out: Path) -> Capture:
    cut(capture, out, Wanted(Selection(topics=("orders",)), '"offset" % 2 = 0'), command=("blackbox", "cut", "Zoë"))
    return open_capture(out)


def test_a_part_of_a_clean_capture_is_clean_by_the_proof_of_the_whole(clean: Capture, tmp_path: Path) -> None:
    made = part(part(clean, tmp_path / "half"), tmp_path / "again")
    stamp, proven = made.manifest.clean, clean.manifest.clean
    assert stamp is not None
    assert proven is not None
    assert is_intact(made.manifest)
    assert not isinstance(stamp.proofs, msgspec.UnsetType)
    assert [(one.capture_id, one.digest) for one in stamp.proofs] == [(clean.manifest.capture_id, proven.digest)]
    assert stamp.policy_sha256 == proven.policy_sha256
    assert not any(step.user or step.host or step.command for step in made.manifest.lineage)
    assert not failed(verify_clean(made.root))
    assert not list(check_clusters(made.manifest, "another", Options()))


def test_verify_clean_searches_the_originals_of_the_raw_capture_in_a_part(
    raw: Capture, clean: Capture, tmp_path: Path
) -> None:
    policy = load_policy(tmp_path / "policy.yaml", SECRET)
    made = part(clean, tmp_path / "half")
    checks = {check.name: check.status for check in verify_clean(made.root, parent=raw, policy=policy)}
    assert (checks["parent"], checks["originals"], checks["leaks"]) == ("PASSED", "PASSED", "PASSED")
    other = make_capture(tmp_path / "other", orders(10))
    checks = {check.name: check.status for check in verify_clean(made.root, parent=other, policy=policy)}
    assert checks["parent"] == "FAILED"


def test_a_part_of_a_raw_capture_is_raw(raw: Capture, tmp_path: Path) -> None:
    assert part(raw, tmp_path / "half").manifest.clean is None


def test_a_clean_capture_that_was_altered_is_not_cut(clean: Capture, tmp_path: Path) -> None:
    altered = msgspec.structs.replace(clean.manifest, tags={"name": "Zoë"})
    (clean.root / "manifest.json").write_bytes(encode(altered))
    with pytest.raises(CaptureError, match="verify-clean"):
        part(open_capture(clean.root), tmp_path / "half")
    assert not (tmp_path / "half").exists()


def test_raw_records_smuggled_into_a_clean_capture_are_not_cut(raw: Capture, clean: Capture, tmp_path: Path) -> None:
    path = clean.manifest.topic("orders").partitions[0].segments[0].path
    (clean.root / path).write_bytes((raw.root / path).read_bytes())
    with pytest.raises(CaptureError, match="altered"):
        part(clean, tmp_path / "half")
    assert not (tmp_path / "half").exists()
