"""Captures are clean together only if each is, by one policy, and nobody touched them since."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.capture.verify import failed
from recorder.editing.cut import cut
from recorder.editing.cut_partition import Wanted
from recorder.editing.merge import merge
from recorder.errors import CaptureError
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import make_capture
from tests.scrubbing.helpers import POLICY, SECRET, orders


def scrubbed(raw: Capture, out: Path, text: str = POLICY, secret: str = SECRET["BLACKBOX_KEY"]) -> Capture:
    path = out.with_suffix(".yaml")
    path.write_text(text)
    return open_capture(scrub(raw, load_policy(path, {"BLACKBOX_KEY": secret}), out).path)


@pytest.fixture
def raw(tmp_path: Path) -> Capture:
    return make_capture(tmp_path / "raw", orders(20))


def merged(out: Path, *captures: Capture) -> Capture:
    merge(captures, out)
    return open_capture(out)


def test_clean_captures_of_one_policy_are_clean_together(raw: Capture, tmp_path: Path) -> None:
    whole = scrubbed(raw, tmp_path / "clean")
    cut(whole, tmp_path / "orders", Wanted(Selection(topics=("orders",))))
    cut(whole, tmp_path / "mails", Wanted(Selection(topics=("mails",))))
    made = merged(tmp_path / "both", open_capture(tmp_path / "orders"), open_capture(tmp_path / "mails"))
    stamp = made.manifest.clean
    assert stamp is not None
    assert not isinstance(stamp.proofs, msgspec.UnsetType)
    assert [one.capture_id for one in stamp.proofs] == [whole.manifest.capture_id]
    assert made.manifest.records == raw.manifest.records
    assert not failed(verify_clean(made.root, parent=raw, policy=load_policy(tmp_path / "clean.yaml", SECRET)))


def test_with_a_raw_one_among_them_all_is_raw(raw: Capture, tmp_path: Path) -> None:
    clean = scrubbed(make_capture(tmp_path / "other", orders(20), cluster_id="other"), tmp_path / "clean")
    merge([clean, raw], tmp_path / "both", prefixes={0: "clean"})
    made = open_capture(tmp_path / "both")
    assert made.manifest.clean is None
    assert [note.text for note in made.manifest.notes] == [
        "1 of the merged captures were clean, but others were raw: together they are raw"
    ]
    assert failed(verify_clean(made.root))


def test_what_different_policies_let_pass_is_raw_together(raw: Capture, tmp_path: Path) -> None:
    one, other = (
        scrubbed(raw, tmp_path / name, text) for name, text in (("one", POLICY), ("other", POLICY + "# another\n"))
    )
    assert merged(tmp_path / "both", one, other).manifest.clean is None


def test_one_record_under_two_keys_does_not_fit(raw: Capture, tmp_path: Path) -> None:
    one, other = (scrubbed(raw, tmp_path / name, secret=name * 16) for name in ("one", "two"))
    with pytest.raises(CaptureError, match="scrubbed by one policy with one key"):
        merged(tmp_path / "both", one, other)
    assert not (tmp_path / "both").exists()
