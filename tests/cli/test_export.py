"""`blackbox export` writes what a query shows: typed, whole or not at all, and the undecoded beside their reasons."""

from __future__ import annotations

import csv
import datetime
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder.capture.reader import Capture
from tests.builders import T0, make_capture, record
from tests.cli.running import run
from tests.payloads.framed import FIRST, SECOND, capture_with, framed

BIG = 2**63 - 1
UNKNOWN = b"\0\0\0\0\x63abc"
LOSS, REFUSED_USAGE = 3, 2


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    second = {"id": "two", "placed": T0, "price": Decimal("1234567890.12"), "lines": [{"sku": "é"}]}
    rows = [
        record("orders", 0, T0, "a", framed(FIRST, {"id": BIG, "price": Decimal("0.10")})),
        record("orders", 0, T0 + 1, "b", framed(SECOND, second), [("h", b"\xff"), ("h", None)]),
        record("orders", 1, T0 + 2, "c", UNKNOWN),
        record("orders", 1, T0 * 1_000_000, "d", None),
        record("notes", 0, T0 + 4, "a", {"n": 1, "inner": {"x": [1, 2]}}),
        record("notes", 0, T0 + 5, "b", {"n": 2}),
    ]
    return capture_with(tmp_path / "c", rows)


def test_parquet_is_typed_by_all_versions(capsys: pytest.CaptureFixture[str], capture: Capture, tmp_path: Path) -> None:
    ran = run(capsys, "export", capture.root, "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (LOSS, "")
    assert "6 records of 2 topics" in ran.err
    assert "RAW: it may hold personal data" in ran.err
    assert "not decoded: orders values: 1 unknown schema id" in ran.err
    table = pq.read_table(tmp_path / "out" / "orders.parquet")
    assert table.schema.field("timestamp").type == pa.timestamp("us", "UTC")
    assert table.schema.field("price").type == pa.decimal128(12, 2)
    assert pa.types.is_timestamp(table.schema.field("placed").type)
    assert pa.types.is_list(table.schema.field("lines").type)
    assert table.schema.metadata[b"blackbox.clean"] == b"false"
    rows = table.to_pylist()
    assert [row["price"] for row in rows] == [Decimal("0.10"), Decimal("1234567890.12"), None, None]
    assert rows[1]["lines"] == [{"sku": "é"}]
    assert [pair["value_bytes"] for pair in rows[1]["headers"]] == [b"\xff", None]
    assert json.loads(rows[0]["value"]) == {"id": BIG, "price": "0.10"}
    assert [(row["value_bytes"], row["value_reason"]) for row in rows] == [
        (None, None),
        (None, None),
        (UNKNOWN, "unknown schema id"),
        (None, None),
    ]
    assert [(row["partition"], row["offset"]) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert (rows[3]["timestamp"], rows[3]["timestamp_ms"]) == (None, T0 * 1_000_000)
    listing = json.loads((tmp_path / "out" / "export.json").read_text())
    assert [(one["topic"], one["file"], one["records"], one["undecoded"]) for one in listing["topics"]] == [
        ("notes", "notes.parquet", 2, 0),
        ("orders", "orders.parquet", 4, 1),
    ]


def test_a_database_has_a_table_a_topic(capsys: pytest.CaptureFixture[str], capture: Capture, tmp_path: Path) -> None:
    assert run(capsys, "export", capture.root, "-o", tmp_path / "out.duckdb").code == LOSS
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as database:
        asked = database.sql("select o.price, n.n from orders o join notes n using (key) order by n.n").fetchall()
        assert asked == [(Decimal("0.10"), 1), (Decimal("1234567890.12"), 2)]
        assert database.sql("select typeof(any_value(lines)) from orders").fetchall() == [("STRUCT(sku VARCHAR)[]",)]
        [(comment,)] = database.sql("select comment from duckdb_tables() where table_name = 'orders'").fetchall()
        assert "raw: may hold personal data" in comment
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "out.duckdb"]


def test_csv_is_flat(capsys: pytest.CaptureFixture[str], capture: Capture, tmp_path: Path) -> None:
    ran = run(capsys, "export", capture.root, "-o", tmp_path / "out", "--format", "csv")
    assert ran.code == LOSS
    with (tmp_path / "out" / "notes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["n"] for row in rows] == ["1", "2"]
    assert json.loads(rows[0]["inner"]) == {"x": [1, 2]}
    assert datetime.datetime.fromisoformat(rows[0]["timestamp"]).timestamp() * 1000 == T0 + 4
    with (tmp_path / "out" / "orders.csv").open(newline="") as file:
        assert [row["value_base64"] for row in csv.DictReader(file)] == ["", "", "AAAAAGNhYmM=", ""]


def test_a_part_of_one_topic_as_one_file(capsys: pytest.CaptureFixture[str], capture: Capture, tmp_path: Path) -> None:
    out = tmp_path / "one.parquet"
    ran = run(capsys, "export", capture.root, "-t", "orders", "--where", "price < 1", "-o", out)
    assert (ran.code, pq.read_table(out).column("key").to_pylist()) == (0, ["a"])
    window = ["--from", "2026-11-03T14:02:00.001Z", "--to", "2026-11-03T14:02:00.002Z", "-k", "b", "-p", "0"]
    ran = run(capsys, "export", capture.root, "-t", "orders", *window, "-o", tmp_path / "two.csv")
    assert (ran.code, (tmp_path / "two.csv").read_text().count('"orders"')) == (0, 1)


def test_clean_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", {"a": 1})], topics={"empty": 1}, clean=True)
    ran = run(capsys, "export", capture.root, "-o", tmp_path / "out")
    assert (ran.code, "from a clean capture" in ran.err) == (0, True)
    assert pq.read_schema(tmp_path / "out" / "t.parquet").metadata[b"blackbox.clean"] == b"true"
    assert pq.read_table(tmp_path / "out" / "empty.parquet").num_rows == 0


def test_names_that_are_no_file_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = [("Orders", 0, T0, "k", "v"), ("orders", 0, T0, "k", "v"), ("x" * 249, 0, T0, "k", "v")]
    capture = make_capture(tmp_path / "c", rows)
    assert run(capsys, "export", capture.root, "-o", tmp_path / "out").code == 0
    listing = json.loads((tmp_path / "out" / "export.json").read_text())
    assert [one["file"] for one in listing["topics"]] == ["topic-0.parquet", "topic-1.parquet", "topic-2.parquet"]
    assert [one["records"] for one in listing["topics"]] == [1, 1, 1]


def test_what_can_not_be_written_is_a_sentence(
    capsys: pytest.CaptureFixture[str], capture: Capture, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "killed.duckdb.tmp").mkdir()
    for arguments, sentence in (
        (["-o", tmp_path / "there"], "exists already"),
        (["-o", tmp_path / "one.csv"], "would hold one topic, not 2"),
        (["-o", tmp_path / "killed.duckdb"], "is in the way"),
        (["-o", tmp_path / "nowhere" / "out"], "create it first"),
        (["-o", capture.root / "out"], "lies inside the capture"),
        (["-o", tmp_path / "out", "--format", "xml"], "can't be written as xml"),
        (["-o", tmp_path / "out", "--format", "duckdb"], "ends in .duckdb"),
    ):
        ran = run(capsys, "export", capture.root, *arguments)
        assert (ran.code, sentence in ran.sentence()) == (REFUSED_USAGE, True)
    ran = run(capsys, "export", capture.root, "-o", tmp_path / "out", "--where", "nonsense = 1")
    assert (ran.code, "nonsense" in ran.err) == (REFUSED_USAGE, True)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.tmp").exists()


def test_a_torn_segment_leaves_nothing(capsys: pytest.CaptureFixture[str], capture: Capture, tmp_path: Path) -> None:
    path = sorted(capture.root.rglob("*.parquet"))[-1]
    path.write_bytes(path.read_bytes()[:-20])
    for name in ("out", "out.duckdb"):
        ran = run(capsys, "export", capture.root, "-o", tmp_path / name)
        assert (ran.code, path.name in ran.err) == (1, True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c"]
