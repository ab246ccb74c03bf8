"""Drift: by how much a replay's whole rhythm moved against the plan between its beginning and its end.

One record that a busy machine held up says nothing about that, so medians over a stretch at each end are compared: a
clock that loses time, or a target that can't keep up, moves all records of the last one, a stall moves a few.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

STRETCH_NS = 1_000_000_000
LEAST_RECORDS = 100
"""A stretch lasts a second, or longer until it holds so many records."""

Ints = npt.NDArray[np.int64]


class DriftWatch:
    """Takes in deadlines and latenesses in the order of sending; keeps two stretches."""

    def __init__(self) -> None:
        self._first, self._last = _Stretch(), _Stretch()
        self._full = False

    def sent(self, due: Ints, lateness: Ints) -> None:
        if not len(due):
            return
        if not self._full:
            upto = self._first.fill(due, lateness)
            self._full = upto < len(due)
            due, lateness = due[upto:], lateness[upto:]
        if len(due):
            self._last.append(due, lateness)
            self._last.forget()

    def drift_ns(self) -> int | None:
        """Median lateness of the last stretch less that of the first; of the halves, where there is not enough for two
        stretches. None: fewer than two records.
        """
        first, last = self._first.lateness, self._last.lateness
        if not self._last.whole:
            both = np.concatenate((first, last))
            first, last = both[: len(both) // 2], both[len(both) // 2 :]
        return round(float(np.median(last) - np.median(first))) if len(first) else None


class _Stretch:
    """Some consecutive records."""

    def __init__(self) -> None:
        self._due, self.lateness = np.empty(0, np.int64), np.empty(0, np.int64)

    @property
    def whole(self) -> bool:
        return len(self._due) >= LEAST_RECORDS and int(self._due[-1] - self._due[0]) >= STRETCH_NS

    def append(self, due: Ints, lateness: Ints) -> None:
        self._due, self.lateness = np.concatenate((self._due, due)), np.concatenate((self.lateness, lateness))

    def fill(self, due: Ints, lateness: Ints) -> int:
        """Take what belongs to the first stretch; how many that were."""
        held = len(self._due)
        began = int(self._due[0] if held else due[0])
        beyond = np.flatnonzero(due - began > STRETCH_NS)
        upto = max(int(beyond[0]) if len(beyond) else len(due), min(len(due), LEAST_RECORDS - held))
        self.append(due[:upto], lateness[:upto])
        return upto

    def forget(self) -> None:
        """Leave out what lies before the last stretch."""
        ended = int(self._due[-1])
        within = np.flatnonzero(self._due >= ended - STRETCH_NS)
        start = max(0, min(int(within[0]) - 1, len(self._due) - LEAST_RECORDS))  # with one before it: whole, then
        self._due, self.lateness = self._due[start:], self.lateness[start:]
