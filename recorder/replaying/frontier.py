"""How far a replay is settled: the first record of the plan whose fate is not known, and where the target's log goes on
behind all that is before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from recorder.replaying.state import Point

Ints = npt.NDArray[np.int64]


class Frontier:
    """Moves on as records are settled in the order of their sending.

    What is noted of it stays where it is once a record failed that may be in the target all the same (`freeze`), and at
    first until it is beyond `held`: until then part of what comes next is in the log already.

    Inside transactions a record that was confirmed may vanish again. `committed` tells how many can't, the first so
    many of those that were confirmed; what is noted is never beyond these.
    """

    def __init__(
        self,
        base: Point,
        *,
        offsets: Sequence[int] | None = None,
        acked: Ints | None = None,
        lost: int | None = None,
        held: tuple[int, int] | None = None,
        committed: Callable[[], int] | None = None,
    ) -> None:
        self.base = self.point = base
        """What was noted lastly, and before that."""
        self._offsets = np.array(base.offsets if offsets is None else offsets, np.int64)
        self._acked = np.array(base.acked, np.int64) if acked is None else acked.astype(np.int64)
        self._lost = base.lost if lost is None else lost
        self._place = (base.lap, base.number)
        self._held, self._frozen, self._between = held, False, False
        self._committed, self._confirmed = committed, 0
        self._behind_commit: Point | None = None
        self.moved = 0
        """Records settled since the point that was noted lastly."""

    def freeze(self) -> None:
        """From here on only the target's log can tell."""
        self._frozen = True

    def settled(
        self,
        laps: Ints,
        numbers: Ints,
        topics: Ints,
        lanes: Ints,
        offsets: Ints,
        following: tuple[int, int] | None,
    ) -> None:
        """Records that were confirmed (their offsets) or lost (-1), in the order of their sending; `following` is the
        pass and number of the first one after them that is still in flight.
        """
        if not len(numbers):
            return
        if self._committed is not None and (left := self._committed() - self._confirmed) >= 0:
            open_from = int(np.searchsorted(np.cumsum(offsets >= 0), left, "right"))
            if open_from < len(numbers):
                columns = (laps, numbers, topics, lanes, offsets)
                if open_from:
                    first_open = (int(laps[open_from]), int(numbers[open_from]))
                    self._pass(*(column[:open_from] for column in columns), following=first_open)
                self._behind_commit = None if self._between else self._present()
                laps, numbers, topics, lanes, offsets = (column[open_from:] for column in columns)
        self._pass(laps, numbers, topics, lanes, offsets, following=following)

    def _pass(
        self,
        laps: Ints,
        numbers: Ints,
        topics: Ints,
        lanes: Ints,
        offsets: Ints,
        *,
        following: tuple[int, int] | None,
    ) -> None:
        there = offsets >= 0
        self._confirmed += int(np.count_nonzero(there))
        np.maximum.at(self._offsets, lanes[there], offsets[there] + 1)
        self._acked += np.bincount(topics[there], minlength=len(self._acked))
        self._lost += int(np.count_nonzero(~there))
        self.moved += len(numbers)
        last = (int(laps[-1]), int(numbers[-1]))
        self._place = (last[0], last[1] + 1) if following is None else following
        self._between = following == last  # a record that was added on the way has the number of the one before it

    def emptied(
        self,
        last: tuple[int, int],
        topics: Ints,
        lanes: Ints,
        confirmed: npt.NDArray[np.bool_],
        ends: Callable[[], Ints | None],
    ) -> None:
        """All that was sent is settled, up to the pass and number `last`; `ends` asks where the logs end now."""
        now = None if self._frozen else ends()
        grown = np.bincount(lanes[confirmed], minlength=len(self._offsets))
        if now is None or (now - self._offsets < grown).any():  # a leader that is new may not tell of all it has
            self.freeze()
            return
        self._offsets = np.maximum(self._offsets, now)
        self._acked += np.bincount(topics[confirmed], minlength=len(self._acked))
        self._lost += int(np.count_nonzero(~confirmed))
        self.moved += len(lanes)
        self._place, self._between = (last[0], last[1] + 1), False

    def move(self, lap: int, number: int) -> None:
        """All that was sent is settled, and the plan goes on elsewhere: nothing before that is of interest any more."""
        self._place, self._held, self._between, self._frozen = (lap, number), None, False, False
        self._behind_commit = None
        self.note()
        self.base = self.point

    def note(self) -> bool:
        """Make the present point `point`, and that one `base`; False when there is nothing new."""
        point = self._sure()
        if self._frozen or point is None or (point.lap, point.number) == (self.point.lap, self.point.number):
            return False
        if self._held is not None and (point.lap, point.number) <= self._held:
            return False
        self._held, self._behind_commit, self.moved = None, None, 0
        self.base, self.point = self.point, point
        return True

    def _sure(self) -> Point | None:
        """The point to note, if there is one."""
        if self._committed is not None and self._confirmed > self._committed():
            return self._behind_commit
        return None if self._between else self._present()

    def _present(self) -> Point:
        lap, number = self._place
        offsets, acked = tuple(self._offsets.tolist()), tuple(self._acked.tolist())
        return Point(lap=lap, number=number, offsets=offsets, acked=acked, lost=self._lost)
