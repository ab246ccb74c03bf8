"""All records of a capture as one list in time order, any slice of which can be had at once.

Holds two numbers a record (its place in time and its offset) and no payload. The order is that of
`Capture.timeline`; a filter keeps a part of it. Pages of rows are read by `recorder.query.pages`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from recorder.capture.merge import EFFECTIVE, merge_by_time
from recorder.capture.reader import Capture

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stream:
    """One partition's records in offset order: when they count (`effective_ms`, never falling) and their offsets."""

    topic_index: int
    topic: str
    partition: int
    times: Numbers
    offsets: Numbers

    def kept(self, offsets: Numbers) -> Stream:
        """The stream with only these of its offsets (sorted)."""
        rows = np.searchsorted(self.offsets, offsets)
        return Stream(self.topic_index, self.topic, self.partition, self.times[rows], self.offsets[rows])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is: its stream, by position in `Timeline.streams`, its offset, and when it counts."""

    stream: int
    offset: int
    effective_ms: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Streams merged by time; equal times go by the streams' order, as in `merge_by_time`."""

    streams: tuple[Stream, ...]

    def __len__(self) -> int:
        return sum(len(stream.times) for stream in self.streams)

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last effective time; None when there is no record."""
        filled = [stream.times for stream in self.streams if len(stream.times)]
        return (min(int(t[0]) for t in filled), max(int(t[-1]) for t in filled)) if filled else None

    def places(self, start: int, count: int) -> list[Place]:
        """The records number `start` to `start + count` (less at the end), in order."""
        low, high = self._cuts(max(0, start)), self._cuts(start + count)
        times = [s.times[a:b] for s, a, b in zip(self.streams, low, high, strict=True)]
        offsets = [s.offsets[a:b] for s, a, b in zip(self.streams, low, high, strict=True)]
        ranks = np.repeat(np.arange(len(self.streams)), [len(part) for part in times])
        if not len(ranks):
            return []
        all_times, all_offsets = np.concatenate(times), np.concatenate(offsets)
        order = np.lexsort((ranks, all_times))  # stable, so offsets keep their order
        columns = (ranks[order].tolist(), all_offsets[order].tolist(), all_times[order].tolist())
        return [Place(*place) for place in zip(*columns, strict=True)]

    def position_at(self, time_ms: int) -> int:
        """The number of the first record that counts at `time_ms` or later; the length when there is none."""
        return sum(int(np.searchsorted(stream.times, time_ms)) for stream in self.streams)

    def position_of(self, place: Place) -> int:
        """The number of that record, or, when a filter dropped it, of the one that follows."""
        position = 0
        for rank, stream in enumerate(self.streams):
            if rank == place.stream:
                first, last = np.searchsorted(stream.times, (place.effective_ms, place.effective_ms + 1))
                position += int(first) + int(np.searchsorted(stream.offsets[first:last], place.offset))
            else:
                side = "right" if rank < place.stream else "left"
                position += int(np.searchsorted(stream.times, place.effective_ms, side=side))  # type: ignore[call-overload]
        return position

    def find(self, topic: str, partition: int, offset: int) -> Place | None:
        """Where that record is; None when the timeline does not hold it."""
        for rank, stream in enumerate(self.streams):
            if (stream.topic, stream.partition) == (topic, partition):
                row = int(np.searchsorted(stream.offsets, offset))
                if row < len(stream.offsets) and stream.offsets[row] == offset:
                    return Place(rank, offset, int(stream.times[row]))
        return None

    def counts(self, edges: Sequence[int]) -> list[int]:
        """How many records lie between each two neighbouring `edges` (epoch ms, the upper one not included)."""
        below = np.zeros(len(edges), np.int64)
        for stream in self.streams:
            below += np.searchsorted(stream.times, np.asarray(edges, np.int64))
        return [int(count) for count in np.diff(below)]

    def only(self, keep: Callable[[Stream], bool]) -> Timeline:
        """Only the streams that are to be kept; the others stay in place, but empty."""
        nothing = np.empty(0, np.int64)
        return Timeline(tuple(stream if keep(stream) else stream.kept(nothing) for stream in self.streams))

    def _cuts(self, number: int) -> Numbers:
        """How many records of each stream are among the first `number` of all."""
        span = self.span
        if span is None or number <= 0:
            return np.zeros(len(self.streams), np.int64)
        if number >= len(self):
            return np.array([len(stream.times) for stream in self.streams], np.int64)
        low, high = span  # the time of record `number` lies in [low, high]
        while low < high:
            middle = (low + high) // 2
            if self._below(middle + 1).sum() > number:
                high = middle
            else:
                low = middle + 1
        cuts = self._below(low)
        ties = self._below(low + 1) - cuts
        left = number - int(cuts.sum())
        taken = np.clip(left - (np.cumsum(ties) - ties), 0, ties)  # equal times: the first streams first
        return np.asarray(cuts + taken, np.int64)

    def _below(self, time_ms: int) -> Numbers:
        return np.array([np.searchsorted(stream.times, time_ms) for stream in self.streams], np.int64)


def read_timeline(capture: Capture, stopped: Callable[[], bool] = lambda: False) -> Timeline:
    """Read when and where every record is, from two columns; CaptureError on torn data."""
    low, high = capture.sane_times()
    streams: list[Stream] = []
    unplaced: list[int] = []
    for topic_index, topic in enumerate(capture.manifest.topics):
        for partition in topic.partitions:
            if not partition.records or stopped():
                continue
            open_again = partial(capture.batches, topic.name, partition.partition, columns=["timestamp_ms"])
            batches = capture.batches(topic.name, partition.partition, columns=["offset", "timestamp_ms"])
            times, offsets, usable = [], [], False
            for batch in merge_by_time([batches], sane=(low, high), look_ahead=[open_again]):
                raw = batch.column("timestamp_ms").to_numpy()
                usable = usable or bool(((raw >= low) & (raw <= high)).any())
                times.append(batch.column(EFFECTIVE).to_numpy())
                offsets.append(batch.column("offset").to_numpy())
            if not usable:
                unplaced.append(len(streams))
            streams.append(
                Stream(topic_index, topic.name, partition.partition, np.concatenate(times), np.concatenate(offsets))
            )
    # As in a merge of all: a partition without any usable time begins with the first of the others.
    begin = min((int(stream.times[0]) for rank, stream in enumerate(streams) if rank not in unplaced), default=None)
    for rank in unplaced if begin is not None else ():
        streams[rank] = replace(streams[rank], times=np.full_like(streams[rank].times, begin))
    return Timeline(tuple(streams))
