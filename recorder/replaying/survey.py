"""One look at all that will be sent, before anything is: how much, how large, how fast, with which timestamps.

It reads every selected record once, as columns, so a torn segment is found before the first record goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.merge import EFFECTIVE, merge_by_time
from recorder.capture.reader import Capture
from recorder.capture.schema import record_sizes
from recorder.capture.selection import Selection
from recorder.replaying.options import Options
from recorder.replaying.routes import Routes
from recorder.replaying.schedule import NS_PER_MS, Schedule

_RECORD_OVERHEAD = 30  # attributes and lengths of a record in a batch, rounded up
_HEADER_OVERHEAD = 10
_COLUMNS = ("timestamp_ms", "key", "value", "headers")

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class TopicSurvey:
    """One recorded topic; sizes in bytes as records lie in a batch, before compression."""

    records: int = 0
    bytes: int = 0
    largest: int = 0
    without_key: int = 0
    ahead_ms: float = -np.inf
    """How far a record's timestamp, as it will be sent, lies after its sending, at most."""
    behind_ms: float = -np.inf
    """And how far before."""


@dataclass(slots=True)
class Survey:
    """The whole selection. Durations are recorded time after `max_gap`; divide by the rate for real time."""

    topics: dict[str, TopicSurvey] = field(default_factory=dict)
    first_ms: int | None = None
    """The effective time of the first record."""
    duration_ms: float = 0.0
    collapsed_gaps: int = 0
    collapsed_ms: int = 0
    peak_per_second: int = 0
    """Most records in one second of the replay, at its rate."""

    @property
    def records(self) -> int:
        return sum(topic.records for topic in self.topics.values())

    @property
    def bytes(self) -> int:
        return sum(topic.bytes for topic in self.topics.values())


def survey(
    capture: Capture,
    routes: Routes,
    options: Options,
    *,
    start_ms: int,
    progress: Callable[[int], None] = lambda records: None,
) -> Survey:
    """Look at all records that `options` selects, as if the replay began at `start_ms`. Raises CaptureError."""
    found = Survey({topic.name: TopicSurvey() for topic in routes.topics})
    schedule = Schedule(None if options.top_speed else options.max_gap_ms)
    streams = [
        _facts(capture, number, topic.name, partition.partition, options.selection)
        for number, topic in enumerate(routes.topics)
        for partition in topic.partitions
        if partition.records and options.selection.wants(topic.name, partition.partition)
    ]
    seconds = _Peak()
    for batch in merge_by_time(streams, sane=capture.sane_times()):
        column = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}
        positions = schedule.positions(column[EFFECTIVE])
        elapsed_ms = np.zeros(len(positions)) if options.top_speed else positions / (NS_PER_MS * options.rate)
        first_ms = schedule.first_ms or 0
        ahead = _stamps(column["timestamp_ms"], options, start_ms, first_ms) - (start_ms + elapsed_ms)
        for number in np.unique(column["topic"]).tolist():
            rows = column["topic"] == number
            _add(found.topics[routes.topics[number].name], column["size"][rows], column["keyed"][rows], ahead[rows])
        seconds.add((elapsed_ms // 1_000).astype(np.int64))
        found.first_ms, found.duration_ms = first_ms, float(positions[-1]) / NS_PER_MS
        progress(batch.num_rows)
    found.collapsed_gaps, found.collapsed_ms = schedule.collapsed_gaps, schedule.collapsed_ms
    found.peak_per_second = seconds.highest
    return found


class _Peak:
    """The fullest second of a stream of never-falling seconds."""

    def __init__(self) -> None:
        self._second, self._count, self.highest = -1, 0, 0

    def add(self, seconds: Ints) -> None:
        which, counts = np.unique(seconds, return_counts=True)
        if which[0] == self._second:
            counts[0] += self._count
        self._second, self._count = int(which[-1]), int(counts[-1])
        self.highest = max(self.highest, int(counts.max()))


def _facts(capture: Capture, number: int, topic: str, partition: int, selection: Selection) -> Iterator[pa.RecordBatch]:
    """A partition without its payloads: what the merge and the sums need."""
    for batch in capture.batches(topic, partition, selection, columns=_COLUMNS):
        yield pa.record_batch(
            {
                "timestamp_ms": batch.column("timestamp_ms"),
                "topic": pa.array(np.full(batch.num_rows, number, np.int32)),
                "size": pa.array(_sizes(batch)),
                "keyed": batch.column("key").is_valid(),
            }
        )


def _sizes(batch: pa.RecordBatch) -> Ints:
    """Bytes of each record in a Kafka batch before compression, rounded up a little."""
    headers: Ints = batch.column("headers").value_lengths().to_numpy()
    return record_sizes(batch) + headers * _HEADER_OVERHEAD + _RECORD_OVERHEAD


def _stamps(raw: Ints, options: Options, start_ms: int, first_ms: int) -> npt.NDArray[np.float64]:
    """Timestamps as they will be sent; NaN where the target won't judge them. Floats: wild ones must not wrap."""
    if options.timestamps == "now":
        return np.full(len(raw), np.nan)
    stamps = np.where(raw == -1, np.nan, raw.astype(np.float64))
    return stamps + (start_ms - first_ms) if options.timestamps == "shift" else stamps


def _add(topic: TopicSurvey, sizes: Ints, keyed: npt.NDArray[np.bool_], ahead: npt.NDArray[np.float64]) -> None:
    topic.records += len(sizes)
    topic.bytes += int(sizes.sum())
    topic.largest = max(topic.largest, int(sizes.max()))
    topic.without_key += int(len(keyed) - np.count_nonzero(keyed))
    judged = ahead[~np.isnan(ahead)]
    if len(judged):
        topic.ahead_ms = max(topic.ahead_ms, float(judged.max()))
        topic.behind_ms = max(topic.behind_ms, float(-judged.min()))
