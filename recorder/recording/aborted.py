"""Which records of a read_uncommitted recording are of aborted transactions: found by a second, read_committed look.

What such a reader skips was aborted; what lies beyond the place where it has to wait is undecided. Both become runs of
offsets beside the records (FORMAT.md 24), never a change to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from recorder.capture.locations import Location, parquet_source
from recorder.capture.manifest import Note, Run, Segment
from recorder.capture.reader import reading
from recorder.capture.runs import RunBuilder
from recorder.errors import CaptureError, KafkaUnavailableError
from recorder.kafka.cluster import Cluster
from recorder.kafka.fetching import Message
from recorder.kafka.offsets import Place, log_ends
from recorder.kafka.probing import readable_ends
from recorder.recording.look import look
from recorder.recording.tape import Marks, Tape

Offsets = npt.NDArray[np.int64]
PlaceOf = Callable[[Segment], Location | None]


def find_aborted(
    cluster: Cluster,
    tapes: Mapping[Place, Tape],
    *,
    place_of: PlaceOf | None = None,
    within_seconds: float | None = None,
) -> dict[Place, Marks]:
    """Mark the records of sealed tapes whose holes are not explained yet; what nobody can tell (in time) is undecided.

    `place_of` says where a segment is, if it may be elsewhere than where it was sealed.
    Raises BlackboxError where we may not read, and CaptureError when a segment can't be read.
    """
    work = {place: tape for place, tape in tapes.items() if tape.records}
    ends = log_ends(cluster, work, partial=True)
    readable = readable_ends(cluster, work)
    # Every transaction ends with a marker, which is a hole: without one, all before the last stable offset is settled.
    settled = {
        place
        for place, tape in work.items()
        if not len(tape.ledger.holes()) and ends.get(place) == readable.get(place) == tape.ledger.position
    }
    parts = {
        place: Settling(_offsets(tape.writer.root, tape.writer.segments, place_of))
        for place, tape in work.items()
        if place not in settled
    }

    def saw(place: Place, messages: list[Message]) -> None:
        offsets = np.fromiter(map(Message.offset, messages), np.int64, len(messages))
        parts[place].settle(offsets, int(offsets[-1]) + 1)

    stretches = {place: (tapes[place].ledger.start, tapes[place].ledger.position) for place in parts}
    with suppress(KafkaUnavailableError):  # then nobody can tell: undecided
        positions = look(cluster.connection, stretches, "read_committed", saw, within_seconds=within_seconds)
        for place, position in positions.items():
            parts[place].settle(np.empty(0, np.int64), position)
    return {place: part.marks() for place, part in parts.items()}


def undecided_notes(marks: Mapping[Place, Marks]) -> Iterator[Note]:
    """Where nobody could say yet whether records are of aborted transactions."""
    for (topic, partition), found in marks.items():
        for run in found.undecided:
            text = f"an open transaction leaves it undecided which records from offset {run.first_offset} on will count"
            yield Note(level="warning", text=text, topic=topic, partition=partition)


class Settling:
    """One partition's records (their offsets, in order) compared with what a reader of committed records gets."""

    def __init__(self, offsets: Iterator[Offsets]) -> None:
        self._coming = offsets
        self._waiting = np.empty(0, np.int64)
        self._runs = RunBuilder()

    def settle(self, committed: Offsets, position: int) -> None:
        """Of the unsettled records before `position`, exactly those at `committed` were not aborted."""
        while not len(self._waiting) or self._waiting[-1] < position:
            more = next(self._coming, None)
            if more is None:
                break
            self._waiting = np.concatenate((self._waiting, more))
        here = int(np.searchsorted(self._waiting, position))
        settled, self._waiting = self._waiting[:here], self._waiting[here:]
        self._runs.add(settled, ~np.isin(settled, committed, assume_unique=True))

    def marks(self) -> Marks:
        """What was found; records that are not settled are undecided."""
        first, last = None, None
        for offsets in (self._waiting, *self._coming):
            if len(offsets):
                first, last = int(offsets[0]) if first is None else first, int(offsets[-1])
        undecided = () if first is None or last is None else (Run(first_offset=first, last_offset=last),)
        return Marks(self._runs.runs(), undecided)


def _offsets(root: Path, segments: Iterable[Segment], place_of: PlaceOf | None) -> Iterator[Offsets]:
    for segment in segments:
        with _opened(root, segment, place_of) as file, reading(root / segment.path):
            for batch in file.iter_batches(columns=["offset"], use_threads=False):
                yield batch.column("offset").to_numpy()


def _opened(root: Path, segment: Segment, place_of: PlaceOf | None) -> Any:
    try:
        return _open((place_of(segment) if place_of else None) or root / segment.path)
    except CaptureError:
        if place_of is None:
            raise
        return _open(place_of(segment) or root / segment.path)  # it was sent just then


def _open(path: Location) -> Any:
    with reading(path):
        return pq.ParquetFile(**parquet_source(path), page_checksum_verification=True)
