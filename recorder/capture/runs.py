"""Marks on records as runs of offsets: a transaction is one, however many records and holes it has (FORMAT.md 24)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recorder.capture.manifest import Run

Offsets = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def inside(runs: Sequence[Run], offsets: Offsets) -> Flags:
    """Which of these offsets lie in a run; runs are in order and don't overlap."""
    if not runs:
        return np.zeros(len(offsets), np.bool_)
    firsts = np.array([run.first_offset for run in runs], np.int64)
    lasts = np.array([run.last_offset for run in runs], np.int64)
    index = np.searchsorted(firsts, offsets, side="right") - 1
    flags: Flags = (index >= 0) & (offsets <= lasts[np.maximum(index, 0)])
    return flags


class RunBuilder:
    """Runs of marked records, from all records of a partition in order: a run ends before the next unmarked record."""

    def __init__(self) -> None:
        self._firsts: list[Offsets] = []
        self._lasts: list[Offsets] = []
        self._last_marked = False

    def add(self, offsets: Offsets, marked: Flags) -> None:
        """Take the next records (offsets increasing) and which of them are marked."""
        if not len(offsets):
            return
        before = np.concatenate(([self._last_marked], marked[:-1]))
        after = np.concatenate((marked[1:], [False]))
        firsts, lasts = offsets[marked & ~before], offsets[marked & ~after]
        if self._last_marked and marked[0]:  # it goes on with the run that the last batch ended with
            self._lasts[-1] = self._lasts[-1][:-1]
        self._firsts.append(firsts)
        self._lasts.append(lasts)
        self._last_marked = bool(marked[-1])

    def runs(self) -> tuple[Run, ...]:
        """What was built so far."""
        if not self._firsts:
            return ()
        firsts, lasts = np.concatenate(self._firsts).tolist(), np.concatenate(self._lasts).tolist()
        return tuple(Run(first_offset=first, last_offset=last) for first, last in zip(firsts, lasts, strict=True))
