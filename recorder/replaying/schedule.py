"""Where each record lies on the replay's own time axis: nanoseconds of recorded time since the first record.

The axis is recorded time with long idle stretches shortened; the clock maps it to real time. A position depends on
all records before it, never on when they were sent, so nothing can drift.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.merge import EFFECTIVE

NS_PER_MS = 1_000_000
_MOST_HELD = 65_536

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a schedule has come, enough to go on from there: the first and the last time, and what was left out."""

    first_ms: int
    last_ms: int
    removed_ms: int


class Schedule:
    """Turns effective times, in timeline order, into positions; keeps what it shortened.

    `max_gap_ms` is the longest idle stretch that is kept, in recorded time (the rate applies to it as to all time).
    `spread` puts the records of one millisecond evenly into it; `rhythm=False` puts all at position 0.
    """

    def __init__(
        self,
        max_gap_ms: int | None = None,
        *,
        spread: bool = False,
        rhythm: bool = True,
        place: Place | None = None,
    ) -> None:
        self._max_gap_ms, self._spread, self._rhythm = max_gap_ms, spread, rhythm
        self._last_ms = place.last_ms if place else None
        self._removed_ms = place.removed_ms if place else 0
        self.first_ms = place.first_ms if place else None
        """Effective time of the first record: position 0."""
        self.collapsed_gaps = 0

    @property
    def collapsed_ms(self) -> int:
        """Recorded time that was left out."""
        return self._removed_ms

    @property
    def place(self) -> Place | None:
        """None before the first record."""
        if self.first_ms is None or self._last_ms is None:
            return None
        return Place(self.first_ms, self._last_ms, self._removed_ms)

    def positions(self, effective_ms: Ints) -> Ints:
        """Positions in nanoseconds, never falling; `effective_ms` must not fall either, also from call to call."""
        if not len(effective_ms):
            return np.empty(0, np.int64)
        if self.first_ms is None or self._last_ms is None:
            self.first_ms = self._last_ms = int(effective_ms[0])
        removed = np.full(len(effective_ms), self._removed_ms, np.int64)
        if self._max_gap_ms is not None and self._rhythm:
            surplus = np.diff(effective_ms, prepend=self._last_ms) - self._max_gap_ms
            surplus = np.maximum(surplus, 0)
            removed += np.cumsum(surplus)
            self.collapsed_gaps += int(np.count_nonzero(surplus))
            self._removed_ms = int(removed[-1])
        self._last_ms = int(effective_ms[-1])
        if not self._rhythm:
            return np.zeros(len(effective_ms), np.int64)
        positions = (effective_ms - self.first_ms - removed) * NS_PER_MS
        return positions + _inside(effective_ms) if self._spread else positions


def _inside(effective_ms: Ints) -> Ints:
    """Where each record lies in its millisecond when those of one are spread over it evenly, in nanoseconds."""
    starts = np.flatnonzero(np.diff(effective_ms, prepend=effective_ms[0] - 1))
    counts = np.diff(starts, append=len(effective_ms))
    rank = np.arange(len(effective_ms)) - np.repeat(starts, counts)
    inside: Ints = rank * NS_PER_MS // np.repeat(counts, counts)
    return inside


def whole_milliseconds(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same records (of a merge), cut so that those of one millisecond stay together, as far as memory allows."""
    held: pa.RecordBatch | None = None
    for batch in batches:
        if held is not None:
            batch = pa.concat_batches([held, batch])
        times = batch.column(EFFECTIVE).to_numpy()
        last = int(np.searchsorted(times, times[-1], side="left"))
        if len(times) - last > _MOST_HELD:
            last = len(times)
        if last:
            yield batch.slice(0, last)
        held = batch.slice(last) if last < len(times) else None
    if held is not None:
        yield held
