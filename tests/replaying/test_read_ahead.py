"""Reading ahead: bounded, in order, and honest about errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from recorder.errors import CaptureError
from recorder.replaying.read_ahead import ReadAhead


def test_batches_come_in_order_and_then_the_end() -> None:
    with ReadAhead(iter([_batch(index) for index in range(50)]), 1 << 20) as ahead:
        assert list(_all(ahead)) == list(range(50))
        assert ahead.take() is None
        assert ahead.finished


def test_no_more_is_read_than_the_bound_and_one_batch() -> None:
    started: list[int] = []
    reached = threading.Event()

    def batches() -> Iterator[pa.RecordBatch]:
        for index in range(1_000):
            started.append(index)
            if index == 3:
                reached.set()
            yield _batch(index)

    size = _batch(0).nbytes
    with ReadAhead(batches(), 3 * size) as ahead:
        assert reached.wait(10)
        ahead.wait()
        # Three batches fit, a fourth is held over the bound, and only then does reading stop.
        assert len(started) <= 4
        assert next(_all(ahead)) == 0


def test_an_error_of_reading_is_raised_after_what_was_read_before_it() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield _batch(0)
        raise CaptureError("segment torn")

    with ReadAhead(batches(), 1 << 20) as ahead, pytest.raises(CaptureError, match="torn"):
        taken = list(_all(ahead))
        assert taken == [0]


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    with ReadAhead(iter([_batch(index) for index in range(100)]), 1) as ahead:
        ahead.wait()
    assert threading.active_count() == before


def _batch(index: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array([index] * 1_000)})


def _all(ahead: ReadAhead) -> Iterator[int]:
    while True:
        ahead.wait()
        batch = ahead.take()
        if batch is None:
            return
        yield batch.column("n")[0].as_py()
