"""How far kept fields tell records apart, as the report says it: by groups of records that agree in what repeats."""

from __future__ import annotations

from pathlib import Path

import msgspec

from recorder.scrubbing.anonymity import Kept
from recorder.scrubbing.report import Signed
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import clean_copy

POLICY = """
version: 1
secret: {env: BLACKBOX_KEY}
topics:
  - {match: people, value: {name: {rule: hash}, "{town,born}": keep, id: keep, "langs[*]": keep}}
  - {match: masked, value: {name: {rule: hash}}}
"""


def kept(tmp_path: Path, rows: list[dict[str, object]]) -> Kept:
    records = [record("people", 0, T0 + number, None, row) for number, row in enumerate(rows)]
    clean_copy(tmp_path, [*records, record("masked", 0, T0, None, {"name": "Anna Schmidt"})], POLICY)
    report = msgspec.json.decode((tmp_path / "clean/report.json").read_bytes(), type=Signed).report
    (one,) = report.kept  # a topic of which nothing is kept has nothing to say
    assert one.topic == "people"
    return one


def test_the_smallest_group_that_agrees_in_all_fields_that_repeat_is_k(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"name": f"Person {n}", "town": ("Kiel", "Ulm")[n % 2], "born": 1980 + n % 4, "id": n} for n in range(40)
    ]
    one = kept(tmp_path, rows)
    assert (one.together, one.k, one.below) == (("{town,born}",), 10, 0)
    by_path = {field.path: field for field in one.fields}
    assert (by_path["id"].distinct, by_path["id"].alone) == (40, 40)


def test_one_who_is_different_is_counted_and_never_named(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"name": f"Person {n}", "town": "Kiel", "id": n} for n in range(20)]
    rows += [{"name": "Eva", "town": "Helgoland", "id": 99, "langs": ["frr", "de"]}]
    one = kept(tmp_path, rows)
    assert (one.k, one.below, one.sampled, one.records) == (1, 1, 21, 21)
    assert next(field for field in one.fields if "town" in field.path).alone == 1
    page = (tmp_path / "clean/report.html").read_text()
    assert "Helgoland" not in page + (tmp_path / "clean/report.json").read_text()
    assert "1 records are in groups below 5" in page


def test_a_capture_of_which_nothing_is_kept_says_nothing(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "x", [record("masked", 0, T0, None, {"name": "Anna Schmidt"})])
    clean_copy(tmp_path, list(raw.records()), POLICY)
    assert msgspec.json.decode((tmp_path / "clean/report.json").read_bytes(), type=Signed).report.kept == ()
