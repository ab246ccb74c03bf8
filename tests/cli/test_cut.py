"""`blackbox cut` as a person or a script runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recorder.capture.reader import open_capture
from tests.builders import T0, make_capture, record
from tests.cli.running import run
from tests.editing.splitting import write_log


@pytest.fixture
def incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [record(t, n % 2, T0 + n * 1_000, f"k{n}", {"n": n}) for n in range(60) for t in ("pay.in", "pay.out", "x")]
    make_capture(tmp_path / "incident", [*rows, record("x", 0, T0, b"\x00\xff", "odd")])
    return tmp_path / "incident"


def test_a_cut_by_everything_at_once(incident: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["-e", "pay.*", "-x", r"pay\.out", "-p", "0", "--from", "-30s", "--where", "key <> 'k40'"]
    ran = run(capsys, "cut", "incident", "-o", "part", *chosen)
    assert ran.code == 0
    assert "Cut 14 of 181 records, 1 topic, into part" in ran.err
    made = open_capture("part")
    assert [one.key for one in made.records()] == [f"k{n}".encode() for n in range(30, 60, 2) if n != 40]
    assert made.manifest.window.from_text == "-30s"
    assert run(capsys, "verify", "part").code == 0


def test_keys_as_text_and_in_hexadecimal(incident: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "cut", "incident", "-o", "part", "-k", "k1", "--key-hex", "00ff", "-j", "2", "--format", "json")
    assert (ran.code, json.loads(ran.out)["records"]) == (0, 4)
    assert {one.key for one in open_capture("part").records()} == {b"k1", b"\x00\xff"}


def test_a_sample_shows_its_types(incident: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "cut", "incident", "-o", "part", "--sample", "1%", "--rare", "2", "--format", "csv")
    assert ran.out.splitlines()[0] == "topic,type,records,kept"
    assert {line.rsplit(",", 1)[0] for line in ran.out.splitlines()[1:]} == {"pay.in,,60", "pay.out,,60", "x,,61"}


def test_loss_that_was_there_before_is_shown_and_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path / "torn", {("one", 0): (0, [(3, None), (2, "unexplained")])})
    ran = run(capsys, "cut", tmp_path / "torn", "-o", tmp_path / "part")
    assert ran.code == 0
    assert "missing already in" in ran.err
    assert "one/0: 2 offsets unexplained" in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-t", "pay"], "There is no topic pay"),
        (["-p", "7"], "There is no partition 7"),
        (["--key-hex", "xyz"], "not hexadecimal"),
        (["--sample", "10"], "for example 10%"),
        (["--where", "nothing = 1"], "can't be evaluated"),
        (["--where", "1; drop table x"], "can't be evaluated"),
        (["-x", ".*"], "No topic"),
    ],
)
def test_what_can_not_be_wanted_is_a_usage_error_and_leaves_nothing(
    incident: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    ran = run(capsys, "cut", "incident", "-o", "part", *arguments)
    assert ran.code == 2
    assert says in ran.err
    assert not Path("part").exists()
