"""The records that a replay is about, partition by partition, and their merge by time from any point on.

Survey and timeline read through the same door, so that what is counted before is what is sent after.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder.capture.limits import allow_open_files
from recorder.capture.merge import Range, merge_by_time
from recorder.capture.reader import merge_batch_bytes
from recorder.capture.sampling import hash_limit, record_hashes, within
from recorder.errors import UsageError
from recorder.replaying.dead_letters import letters_for
from recorder.replaying.gathering import Part
from recorder.replaying.options import Options
from recorder.replaying.routes import Routes
from recorder.replaying.schedule import Place

STREAM = "stream"
"""Added column (int32): the number of the record's stream."""
_TURN = "turn"  # added column: what places a record when that is not its timestamp
_UNPLACED = -1
_FURTHEST = 1 << 62

Ints = npt.NDArray[np.int64]
Shape = Callable[[pa.RecordBatch], pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Stream:
    """One recorded partition: the number of its topic in `Routes.topics`, and its parts by offset."""

    topic: int
    label: str
    partition: int
    parts: tuple[Part, ...]
    from_offset: int
    sane: Range

    @property
    def first_offset(self) -> int:
        return self.parts[0].partition.segments[0].first_offset


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A point between two records of the merged stream from which it can be read again, as it was.

    `first` is the number of the next record; `next_offsets` and `floors` are by stream (None: nothing read yet).
    """

    first: int
    effective_ms: int
    """Of the record before."""
    place: Place | None
    next_offsets: Ints
    floors: Ints
    begun: npt.NDArray[np.bool_]


class Streams:
    """All streams of a replay, as `options` selects and orders them."""

    def __init__(self, routes: Routes, options: Options) -> None:
        self.options = options
        self.streams = tuple(_streams(routes, options))
        self._homes = [routes.gathered[stream.topic].home for stream in self.streams]
        self.topic_numbers = np.array([stream.topic for stream in self.streams], np.int64)
        self.partitions = np.array([stream.partition for stream in self.streams], np.int64)
        placing = [self._placing(stream) for stream in self.streams]
        self.earliest = np.array([low for low, _ in placing], np.int64)
        self.latest = np.array([high for _, high in placing], np.int64)
        self._sane = placing
        self._filter = threading.Lock()  # a condition is for one thread at a time

    def merged(
        self,
        *,
        columns: Sequence[str] | None = None,
        shape: Shape = lambda batch: batch,
        start: Checkpoint | None = None,
        unplaced: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """All records in the order of the timeline, with the columns `STREAM` and `EFFECTIVE`.

        `columns` are those that `shape` needs (all when None); it may reduce each batch before it is merged, but must
        keep `timestamp_ms`, `STREAM` and what places a record. `start` goes on from there; see `merge_by_time` for
        `unplaced`.
        """
        allow_open_files(len(self.streams))
        if not self.streams:
            return iter(())
        batch_bytes = merge_batch_bytes(len(self.streams))
        opened = partial(self._read, columns=columns, shape=shape, batch_bytes=batch_bytes, start=start)
        times = partial(
            self._read, columns=["timestamp_ms"], shape=self._keep_times, batch_bytes=batch_bytes, start=start
        )
        floors = None if start is None else [
            int(floor) if begun else None for floor, begun in zip(start.floors, start.begun, strict=True)
        ]  # fmt: skip
        return merge_by_time(
            [opened(number) for number in range(len(self.streams))],
            sane=self._sane,
            look_ahead=[partial(times, number) for number in range(len(self.streams))],
            by=self.by,
            floors=floors,
            unplaced=unplaced if start is not None else None,
        )

    @property
    def by(self) -> str:
        """The column that places records."""
        return "timestamp_ms" if self.options.time_basis == "create" else _TURN

    def _read(
        self, number: int, *, columns: Sequence[str] | None, shape: Shape, batch_bytes: int, start: Checkpoint | None
    ) -> Iterator[pa.RecordBatch]:
        stream, options = self.streams[number], self.options
        from_offset = stream.from_offset
        if start is not None and start.begun[number]:
            from_offset = max(from_offset, int(start.next_offsets[number]))
        needed = None if columns is None or options.where is not None else self._needed(columns)
        for part in stream.parts:
            for batch in part.capture.batches(
                part.topic,
                stream.partition,
                replace(options.selection, aborted=options.aborted),
                columns=needed,
                batch_bytes=batch_bytes,
                from_offset=from_offset,
            ):
                kept = self._selected(batch, part)
                if (home := self._homes[number]) is not None:
                    wanted = letters_for(home.topic, kept.column("headers"), home.how, home.not_home)
                    kept = kept.filter(pa.array(wanted))
                if kept.num_rows:
                    yield shape(self._placed(kept, number))

    def _needed(self, columns: Sequence[str]) -> list[str]:
        wanted = dict.fromkeys(columns)
        if self.options.sample is not None:
            wanted |= dict.fromkeys(("key", "offset"))
        if self.options.time_basis != "create":
            wanted |= dict.fromkeys(("offset", "timestamp_ms", "timestamp_type"))
        if self.options.dead_letters is not None:
            wanted["headers"] = None
        return list(wanted)

    def _selected(self, batch: pa.RecordBatch, part: Part) -> pa.RecordBatch:
        options = self.options
        if options.sample is not None:
            hashes = record_hashes(batch, part.topic, part.partition.partition, 0)
            batch = batch.filter(pa.array(within(hashes, hash_limit(options.sample))))
        if options.where is not None and batch.num_rows:
            with self._filter:
                batch = batch.filter(pa.array(options.where.holds(batch, part.capture, part.topic)))
        return batch

    def _placed(self, batch: pa.RecordBatch, number: int) -> pa.RecordBatch:
        batch = batch.append_column(STREAM, pa.array(np.full(batch.num_rows, number, np.int32)))
        if self.options.time_basis == "append":
            stamped = pc.equal(batch.column("timestamp_type"), "append")
            return batch.append_column(_TURN, pc.if_else(stamped, batch.column("timestamp_ms"), _UNPLACED))
        if self.options.time_basis == "offset":
            first = self.streams[number].first_offset
            return batch.append_column(_TURN, pc.subtract(batch.column("offset"), first))
        return batch

    def _keep_times(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.select([self.by])

    def _placing(self, stream: Stream) -> Range:
        return (0, _FURTHEST) if self.options.time_basis == "offset" else stream.sane


def _streams(routes: Routes, options: Options) -> Iterator[Stream]:
    starts = dict(options.start_offsets)
    for number, one in enumerate(routes.gathered):
        for partition in one.topic.partitions:
            place = (one.name, partition.partition)
            from_offset = starts.pop((one.topic.name, partition.partition), None) or starts.pop(place, 0)
            parts = one.parts(partition.partition)
            if parts and options.selection.wants(one.name, partition.partition):
                lows, highs = zip(*(part.capture.sane_times() for part in parts), strict=True)
                yield Stream(
                    number, one.topic.name, partition.partition, parts, from_offset, (min(lows), max(highs))
                )  # fmt: skip
    for topic, partition_number in starts:
        raise UsageError(
            f"--start-offset names {topic}/{partition_number}, which is not among what is replayed: "
            "give a topic and partition of the capture."
        )
