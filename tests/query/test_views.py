"""What the views show of a record, whatever the record is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.schema import Record
from recorder.errors import UsageError
from recorder.query import Session, query
from recorder.query.views import record_columns
from tests.builders import T0, make_capture, record

EXPECTED_COLUMNS = [
    "topic",
    "partition",
    "offset",
    "timestamp",
    "timestamp_ms",
    "timestamp_type",
    "key",
    "value",
    "key_json",
    "value_json",
    "headers",
    "key_bytes",
    "value_bytes",
    "leader_epoch",
    "key_reason",
    "value_reason",
]


def one(tmp_path: Path, given: Record, columns: str = "*") -> dict[str, Any]:
    capture = make_capture(tmp_path / "c", [given])
    [row] = query(capture, f"SELECT {columns} FROM records").to_pylist()
    return dict(row)


def test_records_has_exactly_the_promised_columns(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("orders", 0, T0, "k", "v")])
    assert query(capture, "FROM records").schema.names == EXPECTED_COLUMNS == list(record_columns(0))
    assert query(capture, "FROM orders").schema.names == EXPECTED_COLUMNS


def test_a_plain_record(tmp_path: Path) -> None:
    row = one(tmp_path, record("orders", 0, T0 + 7, "k1", '{"id":1.10}', [("h", "x")]))
    assert row == {
        "topic": "orders",
        "partition": 0,
        "offset": 0,
        "timestamp": datetime(2026, 11, 3, 14, 2, 0, 7000, tzinfo=UTC),
        "timestamp_ms": T0 + 7,
        "timestamp_type": "create",
        "key": "k1",
        "value": '{"id":1.10}',
        "key_json": '"k1"',
        "value_json": '{"id":1.10}',
        "headers": [{"key": "h", "value": "x", "value_bytes": b"x"}],
        "key_bytes": b"k1",
        "value_bytes": b'{"id":1.10}',
        "leader_epoch": 0,
        "key_reason": None,
        "value_reason": None,
    }


def test_bytes_that_are_not_utf8_are_null_as_text_and_whole_as_bytes(tmp_path: Path) -> None:
    row = one(tmp_path, record("orders", 0, T0, b"\xff", b"\x00\x01\xfe"))
    assert (row["key"], row["value"], row["value_json"]) == (None, None, None)
    assert (row["key_bytes"], row["value_bytes"]) == (b"\xff", b"\x00\x01\xfe")


def test_null_and_empty_differ(tmp_path: Path) -> None:
    row = one(tmp_path, record("orders", 0, T0, None, b""))
    assert (row["key"], row["key_bytes"], row["value"], row["value_bytes"]) == (None, None, "", b"")


def test_repeated_and_null_headers_stay(tmp_path: Path) -> None:
    row = one(tmp_path, record("orders", 0, T0, "k", "v", [("a", "1"), ("a", None), ("b", b"\xff"), ("", b"")]))
    assert [(h["key"], h["value"], h["value_bytes"]) for h in row["headers"]] == [
        ("a", "1", b"1"),
        ("a", None, None),
        ("b", None, b"\xff"),
        ("", "", b""),
    ]


def test_header_gives_the_last_value_of_a_name(tmp_path: Path) -> None:
    given = record("orders", 0, T0, "k", "v", [("a", "1"), ("a", "2")])
    assert one(tmp_path, given, "header(headers, 'a') AS a, header(headers, 'b') AS b") == {"a": "2", "b": None}


@pytest.mark.parametrize("timestamp_ms", [T0 * 1_000_000, 2**63 - 1, -(2**63), 253_402_300_800_000])
def test_a_wild_timestamp_is_null_and_breaks_no_query(tmp_path: Path, timestamp_ms: int) -> None:
    row = one(tmp_path, record("orders", 0, timestamp_ms, "k", "v"))
    assert (row["timestamp"], row["timestamp_ms"]) == (None, timestamp_ms)


def test_a_record_without_a_timestamp_has_none(tmp_path: Path) -> None:
    assert one(tmp_path, record("orders", 0, -1, "k", "v", timestamp_type="none"))["timestamp"] is None


def test_timestamps_are_utc_whatever_the_machine_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    row = one(tmp_path, record("orders"), "CAST(timestamp AS VARCHAR) AS text, hour(timestamp) AS hour")
    assert row == {"text": "2026-11-03 14:02:00+00", "hour": 14}


def test_topics_without_records_are_typed_and_empty(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", topics={"empty": 3})
    for view in ("records", "empty"):
        table = query(capture, f"SELECT *, value_json->>'$.a' FROM {view} WHERE timestamp > '2026-01-01'")
        assert table.num_rows == 0
        assert table.schema.names[:16] == EXPECTED_COLUMNS


def test_a_topic_is_a_view_under_its_own_name(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("payments.dlq", 0, T0, "k", "v"), ("a-b_c", 1, T0, "k", "w")])
    assert query(capture, 'SELECT value FROM "payments.dlq"').to_pylist() == [{"value": "v"}]
    assert query(capture, 'SELECT value FROM "a-b_c"').to_pylist() == [{"value": "w"}]


def test_a_topic_called_records_does_not_hide_the_view(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("records", 0, T0, "k", "1"), ("other", 0, T0, "k", "2")])
    assert query(capture, "SELECT count(*) AS n FROM records").to_pylist() == [{"n": 2}]
    assert query(capture, "SELECT value FROM records WHERE topic = 'records'").to_pylist() == [{"value": "1"}]


def test_topics_that_differ_only_in_case_are_never_mixed_up(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("Orders", 0, T0, "k", "1"), ("orders", 0, T0, "k", "2")])
    for sql in ("SELECT count(*) FROM orders", 'SELECT value FROM "Orders"', "FROM ORDERS WHERE key IS NULL"):
        with pytest.raises(UsageError, match="WHERE topic ="):
            query(capture, sql)
    assert query(capture, "SELECT value FROM records WHERE topic = 'Orders'").to_pylist() == [{"value": "1"}]


@pytest.mark.parametrize(
    "name", ["select", "sqlite_master", "information_schema.tables", "main", "0", "-", "t0", "t.0"]
)
def test_any_legal_topic_name_is_a_view(tmp_path: Path, name: str) -> None:
    capture = make_capture(tmp_path / "c", [(name, 0, T0, "k", "v")])
    assert query(capture, f'SELECT topic FROM "{name}"').to_pylist() == [{"topic": name}]


def test_many_segments_are_one_view(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", i % 3, T0 + i, f"k{i}", "v") for i in range(600)], segment_records=1)
    with Session(capture) as session:
        assert session.query("SELECT count(*) AS n, count(DISTINCT key) AS k FROM t").to_pylist() == [
            {"n": 600, "k": 600}
        ]


@pytest.mark.parametrize("name", ["it's", "a=b", "c*p", "[a]", "q?", 'dq"', "ünï", "new\nline", "{x,y}", "~"])
def test_a_capture_lives_in_any_directory(tmp_path: Path, name: str) -> None:
    make_capture(tmp_path / "cxp", [("t", 0, T0, "k", "decoy")])
    make_capture(tmp_path / "a", [("t", 0, T0, "k", "decoy")])
    capture = make_capture(tmp_path / name, [("t", 0, T0, "k", "v")])
    assert query(capture, "SELECT value FROM records").to_pylist() == [{"value": "v"}]


def test_a_capture_opened_by_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    capture = make_capture(Path("c"), [("t", 0, T0, "k", "v")])
    assert capture.sql("SELECT value FROM t").to_pylist() == [{"value": "v"}]
