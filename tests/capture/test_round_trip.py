"""What goes into a capture comes out again, byte for byte, in bounded pieces."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.reader import BATCH_BYTES, to_records
from recorder.capture.schema import RECORD_SCHEMA, Record
from recorder.capture.selection import Selection
from recorder.capture.verify import failed, verify
from recorder.window import Window
from tests.builders import T0, make_capture, record
from tests.capture.arbitrary import TIMES, partitions
from tests.conftest import examples


@settings(max_examples=examples(30), deadline=None)
@given(rows=partitions(), segment_records=st.none() | st.integers(1, 7))
def test_any_record_comes_back_as_it_was(rows: list[Record], segment_records: int | None) -> None:
    with TemporaryDirectory() as directory:
        capture = make_capture(Path(directory) / "c", rows, topics={"t": 1}, segment_records=segment_records)
        assert [row for batch in capture.batches("t", 0) for row in to_records(batch)] == rows
        assert list(capture.records()) == rows
        assert not failed(verify(capture.root))


def test_null_and_empty_and_absent_are_three_things(tmp_path: Path) -> None:
    rows = [
        record("t", key=None, value=None),
        record("t", key=b"", value=b"", headers=[("", b""), ("a", None), ("a", b""), ("a", None)]),
        record("t", key=b"\0", value=b"\xff\xfe", headers=[("", None)]),
    ]
    capture = make_capture(tmp_path / "c", rows)
    first, second, third = capture.records()
    assert (first.key, first.value, first.headers) == (None, None, ())
    assert (second.key, second.value) == (b"", b"")
    assert second.headers == (("", b""), ("a", None), ("a", b""), ("a", None))
    assert (third.key, third.value, third.headers) == (b"\0", b"\xff\xfe", (("", None),))


@settings(max_examples=examples(20), deadline=None)
@given(rows=partitions(max_size=15), bounds=st.tuples(st.none() | TIMES, st.none() | TIMES), keyed=st.booleans())
def test_a_selection_gives_exactly_what_a_filter_over_all_records_gives(
    rows: list[Record], bounds: tuple[int | None, int | None], keyed: bool
) -> None:
    low, high = bounds
    if low is not None and high is not None:
        low, high = (low, high) if low < high else (high, low)
        if low == high:
            return
    window = Window(low, high)
    keys = tuple({row.key for row in rows[:3] if row.key is not None}) if keyed else ()
    with TemporaryDirectory() as directory:
        capture = make_capture(Path(directory) / "c", rows, topics={"t": 1}, segment_records=4)
        found = [
            row for batch in capture.batches("t", 0, Selection(keys=keys, window=window)) for row in to_records(batch)
        ]
    assert found == [row for row in rows if row.timestamp_ms in window and (not keys or row.key in keys)]


@pytest.mark.parametrize("columns", [["value", "key"], ["offset"], ["headers", "topic"], ["timestamp_ms"]])
def test_only_the_columns_that_were_asked_for_come_and_in_that_order(tmp_path: Path, columns: list[str]) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v"), ("t", 0, T0 + 5, "l", "w")])
    selection = Selection(keys=(b"l",), window=Window(T0 + 1, None))
    (batch,) = capture.batches("t", 0, selection, columns=columns)
    assert batch.schema.names == columns
    assert batch.num_rows == 1
    (whole,) = capture.batches("t", 0, selection)
    assert whole.schema.equals(RECORD_SCHEMA)


@pytest.mark.parametrize(
    ("value_bytes", "records"),
    [(1_000, 20_000), (200_000, 60), (3_000_000, 5), (0, 40_000)],
    ids=["1 KB", "200 KB", "3 MB", "empty"],
)
def test_batches_stay_about_a_mebibyte_however_well_they_compress(
    tmp_path: Path, value_bytes: int, records: int
) -> None:
    capture = make_capture(tmp_path / "c", [record("t", value=b"\0" * value_bytes) for _ in range(records)])
    sizes = [batch.nbytes for batch in capture.batches("t", 0)]
    assert max(sizes) <= max(2 * BATCH_BYTES, value_bytes + 4096)
    assert sum(batch.num_rows for batch in capture.batches("t", 0)) == records


def test_large_headers_count_too(tmp_path: Path) -> None:
    rows = [record("t", headers=[("h", b"\0" * 100_000)]) for _ in range(200)]
    capture = make_capture(tmp_path / "c", rows)
    assert max(batch.nbytes for batch in capture.batches("t", 0)) <= 2 * BATCH_BYTES


def test_many_partitions_share_the_memory_of_a_merge(tmp_path: Path) -> None:
    rows = [record("t", partition, T0, value=b"\0" * 1_000) for partition in range(300) for _ in range(700)]
    capture = make_capture(tmp_path / "c", rows)
    batches = list(capture.timeline())
    assert sum(batch.num_rows for batch in batches) == len(rows)
    alone = sum(batch.num_rows for batch in capture.batches("t", 0, batch_bytes=64 << 10))
    assert alone == 700
    assert max(batch.nbytes for batch in capture.batches("t", 0, batch_bytes=64 << 10)) < 128 << 10


def test_a_partition_that_is_not_there_is_a_key_error(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v")])
    with pytest.raises(KeyError):
        list(capture.batches("t", 1))
    with pytest.raises(KeyError):
        list(capture.batches("u", 0))
