from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from recorder.capture.manifest import CleanStamp, encode
from recorder.capture.reader import Capture, open_capture
from recorder.capture.verify import Check, failed
from recorder.errors import UsageError
from recorder.scrubbing.stamp import HITS, sealed
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import POLICY, clean_copy, orders, policy


@pytest.fixture
def copy(tmp_path: Path) -> tuple[Capture, Path]:
    raw, _done = clean_copy(tmp_path, orders(40), segment_records=10)
    return raw, tmp_path / "clean"


def status(checks: list[Check], name: str) -> str:
    found = {check.status for check in checks if check.name == name}
    return "FAILED" if "FAILED" in found else found.pop()


def test_a_clean_copy_passes_alone_and_against_its_parent(copy: tuple[Capture, Path], tmp_path: Path) -> None:
    raw, clean = copy
    alone = verify_clean(clean)
    assert not failed(alone)
    assert status(alone, "originals") == "SKIPPED"
    against = verify_clean(clean, parent=raw, policy=policy(tmp_path))
    assert not failed(against)
    assert {check.name for check in against} >= {"stamp", "parent", "canaries", "originals", "leaks"}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit(path: Path) -> None:
    tree = json.loads(path.read_text())
    tree["tags"] = {"harmless": "word"}
    path.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    ("tamper", "name"),
    [
        (lambda clean: flip(next(clean.rglob("*.parquet"))), "segment"),
        (lambda clean: next(clean.rglob("*.parquet")).unlink(), "segment"),
        (lambda clean: (clean / "notes.txt").write_text("hello"), "files"),
        (lambda clean: (clean / "checkpoint.json").write_text("{}"), "files"),
        (lambda clean: edit(clean / "manifest.json"), "stamp"),
    ],
)
def test_a_file_altered_removed_or_added_fails(copy: tuple[Capture, Path], tamper: object, name: str) -> None:
    _raw, clean = copy
    assert callable(tamper)
    tamper(clean)
    assert status(verify_clean(clean), name) == "FAILED"


def test_a_raw_capture_is_not_clean(copy: tuple[Capture, Path]) -> None:
    raw, _clean = copy
    checks = verify_clean(raw.root)
    assert status(checks, "stamp") == "FAILED"
    assert status(checks, "leaks") == "FAILED"
    assert not any("firma" in check.detail for check in checks)


def test_a_stamp_on_what_was_never_scrubbed_does_not_help(tmp_path: Path) -> None:
    forged = make_capture(tmp_path / "forged", [record("mails", 0, T0, "k", {"to": "anna@firma.de"})])
    stamp = CleanStamp(policy_sha256="0" * 64, stamped_at_ms=T0, tool="x", counts={f"{HITS}email": 0}, checks={})
    (forged.root / "manifest.json").write_bytes(encode(sealed(forged.manifest, stamp)))
    checks = verify_clean(forged.root)
    assert status(checks, "stamp") == "PASSED"
    assert status(checks, "leaks") == "FAILED"


def test_originals_are_found_where_detectors_see_nothing(copy: tuple[Capture, Path], tmp_path: Path) -> None:
    raw, clean = copy
    leaky = make_capture(tmp_path / "leaky", [record("mails", 0, T0, "k", {"text": "Zoë Müller-b1"})], clean=True)
    stamp = open_capture(clean).manifest.clean
    assert stamp is not None
    manifest = msgspec.structs.replace(leaky.manifest, lineage=open_capture(clean).manifest.lineage)
    (leaky.root / "manifest.json").write_bytes(encode(sealed(manifest, stamp)))
    assert not failed(verify_clean(leaky.root))
    checks = verify_clean(leaky.root, parent=raw, policy=policy(tmp_path))
    assert status(checks, "leaks") == "FAILED"
    assert any("mails-0@0 value text: an original" in check.detail for check in checks)


def test_another_parent_is_refused(copy: tuple[Capture, Path], tmp_path: Path) -> None:
    _raw, clean = copy
    other = make_capture(tmp_path / "other", orders(5))
    assert status(verify_clean(clean, parent=other, policy=policy(tmp_path)), "parent") == "FAILED"


def test_a_table_of_the_policy_that_was_changed_is_said(tmp_path: Path) -> None:
    table = tmp_path / "cities.csv"
    table.write_text("Kiel,Northport\n")
    text = POLICY.replace("note:", "city: {rule: dict, file: cities.csv}\n      note:", 1)
    raw, _done = clean_copy(tmp_path, [record("orders", 0, T0, "cust-10000000", {"order": 1, "city": "Kiel"})], text)
    clean = tmp_path / "clean"
    assert json.loads((clean / "report.json").read_text())["report"]["policy_sha256"] == policy(tmp_path, text).sha256
    assert status(verify_clean(clean, parent=raw, policy=policy(tmp_path, text)), "parent") == "PASSED"
    table.write_text("Kiel,Southport\n")
    (said,) = [one for one in verify_clean(clean, parent=raw, policy=policy(tmp_path, text)) if one.name == "parent"]
    assert (said.status, said.detail) == ("WARNING", "the policy was changed since this copy was made")


def test_what_is_no_capture_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        verify_clean(tmp_path / "nothing")


def test_a_torn_manifest_fails(copy: tuple[Capture, Path]) -> None:
    _raw, clean = copy
    (clean / "manifest.json").write_text("{")
    assert failed(verify_clean(clean))


def test_a_copy_may_be_moved(copy: tuple[Capture, Path], tmp_path: Path) -> None:
    _raw, clean = copy
    shutil.move(clean, tmp_path / "elsewhere")
    assert not failed(verify_clean(tmp_path / "elsewhere"))
