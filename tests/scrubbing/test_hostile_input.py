"""Captures, payloads and policies made to break a scrub end it with a sentence, in time, and without a copy."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder.capture.reader import open_capture
from recorder.errors import CaptureError, UsageError
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.suggest import suggest
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import POLICY, orders, policy


def fifo(segment: Path) -> None:
    segment.unlink()
    os.mkfifo(segment)


def directory(segment: Path) -> None:
    segment.unlink()
    segment.mkdir()


def column(name: str, value: object) -> Callable[[Path], None]:
    def change(segment: Path) -> None:
        table = pq.read_table(segment)
        place = table.schema.get_field_index(name)
        changed = pa.array([value] * len(table), table.schema.field(place).type)
        pq.write_table(table.set_column(place, table.schema.field(place), changed), segment)

    return change


CHANGES = {
    "a pipe": (fifo, "no file"),
    "a directory": (directory, "no file"),
    "another topic": (column("topic", "Zoë Müller"), "another topic"),
    "another partition": (column("partition", 77), "another partition"),
    "a type of timestamp that is none": (column("timestamp_type", "Zoë Müller"), "types of timestamps"),
    "columns of something else": (lambda segment: pq.write_table(pa.table({"x": [1]}), segment), "torn or altered"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_segment_that_is(tmp_path: Path, what: str) -> None:
    change, says = CHANGES[what]
    make_capture(tmp_path / "raw", orders(30))
    change(min((tmp_path / "raw/records/orders").rglob("*.parquet")))
    with pytest.raises(CaptureError, match=says):
        scrub(open_capture(tmp_path / "raw"), policy(tmp_path), tmp_path / "clean")
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "policy.yaml"}


def test_suggest_says_that_a_segment_is_something_else(tmp_path: Path) -> None:
    make_capture(tmp_path / "raw", orders(30))
    for segment in (tmp_path / "raw/records/orders").rglob("*.parquet"):
        pq.write_table(pa.table({"x": [1]}), segment)
    with pytest.raises(CaptureError, match="torn or altered"):
        suggest(open_capture(tmp_path / "raw"))


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    value = b'{"customer":{"id":' + b"9" * 5_000 + b"}}"
    raw = make_capture(tmp_path / "raw", [record("orders", 0, T0, "cust-1", value)])
    with pytest.raises(ScrubError, match=r"customer\.id: is a number of more than 4,000 digits"):
        scrub(raw, policy(tmp_path), tmp_path / "clean")


def test_a_pattern_that_takes_for_ever_is_asked_in_another_way(tmp_path: Path) -> None:
    endless = POLICY.replace('"cust-(?P<id>\\\\d+)"', '"(?:[a-z]+-?)+(?P<id>\\\\d+)"')
    assert endless != POLICY
    raw = make_capture(tmp_path / "raw", [record("orders", 0, T0, "a" * 60, {"order": 1})])
    with pytest.raises(ScrubError, match="does not match extract"):
        scrub(raw, policy(tmp_path, endless), tmp_path / "clean")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("x: " + "[" * 50_000 + "]" * 50_000, "nested too deeply"),
        ("x: " + "{a: " * 20_000 + "1" + "}" * 20_000, "nested too deeply"),
        ("      f: keep\n" * 100_000, "longer than 1,000,000 characters"),
    ],
    ids=["lists", "maps", "megabytes"],
)
def test_a_policy_that_is_too_much_is_refused_at_once(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        policy(tmp_path, POLICY + more)
