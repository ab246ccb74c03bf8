"""`blackbox merge` as a person or a script runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recorder.capture.reader import open_capture
from tests.builders import T0, make_capture
from tests.cli.running import run
from tests.editing.splitting import write_log


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_overlapping_captures(capsys: pytest.CaptureFixture[str]) -> None:
    write_log(Path("a"), {("one", 0): (0, [(5, None), (3, "unread")])})
    write_log(Path("b"), {("one", 0): (3, [(9, None)])})
    ran = run(capsys, "merge", "a", "b", "-o", "both", "-j", "2", "--format", "json")
    assert ran.code == 0
    facts = json.loads(ran.out)
    assert (facts["records"], facts["copies"], facts["between"], facts["losses"]) == (12, 2, 0, [])
    assert run(capsys, "verify", "both").code == 0


def test_what_lies_between_is_loss_and_what_was_lost_before_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    write_log(Path("a"), {("one", 0): (0, [(5, None), (1, "unexplained")])})
    write_log(Path("b"), {("one", 0): (6, [(3, None)])})
    write_log(Path("c"), {("one", 0): (12, [(3, None)])})
    ran = run(capsys, "merge", "a", "b", "-o", "ab")
    assert (ran.code, "one/0: 1 offsets unexplained" in ran.err) == (0, True)
    ran = run(capsys, "merge", "a", "b", "c", "-o", "abc")
    assert ran.code == 3
    assert "one: 3 offsets lie between the merged captures" in ran.err
    assert "one/0: 3 offsets unread" in ran.err


def test_two_clusters_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("eu", "us"):
        make_capture(Path(name), [("pay", 0, T0, "k", name)], cluster_id=name)
    ran = run(capsys, "merge", "eu", "us", "-o", "world")
    assert (ran.code, "--as NAME=CAPTURE" in ran.sentence()) == (2, True)
    assert not Path("world").exists()
    assert run(capsys, "merge", "eu/", "us", "--as", "eu=eu", "--as", "us=us/", "-o", "world").code == 0
    assert {(one.topic, one.value) for one in open_capture("world").records()} == {("eu.pay", b"eu"), ("us.pay", b"us")}
    shown = run(capsys, "info", "world").out
    assert "clusters eu, us" in shown


@pytest.mark.parametrize("as_", ["eu", "eu=", "=eu", "eu=nowhere"])
def test_a_name_must_be_for_one_of_the_captures(capsys: pytest.CaptureFixture[str], as_: str) -> None:
    make_capture(Path("eu"), [("pay", 0, T0, "k", "v")])
    ran = run(capsys, "merge", "eu", "--as", as_, "-o", "out")
    assert (ran.code, "write --as NAME=CAPTURE" in ran.sentence()) == (2, True)
