"""The state before the window, kept apart: read, verified, shown, asked, and never counted among the records."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from recorder.capture.manifest import Run
from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.capture.verify import failed, verify
from recorder.capture.writer import finish
from recorder.window import Window
from tests.builders import T0, make_capture, record
from tests.cli.running import run

STATE = [record("accounts", 0, T0 - 100, "a", "1", offset=4), record("accounts", 0, T0 - 200, "b", "2", offset=9)]


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    records = [("accounts", 0, T0 + 1, "a", "9"), ("orders", 0, T0, "k", "v")]
    return make_capture(tmp_path / "c", records, prologue=STATE, window=Window(T0, T0 + 10))


def test_it_is_read_apart_from_the_records(capture: Capture) -> None:
    assert list(capture.prologue()) == STATE
    assert [row.offset for row in capture.records(Selection(topics=("accounts",)))] == [10]
    assert list(capture.prologue(Selection(keys=(b"b",)))) == STATE[1:]
    assert list(capture.prologue(Selection(topics=("orders",)))) == []
    assert (capture.manifest.records, capture.manifest.prologue_records) == (2, 2)


def test_it_is_a_view_of_its_own(capture: Capture) -> None:
    found = capture.sql('SELECT key, value, "offset" AS position FROM prologue ORDER BY position').to_pylist()
    assert found == [{"key": "a", "value": "1", "position": 4}, {"key": "b", "value": "2", "position": 9}]
    assert capture.sql("SELECT count(*) AS n FROM accounts").to_pylist() == [{"n": 1}]
    # What a key was before, beside what it became.
    joined = "SELECT p.value AS before, r.value AS after FROM records r JOIN prologue p USING (topic, key)"
    assert capture.sql(joined).to_pylist() == [{"before": "1", "after": "9"}]


def test_it_is_empty_where_there_is_none(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("orders", 0, T0, "k", "v")])
    assert list(capture.prologue()) == []
    assert capture.sql("SELECT * FROM prologue").num_rows == 0
    assert capture.sql('SELECT * FROM records WHERE aborted(topic, partition, "offset")').num_rows == 0


def test_cat_and_info_show_it(capture: Capture, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "cat", capture.root, "--prologue", "--format", "ndjson").out.splitlines()
    assert [(row["key"], row["offset"]) for row in map(json.loads, lines)] == [("a", 4), ("b", 9)]
    shown = run(capsys, "info", capture.root).out
    assert "2 records: the state of 1 compacted topics before it" in shown


def test_verify_holds_it_to_its_promises(capture: Capture) -> None:
    assert not failed(verify(capture.root))
    (segment,) = (capture.root / "prologue").rglob("*.parquet")
    content = segment.read_bytes()
    segment.write_bytes(content[:-9] + b"x" + content[-8:])
    assert [check.where for check in verify(capture.root) if check.status == "FAILED"] == [
        "prologue/accounts/0/00000000000000000004.parquet"
    ]
    segment.unlink()
    assert failed(verify(capture.root))


def test_state_from_inside_the_window_is_found_out(capture: Capture) -> None:
    accounts, orders = capture.manifest.topics
    (partition,) = accounts.partitions
    moved = msgspec.structs.replace(partition, start_offset=9, gaps=())
    topics = (msgspec.structs.replace(accounts, partitions=(moved,)), orders)
    finish(capture.root, msgspec.structs.replace(capture.manifest, topics=topics))
    (check,) = [check for check in verify(capture.root) if check.name == "prologue"]
    assert (check.status, "from the window" in check.detail) == ("FAILED", True)


def test_marks_outside_the_partition_are_found_out(capture: Capture) -> None:
    accounts, orders = capture.manifest.topics
    (partition,) = accounts.partitions
    for first, last, good in ((10, 10, True), (9, 10, False), (10, 11, False)):
        marked = msgspec.structs.replace(partition, aborted=(Run(first_offset=first, last_offset=last),))
        topics = (msgspec.structs.replace(accounts, partitions=(marked,)), orders)
        finish(capture.root, msgspec.structs.replace(capture.manifest, topics=topics))
        assert failed(verify(capture.root)) != good
    told = open_capture(capture.root).sql("SELECT count(*) AS n FROM transactions").to_pylist()
    assert told == [{"n": 1}]
