"""One sample says what a topic's payloads are: from all over it, the same for everything that decodes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from recorder.errors import CaptureError
from recorder.payloads.formats import Formats
from recorder.payloads.samples import sample_of
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.query import query
from tests.builders import T0, make_capture
from tests.payloads.framed import FIRST, SECOND, capture_with, framed

LATE = {"id": 1, "placed": datetime.fromtimestamp(0, UTC), "price": Decimal("1.00"), "lines": []}


@pytest.mark.parametrize("segment_records", [None, 400, 90])
def test_beginning_and_end_are_both_in_it_and_no_record_twice(tmp_path: Path, segment_records: int | None) -> None:
    rows = [("t", 0, T0 + i, f"k{i}", f"v{i}") for i in range(2_000)]
    capture = make_capture(tmp_path / "c", rows, segment_records=segment_records)
    sample = sample_of(capture, capture.manifest.topic("t"))
    assert 600 <= len(sample.keys) <= 1_000
    assert len(set(sample.keys)) == len(sample.keys) == len(sample.headers)
    assert sample.keys[0] == b"k0"
    assert sample.values[-1] == b"v1999"


def test_a_small_topic_is_in_it_whole(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", i % 3, T0 + i, f"k{i}", "v") for i in range(50)], topics={"none": 2})
    assert sorted(sample_of(capture, capture.manifest.topic("t")).keys) == sorted(b"k%d" % i for i in range(50))
    assert sample_of(capture, capture.manifest.topic("none")).keys == []


def test_what_begins_late_is_seen_by_formats_and_by_sql(tmp_path: Path) -> None:
    rows = [("t", 0, T0 + i, "k", "just text") for i in range(3_000)]
    rows += [("t", 0, T0 + i, "k", framed(FIRST, {"id": i, "price": Decimal("1.00")})) for i in range(3_000, 6_000)]
    capture = capture_with(tmp_path / "c", rows)
    assert Formats(capture).detected("t")["value"].schemas == (FIRST.id,)
    assert query(capture, "SELECT count(id) AS n FROM t").to_pylist() == [{"n": 3_000}]


def test_torn_segments_say_nothing_until_nothing_can_be_read(tmp_path: Path) -> None:
    rows = [("t", 0, T0 + i, "k", {"i": i}) for i in range(20)]
    capture = make_capture(tmp_path / "c", rows, segment_records=10)
    first, second = capture.manifest.topic("t").partitions[0].segments
    (capture.root / first.path).write_bytes(b"torn")
    assert len(sample_of(capture, capture.manifest.topic("t")).keys) == 10
    assert Formats(capture).detected("t")["value"].format == "json"
    (capture.root / second.path).write_bytes(b"torn")
    with pytest.raises(CaptureError, match="torn"):
        Formats(capture).detected("t")


def test_a_rare_version_of_a_subject_has_its_columns(tmp_path: Path) -> None:
    rows = [("orders", 0, T0 + i, "k", framed(FIRST, {"id": i, "price": Decimal("1.00")})) for i in range(5_000)]
    rows[2_500] = (
        "orders",
        0,
        T0,
        "k",
        framed(SECOND, LATE),
    )
    capture = capture_with(tmp_path / "c", rows)
    assert query(capture, "SELECT count(placed) AS n FROM orders").to_pylist() == [{"n": 1}]


def test_a_rare_schema_of_no_topics_subject_is_searched_for(tmp_path: Path) -> None:
    other = Schema(SECOND.kind, SECOND.text, id=SECOND.id, subjects=(SubjectVersion("com.shop.Order", 1),))
    rows = [("orders", 0, T0 + i, "k", framed(FIRST, {"id": i, "price": Decimal("1.00")})) for i in range(5_000)]
    rows[2_500] = (
        "orders",
        0,
        T0,
        "k",
        framed(other, LATE),
    )
    capture = capture_with(tmp_path / "c", rows, (FIRST, other))
    assert query(capture, "SELECT count(placed) AS n FROM orders").to_pylist() == [{"n": 1}]


def test_the_schemas_of_one_topic_are_not_columns_of_another(tmp_path: Path) -> None:
    rows = [("orders", 0, T0, "k", framed(FIRST, {"id": 1, "price": Decimal("1.00")})), ("plain", 0, T0, "k", {"n": 1})]
    columns = query(capture_with(tmp_path / "c", rows), "DESCRIBE plain").column("column_name").to_pylist()
    assert "n" in columns
    assert "price" not in columns
