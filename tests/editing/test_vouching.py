"""A part of a signed clean capture is signed by the same key, or says that nobody signed it; no other key can."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.capture.verify import failed
from recorder.editing.cut import cut
from recorder.editing.cut_partition import Wanted
from recorder.editing.merge import merge
from recorder.errors import UsageError
from recorder.scrubbing.guard import guard
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.signing import Signer, load_signer, load_verifier, new_pair
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import make_capture
from tests.scrubbing.helpers import POLICY, SECRET, orders

WANTED = Wanted(Selection(topics=("orders",)), '"offset" % 2 = 0')


def signer(tmp_path: Path, name: str) -> Signer:
    new_pair(tmp_path / f"{name}.key", tmp_path / f"{name}.pub")
    made = load_signer(tmp_path / f"{name}.key")
    assert made is not None
    return made


def clean(tmp_path: Path, by: Signer | None) -> Capture:
    raw = make_capture(tmp_path / "raw", orders(20))
    (tmp_path / "policy.yaml").write_text(POLICY)
    policy = load_policy(tmp_path / "policy.yaml", SECRET)
    return open_capture(scrub(raw, policy, tmp_path / "clean", signer=by).path)


def test_a_part_and_a_merge_are_signed_by_the_key_of_the_whole(tmp_path: Path) -> None:
    mine = signer(tmp_path, "mine")
    public = load_verifier(tmp_path / "mine.pub")
    half = open_capture(cut(clean(tmp_path, mine), tmp_path / "half", WANTED, signer=mine).path)
    whole = merge([half, open_capture(tmp_path / "clean")], tmp_path / "whole", signer=mine).path
    for path in (tmp_path / "half", whole):
        assert not failed(verify_clean(path, verifier=public))
        assert not guard([path], public).refused
        assert "was not repeated" in (path / "report.html").read_text()


def test_without_a_key_a_part_is_unsigned_and_a_guard_with_one_refuses_it(tmp_path: Path) -> None:
    mine = signer(tmp_path, "mine")
    public = load_verifier(tmp_path / "mine.pub")
    path = cut(clean(tmp_path, mine), tmp_path / "half", WANTED).path
    assert failed(verify_clean(path, verifier=public))
    (refused,) = guard([path], public).refused
    assert "there is no report" in refused.why
    (refused,) = guard([path]).refused
    assert "which anybody can make" in refused.why
    assert not guard([path], allow_unsigned=True).refused


def test_no_key_signs_a_part_of_what_it_did_not_sign(tmp_path: Path) -> None:
    whole = clean(tmp_path, signer(tmp_path, "mine"))
    with pytest.raises(UsageError, match="signed by another key"):
        cut(whole, tmp_path / "half", WANTED, signer=signer(tmp_path, "other"))
    assert not (tmp_path / "half").exists()
