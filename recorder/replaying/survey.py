"""One look at all that will be sent, before anything is: how much, how large, how fast, with which timestamps.

It reads every selected record once, as columns, so a torn segment is found before the first record goes out, and notes
points from which the timeline can be read again: what seeks and loops go by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.merge import EFFECTIVE
from recorder.capture.schema import record_sizes
from recorder.errors import UsageError
from recorder.payloads.naming import SIDES, Counts, Names
from recorder.replaying.checkpoints import Checkpoints
from recorder.replaying.options import Options
from recorder.replaying.routes import Routes
from recorder.replaying.schedule import NS_PER_MS, Place, Schedule
from recorder.replaying.streams import STREAM, Streams

_RECORD_OVERHEAD = 30  # attributes and lengths of a record in a batch, rounded up
_HEADER_OVERHEAD = 10
_COLUMNS = ("timestamp_ms", "offset", "key", "value", "headers")

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class TopicSurvey:
    """One recorded topic; sizes in bytes as records lie in a batch, before compression."""

    records: int = 0
    bytes: int = 0
    largest: int = 0
    without_key: int = 0
    unplaced: int = 0
    """Records that nothing of their own places in time."""
    ahead_ms: float = -np.inf
    """How far a record's timestamp, as it will be sent, lies after its sending, at most."""
    behind_ms: float = -np.inf
    """And how far before."""


@dataclass(slots=True)
class Survey:
    """The whole selection, once. Durations are recorded time after `max_gap`; divide by the rate for real time."""

    topics: dict[str, TopicSurvey] = field(default_factory=dict)
    first_ms: int | None = None
    """The effective time of the first record: position 0."""
    last_ms: int | None = None
    first_number: int = 0
    """How many records of the timeline lie before the first that is played."""
    start_ms: int | None = None
    end_ms: int | None = None
    """What bounds the timeline (half-open) by `start`, `end` and `duration_ms`."""
    duration_ms: float = 0.0
    collapsed_gaps: int = 0
    collapsed_ms: int = 0
    clamped: int = 0
    """Records whose time fell behind their partition's."""
    wild: int = 0
    """Records whose timestamp could not place them."""
    peak_per_second: int = 0
    """Most records in one second of the replay, at its rate."""
    peak_bytes_per_second: int = 0
    checkpoints: Checkpoints = field(default_factory=lambda: Checkpoints(0))

    @property
    def records(self) -> int:
        return sum(topic.records for topic in self.topics.values())

    @property
    def bytes(self) -> int:
        return sum(topic.bytes for topic in self.topics.values())


def survey(
    routes: Routes,
    options: Options,
    *,
    start_ms: int,
    streams: Streams | None = None,
    schemas: Counts | None = None,
    progress: Callable[[int], None] = lambda records: None,
) -> Survey:
    """Look at all records that `options` selects, as if the replay began at `start_ms`; count in `schemas`, when there
    is one, which schemas they name.

    Raises CaptureError, and UsageError for topics that the time basis can't place.
    """
    streams = streams or Streams(routes, options)
    found = Survey({topic.name: TopicSurvey() for topic in routes.topics})
    found.checkpoints = Checkpoints(len(streams.streams))
    schedule = new_schedule(options)
    records, sizes = _Peak(), _Peak()
    unpaced = options.pace is None
    names = None if schemas is None else Names()
    for batch in streams.merged(columns=_COLUMNS, shape=partial(_facts, names=names)):
        column = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}
        effective = column[EFFECTIVE]
        progress(batch.num_rows)
        if found.checkpoints.empty:
            _bound(found, options, int(effective[0]))
        low, high = (int(np.searchsorted(effective, edge)) if edge is not None else other
                     for edge, other in ((found.start_ms, 0), (found.end_ms, len(effective))))  # fmt: skip
        chosen = {name: values[low:high] for name, values in column.items()}
        if low < high:
            positions = schedule.positions(chosen[EFFECTIVE])
            elapsed_ms = np.zeros(len(positions)) if unpaced else positions / (NS_PER_MS * options.rate)
            first_ms = schedule.first_ms or 0
            numbers = streams.topic_numbers[chosen[STREAM]]
            ahead = _stamps(chosen["timestamp_ms"], options, start_ms, first_ms) - (start_ms + elapsed_ms)
            wild = _count_times(found, streams, chosen)
            for number in np.unique(numbers).tolist():
                rows = numbers == number
                topic = found.topics[routes.topics[number].name]
                _add(topic, chosen["size"][rows], chosen["keyed"][rows], ahead[rows], wild[rows])
            if schemas is not None and names is not None:
                for side in SIDES:
                    schemas.add(side, numbers, chosen[side], names)
            seconds = (elapsed_ms // 1_000).astype(np.int64)
            records.add(seconds, np.ones(len(seconds), np.int64))
            sizes.add(seconds, chosen["size"])
            if found.first_ms is None:
                found.first_number = found.checkpoints.records + low
            found.first_ms, found.duration_ms = first_ms, float(positions[-1]) / NS_PER_MS
            found.last_ms = int(chosen[EFFECTIVE][-1])
        if high < len(effective):
            break
        found.checkpoints.pass_batch(column[STREAM], column["offset"], effective, schedule.place)
    found.collapsed_gaps, found.collapsed_ms = schedule.collapsed_gaps, schedule.collapsed_ms
    found.peak_per_second, found.peak_bytes_per_second = records.highest, sizes.highest
    if options.time_basis == "append":
        _require_append_times(found)
    return found


def new_schedule(options: Options, *, spread: bool = False, place: Place | None = None) -> Schedule:
    """The schedule that `options` ask for, at its beginning or at a place."""
    max_gap_ms = None if options.pace is None else options.max_gap_ms
    return Schedule(max_gap_ms, spread=spread, rhythm=options.time_basis != "offset", place=place)


class _Peak:
    """The fullest second of a stream of never-falling seconds."""

    def __init__(self) -> None:
        self._second, self._sum, self.highest = -1, 0, 0

    def add(self, seconds: Ints, amounts: Ints) -> None:
        which, inverse = np.unique(seconds, return_inverse=True)
        sums = np.bincount(inverse, weights=amounts).astype(np.int64)
        if which[0] == self._second:
            sums[0] += self._sum
        self._second, self._sum = int(which[-1]), int(sums[-1])
        self.highest = max(self.highest, int(sums.max()))


def _bound(found: Survey, options: Options, first_ms: int) -> None:
    if options.start is not None:
        found.start_ms = options.start.resolve(first_ms)
    if options.end is not None:
        found.end_ms = options.end.resolve(first_ms)
    elif options.duration_ms is not None:
        found.end_ms = (first_ms if found.start_ms is None else max(found.start_ms, first_ms)) + options.duration_ms


def _facts(batch: pa.RecordBatch, names: Names | None = None) -> pa.RecordBatch:
    """A batch without its payloads: what the merge and the sums need, and, by `names`, which schemas they name."""
    kept = [name for name in batch.schema.names if name in ("timestamp_ms", "offset", STREAM, "turn")]
    facts = batch.select(kept).append_column("size", pa.array(_sizes(batch)))
    facts = facts.append_column("keyed", batch.column("key").is_valid())
    if names is not None:
        for side in SIDES:
            facts = facts.append_column(side, pa.array(names.of(batch, side)))
    return facts


def _sizes(batch: pa.RecordBatch) -> Ints:
    """Bytes of each record in a Kafka batch before compression, rounded up a little."""
    headers: Ints = batch.column("headers").value_lengths().to_numpy()
    return record_sizes(batch) + headers * _HEADER_OVERHEAD + _RECORD_OVERHEAD


def _count_times(found: Survey, streams: Streams, column: dict[str, Ints]) -> npt.NDArray[np.bool_]:
    """Count what could not place itself; which records those are, clamped ones aside."""
    placing, numbers = column[streams.by], column[STREAM]
    wild = (placing < streams.earliest[numbers]) | (placing > streams.latest[numbers])
    found.wild += int(np.count_nonzero(wild))
    found.clamped += int(np.count_nonzero(~wild & (placing < column[EFFECTIVE])))
    return wild


def _require_append_times(found: Survey) -> None:
    for name, topic in found.topics.items():
        if topic.records and topic.unplaced == topic.records:
            raise UsageError(
                f"Topic {name} holds no append times (its producers stamped its records): give --time-basis create "
                "or offset, or leave it out with -x."
            )


def _stamps(raw: Ints, options: Options, start_ms: int, first_ms: int) -> npt.NDArray[np.float64]:
    """Timestamps as they will be sent; NaN where the target won't judge them. Floats: wild ones must not wrap."""
    if options.timestamps == "now":
        return np.full(len(raw), np.nan)
    stamps = np.where(raw == -1, np.nan, raw.astype(np.float64))
    return stamps + (start_ms - first_ms) if options.timestamps == "shift" else stamps


def _add(
    topic: TopicSurvey,
    sizes: Ints,
    keyed: npt.NDArray[np.bool_],
    ahead: npt.NDArray[np.float64],
    wild: npt.NDArray[np.bool_],
) -> None:
    topic.records += len(sizes)
    topic.bytes += int(sizes.sum())
    topic.largest = max(topic.largest, int(sizes.max()))
    topic.without_key += int(len(keyed) - np.count_nonzero(keyed))
    topic.unplaced += int(np.count_nonzero(wild))
    judged = ahead[~np.isnan(ahead)]
    if len(judged):
        topic.ahead_ms = max(topic.ahead_ms, float(judged.max()))
        topic.behind_ms = max(topic.behind_ms, float(-judged.min()))
