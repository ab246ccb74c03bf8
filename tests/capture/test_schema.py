"""What a record weighs."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.schema import Record, record_sizes
from tests.builders import to_batch
from tests.capture.arbitrary import partitions


def weight(record: Record) -> int:
    headers = sum(len(name.encode()) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


@given(rows=partitions(), begin=st.integers(0, 30), count=st.integers(0, 30), step=st.integers(1, 3))
def test_a_record_weighs_its_key_value_and_headers_in_any_part_of_a_batch(
    rows: list[Record], begin: int, count: int, step: int
) -> None:
    batch = to_batch(rows)
    weights = [weight(row) for row in rows]
    part = batch.slice(begin, count)
    assert record_sizes(batch).tolist() == weights
    assert record_sizes(part).tolist() == weights[begin : begin + count]
    taken = part.take(pa.array(range(0, part.num_rows, step), pa.int64()))
    assert record_sizes(taken).tolist() == weights[begin : begin + count][::step]
