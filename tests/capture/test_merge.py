"""The merge by time: equal to a sort that anybody can check, however the rows arrive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.merge import EFFECTIVE, merge_by_time
from recorder.capture.reader import Capture
from recorder.capture.selection import Selection
from recorder.errors import UsageError
from recorder.window import Window
from tests.builders import T0, make_capture, record

SANE = (100, 120)
TIMES = st.integers(95, 125) | st.sampled_from([-(2**63), -1, 0, 2**63 - 1])
STREAMS = st.lists(st.lists(TIMES, max_size=12), max_size=5)
Row = tuple[int, int, int]
"""Stream, place in it, effective time."""


def reference(streams: list[list[int]]) -> list[Row]:
    """The same order by sorting everything."""
    firsts = [next((t for t in times if SANE[0] <= t <= SANE[1]), None) for times in streams]
    known = [first for first in firsts if first is not None]
    rows: list[tuple[int, int, int]] = []
    for rank, (times, first) in enumerate(zip(streams, firsts, strict=True)):
        if not times:
            continue
        latest = first if first is not None else min(known, default=min(max(times[0], SANE[0]), SANE[1]))
        for place, time in enumerate(times):
            if SANE[0] <= time <= SANE[1]:
                latest = max(latest, time)
            rows.append((latest, rank, place))
    return [(rank, place, time) for time, rank, place in sorted(rows)]


def batches(rank: int, times: list[int], cuts: list[int]) -> Iterator[pa.RecordBatch]:
    for start, stop in zip([0, *cuts], [*cuts, len(times)], strict=True):
        part = times[min(start, len(times)) : min(stop, len(times))]
        places = np.arange(min(start, len(times)), min(stop, len(times)))
        yield pa.record_batch(
            {"timestamp_ms": pa.array(part, pa.int64()), "rank": pa.array([rank] * len(part)), "place": places}
        )


def merged(streams: list[list[int]], cuts: list[list[int]], *, look_ahead: bool) -> list[Row]:
    def opened(rank: int) -> Iterator[pa.RecordBatch]:
        return batches(rank, streams[rank], cuts[rank])

    again = [lambda rank=rank: opened(rank) for rank in range(len(streams))] if look_ahead else None
    found = list(merge_by_time([opened(rank) for rank in range(len(streams))], sane=SANE, look_ahead=again))
    return [
        row
        for batch in found
        for row in zip(*(batch.column(name).to_pylist() for name in ("rank", "place", EFFECTIVE)), strict=True)
    ]


@given(data=st.data(), streams=STREAMS, look_ahead=st.booleans())
def test_it_equals_a_sort_of_all_rows_however_they_are_cut_into_batches(
    data: st.DataObject, streams: list[list[int]], look_ahead: bool
) -> None:
    cuts = [data.draw(st.lists(st.integers(0, 12), max_size=4).map(sorted)) for _ in streams]
    assert merged(streams, cuts, look_ahead=look_ahead) == reference(streams)


@given(streams=STREAMS)
def test_no_record_overtakes_another_of_its_partition_and_time_never_falls(streams: list[list[int]]) -> None:
    rows = merged(streams, [[3, 6] for _ in streams], look_ahead=True)
    assert [time for _, _, time in rows] == sorted(time for _, _, time in rows)
    for rank, times in enumerate(streams):
        assert [place for r, place, _ in rows if r == rank] == list(range(len(times)))


@pytest.mark.parametrize(
    ("times", "effective"),
    [
        ([110, 105, 112], [110, 110, 112]),
        ([110, -1, 2**62, 111], [110, 110, 110, 111]),
        ([-1, -1, 108, 2**62], [108, 108, 108, 108]),
        ([-1, 0], [100, 100]),
        ([2**62, 2**62], [120, 120]),
    ],
    ids=["late", "wild between", "wild first", "none usable: too early", "none usable: too far"],
)
def test_a_time_that_places_nothing_counts_with_one_that_does(times: list[int], effective: list[int]) -> None:
    assert [time for _, _, time in merged([times], [[1]], look_ahead=False)] == effective


def test_a_partition_without_any_usable_time_begins_with_the_others() -> None:
    rows = merged([[0, 0], [111, 112], [110, 113]], [[], [], []], look_ahead=True)
    assert [time for rank, _, time in rows if rank == 0] == [110, 110]


def test_one_batch_of_each_stream_is_held() -> None:
    read: list[int] = []

    def stream(rank: int) -> Iterator[pa.RecordBatch]:
        for place in range(50):
            read.append(rank)
            yield from batches(rank, [100 + place // 10], [])

    emitted = 0
    for batch in merge_by_time([stream(0), stream(1)], sane=SANE):
        emitted += batch.num_rows
        assert len(read) <= emitted + 2


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    records = [("a", i % 3, T0 + i * 10, f"k{i}", "v") for i in range(50)]
    records += [("b", 0, T0 + i * 7, f"l{i}", "w") for i in range(50)]
    return make_capture(tmp_path / "c", records, topics={"empty": 2}, segment_records=8)


def test_a_capture_reads_as_one_timeline(capture: Capture) -> None:
    rows = list(capture.records())
    assert len(rows) == 100
    assert rows == sorted(rows, key=lambda row: (row.timestamp_ms, row.topic, row.partition, row.offset))


def test_a_timeline_can_be_narrowed(capture: Capture) -> None:
    selection = Selection(topics=("a",), partitions=(1,), window=Window(T0 + 100, T0 + 300))
    rows = list(capture.records(selection))
    assert [(row.topic, row.partition) for row in rows] == [("a", 1)] * len(rows)
    assert [row.timestamp_ms - T0 for row in rows] == [100, 130, 160, 190, 220, 250, 280]
    with pytest.raises(UsageError, match="no topic c"):
        capture.timeline(Selection(topics=("c",)))


def test_leading_wild_times_of_a_capture_are_looked_past(tmp_path: Path) -> None:
    wild = [record("a", 0, -1, value=b"x" * 1_000) for _ in range(5_000)]
    capture = make_capture(tmp_path / "c", [*wild, ("a", 0, T0, "k", "v"), ("b", 0, T0 - 5, "k", "v")])
    times = np.concatenate([batch.column(EFFECTIVE).to_numpy() for batch in capture.timeline()])
    assert times.tolist() == [T0 - 5] + [T0] * 5_001


def test_partitions_that_run_out_together_make_no_rounds_of_a_few_rows() -> None:
    times = [list(range(rank, 1_000, 5)) for rank in range(5)]
    cuts = list(range(50, 200, 50))
    rounds = list(merge_by_time([batches(rank, own, cuts) for rank, own in enumerate(times)], sane=(0, 1_000)))
    assert sum(part.num_rows for part in rounds) == 1_000
    assert len(rounds) == 4 + 4  # one for each batch, and at the end one for each that is left
