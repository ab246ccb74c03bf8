"""Where each record lies on the replay's own time axis: nanoseconds of recorded time since the first record.

The axis is recorded time with long idle stretches shortened; the clock maps it to real time. A position depends on
all records before it, never on when they were sent, so nothing can drift.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NS_PER_MS = 1_000_000


class Schedule:
    """Turns effective times, in timeline order, into positions; keeps what it shortened.

    `max_gap_ms` is the longest idle stretch that is kept, in recorded time (the rate applies to it as to all time).
    """

    def __init__(self, max_gap_ms: int | None = None) -> None:
        self._max_gap_ms = max_gap_ms
        self._last_ms: int | None = None
        self._removed_ms = 0
        self.first_ms: int | None = None
        """Effective time of the first record: position 0."""
        self.collapsed_gaps = 0

    @property
    def collapsed_ms(self) -> int:
        """Recorded time that was left out."""
        return self._removed_ms

    def positions(self, effective_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Positions in nanoseconds, never falling; `effective_ms` must not fall either, also from call to call."""
        if not len(effective_ms):
            return np.empty(0, np.int64)
        if self.first_ms is None or self._last_ms is None:
            self.first_ms = self._last_ms = int(effective_ms[0])
        removed = np.full(len(effective_ms), self._removed_ms, np.int64)
        if self._max_gap_ms is not None:
            surplus = np.diff(effective_ms, prepend=self._last_ms) - self._max_gap_ms
            surplus = np.maximum(surplus, 0)
            removed += np.cumsum(surplus)
            self.collapsed_gaps += int(np.count_nonzero(surplus))
            self._removed_ms = int(removed[-1])
        self._last_ms = int(effective_ms[-1])
        return (effective_ms - self.first_ms - removed) * NS_PER_MS
