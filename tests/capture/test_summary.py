"""What `info` and `ls` say of a capture."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from recorder.capture.manifest import Note
from recorder.capture.summary import facts, format_bytes, gap_rows, partition_rows, topic_rows
from recorder.window import Window
from tests.builders import T0, make_capture, record


def test_a_capture_at_a_glance(tmp_path: Path) -> None:
    rows = [record("t", 0, T0 + i, f"k{i}", "v", offset=i * 2) for i in range(5)]
    note = Note(level="warning", text="late", topic="t", partition=0)
    capture = make_capture(
        tmp_path / "c", rows, topics={"empty": 2}, window=Window(T0, T0 + 60_000), notes=[note], cluster_id="abc"
    )
    shown = facts(capture.manifest)
    assert shown["id"] == capture.manifest.capture_id
    assert shown["state"] == "complete, raw: may hold personal data"
    assert shown["window"] == "2026-11-03T14:02:00.000Z to 2026-11-03T14:03:00.000Z (1m 00s)"
    assert shown["records"] == "5 in 2 topics, 3 partitions"
    assert shown["offsets"] == "9 accounted for; not in the capture: 4 compacted"
    assert "cluster abc" in shown["source"]
    assert shown["warning 1"] == "t/0: late"
    columns, topics = topic_rows(capture.manifest)
    assert dict(zip(columns, topics[0], strict=True))["records"] == 0
    columns, partitions = partition_rows(capture.manifest.topics)
    assert dict(zip(columns, partitions[2], strict=True)) == {
        "topic": "t",
        "partition": 0,
        "records": 5,
        "start_offset": 0,
        "end_offset": 9,
        "first": "2026-11-03T14:02:00.000Z",
        "last": "2026-11-03T14:02:00.004Z",
        "missing": "4 compacted",
    }
    assert gap_rows(capture.manifest.topics)[1] == [["t", 0, 1, 7, 4, "compacted"]]


def test_a_capture_of_nothing_and_one_of_wild_times_can_be_shown(tmp_path: Path) -> None:
    empty = make_capture(tmp_path / "empty", topics={"t": 1})
    assert facts(empty.manifest)["times"] == "no records"
    wild = make_capture(tmp_path / "wild", [("t", 0, -(2**63), "k", "v"), ("t", 0, 2**63 - 1, "k", "v")])
    assert str(2**63 - 1) in facts(wild.manifest)["times"]


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (4_200_000, "4.2 MB"), (7e15, "7000.0 TB")]
)
def test_bytes_for_eyes(count: float, shown: str) -> None:
    assert format_bytes(count) == shown


def test_what_was_asked_is_shown_where_times_do_not_tell(tmp_path: Path) -> None:
    manifest = make_capture(tmp_path / "c", [("orders", 0, T0, "k", "v")]).manifest
    assert "asked" not in facts(manifest)
    window = msgspec.structs.replace(manifest.window, from_text="-15m, orders/1=offset:5", to_text="end")
    asked = facts(msgspec.structs.replace(manifest, window=window))["asked"]
    assert asked == "from -15m, orders/1=offset:5 to end"
