"""Points of the timeline from which it can be read again exactly: for seeks and loops, in bounded memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recorder.replaying.schedule import Place
from recorder.replaying.streams import Checkpoint

_CELLS = 1 << 20  # numbers kept over all checkpoints, 16 bytes each
_MOST, _FEWEST = 1_024, 16

Ints = npt.NDArray[np.int64]


class Checkpoints:
    """Noted while the timeline is looked through; when there are too many, every other one goes."""

    def __init__(self, streams: int) -> None:
        self._next = np.zeros(streams, np.int64)
        self._floors = np.zeros(streams, np.int64)
        self._begun = np.zeros(streams, np.bool_)
        self._most = max(_FEWEST, min(_MOST, _CELLS // max(streams, 1)))
        self._stride, self._passed = 1, 0
        self.records = 0
        """How many records were passed."""
        self._kept: list[Checkpoint] = []
        self.unplaced: int | None = None
        """The time of the very first record."""

    @property
    def empty(self) -> bool:
        return not self.records

    def pass_batch(self, numbers: Ints, offsets: Ints, effective_ms: Ints, place: Place | None) -> None:
        """The timeline was read up to the end of these records (stream numbers, offsets, effective times)."""
        if self.unplaced is None:
            self.unplaced = int(effective_ms[0])
        # Of several values for one place, the last is kept.
        self._next[numbers], self._floors[numbers], self._begun[numbers] = offsets + 1, effective_ms, True
        self.records += len(numbers)
        self._passed += 1
        if self._passed % self._stride:
            return
        if place is None:  # before the first record to be played: only the last such point is of use
            self._kept.clear()
        self._kept.append(
            Checkpoint(
                first=self.records,
                effective_ms=int(effective_ms[-1]),
                place=place,
                next_offsets=self._next.copy(),
                floors=self._floors.copy(),
                begun=self._begun.copy(),
            )
        )
        if len(self._kept) > self._most:
            del self._kept[::2]
            self._stride *= 2

    def before(self, effective_ms: int | None) -> Checkpoint | None:
        """The last point before all records of that time and later; None is the beginning."""
        if effective_ms is None:
            return None
        found = [checkpoint for checkpoint in self._kept if checkpoint.effective_ms < effective_ms]
        return found[-1] if found else None

    def before_number(self, number: int) -> Checkpoint | None:
        """The last point before the record of that number; None is the beginning."""
        found = [checkpoint for checkpoint in self._kept if checkpoint.first <= number]
        return found[-1] if found else None
