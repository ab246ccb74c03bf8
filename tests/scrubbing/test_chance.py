"""A copy that keeps random ids passes with a note on what stands in them by chance, not with what was put there."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from recorder.capture.reader import open_capture
from recorder.capture.schema import Record
from recorder.capture.verify import Check, failed
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import policy

POLICY = """
version: 1
secret: {env: BLACKBOX_KEY}
domains: {name: {surrogate: name}}
topics:
  - match: orders
    key: keep
    value: {"{ref,session}": keep, "names[*]": {domain: name}}
"""
LETTERS = "abcdfghk"
"""Few, so that in few records chance finds something."""
RECORDS, NAMES = 800, 5


def orders(leaks: int = 0) -> list[Record]:
    """Random ids, `leaks` of which hold a name."""
    rng = random.Random(7)
    rows = []
    for number in range(RECORDS):
        names = ["".join(rng.choices(LETTERS, k=6)) for _ in range(NAMES)]
        ref, session = ("".join(rng.choices(LETTERS + "0123456789", k=length)) for length in (21, 30))
        if number % (RECORDS // leaks) == 5 if leaks else False:
            at = rng.randrange(15)
            ref = ref[:at] + names[0].capitalize() + ref[at + 6 :]
        value = {"ref": ref, "session": session, "names": names}
        rows.append(record("orders", number % 2, T0 + number, f"k{number}", value))
    return rows


def test_what_stands_in_ids_by_chance_is_told_and_passes(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", orders())
    done = scrub(raw, policy(tmp_path, POLICY), tmp_path / "clean")
    assert "inside a random id, chance gives" in done.checks["chance"]
    report = json.loads((tmp_path / "clean" / "report.json").read_text())["report"]
    assert {"check": "chance", "result": done.checks["chance"]} in report["proofs"]
    assert done.checks["chance"] in (tmp_path / "clean" / "report.html").read_text()
    checks = verify_clean(tmp_path / "clean", parent=open_capture(raw.root), policy=policy(tmp_path, POLICY))
    assert not failed(checks)
    assert [one.status for one in checks if one.name == "chance"] == ["WARNING"]
    assert done.checks["chance"] == _detail(checks)


def _detail(checks: list[Check]) -> str:
    return next(one.detail for one in checks if one.name == "chance")


def test_a_rule_that_keeps_names_in_ids_ends_the_scrub(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", orders(60))
    with pytest.raises(ScrubError, match=r"value ref: an original(?s:.)*not by chance alone"):
        scrub(raw, policy(tmp_path, POLICY), tmp_path / "clean")
    assert not (tmp_path / "clean").exists()


def test_one_that_stands_elsewhere_is_shown_with_its_place(tmp_path: Path) -> None:
    rows = orders()
    name = json.loads(rows[9].value or b"")["names"][0]
    value = {"ref": f"{name}1975", "session": "x", "names": []}
    raw = make_capture(tmp_path / "raw", [*rows, record("orders", 1, T0 + RECORDS, "k", value)])
    with pytest.raises(ScrubError, match=r"orders-1@400 value, outside of random ids(?s:.)*1 different one"):
        scrub(raw, policy(tmp_path, POLICY), tmp_path / "clean")
