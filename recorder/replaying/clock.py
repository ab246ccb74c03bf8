"""The replay's clock: one anchor (a position and a steady time), a rate, and a wait that can be interrupted.

Every deadline is computed from the anchor, never from the record before, so sleeping too long once delays one record
and not all that follow. A new anchor is taken only when somebody or something changes how time runs, and each is
noted. Real time is the system's monotonic clock; tests inject their own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

NAMED_ANCHORS = 1_000
_COARSE_NS = 2_000_000  # what waits for events wakes to the millisecond; the rest is slept in fine steps
_FINE_NS = 200_000
_LONGEST_WAIT_NS = 50_000_000  # an interruption is noticed within this time
_NEVER = 1 << 62

Why = Literal["start", "resumed", "pause", "resume", "rate", "seek", "loop", "step", "burst", "late"]


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """From here on time runs like this: the position is due at that time, and what follows by the rate.

    `after_ns` is steady time since the replay began, `at_ms` the same moment by the wall clock. A pause has `rate` 0;
    at top speed it is None.
    """

    why: Why
    position_ns: int
    after_ns: int
    at_ms: int
    rate: float | None


class PlayerClock:
    """Maps positions to deadlines. A `rate` of 2.0 plays twice as fast; None is top speed: all is due at once."""

    def __init__(
        self,
        rate: float | None = 1.0,
        *,
        now: Callable[[], int] = time.monotonic_ns,
        pause: Callable[[int], None] = lambda ns: time.sleep(ns / 1e9),
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.rate = rate
        self.now = now
        self._pause, self._wall = pause, wall
        self._position_ns, self._steady_ns = 0, now()
        self._began_ns = self._steady_ns
        self.paused = False
        self.anchors: list[Anchor] = []
        """The first 1,000; `changes` counts all."""
        self.changes: Counter[Why] = Counter()
        self.anchored = 0
        """How often an anchor was taken: deadlines from before the last time hold no more."""

    @property
    def started_ns(self) -> int:
        """The steady time of the first position (T0)."""
        return self._began_ns

    def start(self, lead_ns: int = 0, *, position_ns: int | None = None) -> None:
        """The beginning, or the position that an earlier part had come to, is due in `lead_ns` from now."""
        self._began_ns = self.now() + lead_ns
        self._set("start" if position_ns is None else "resumed", position_ns or 0, self._began_ns)

    def due(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Deadlines as steady nanoseconds: ``T + (position - anchor) / rate``; never, while time stands still."""
        if self.paused:
            return np.full(len(positions), _NEVER, np.int64)
        if self.rate is None:
            return np.full(len(positions), self._steady_ns, np.int64)
        elapsed = np.rint((positions - self._position_ns) / self.rate).astype(np.int64)
        return elapsed + self._steady_ns

    def position(self) -> int:
        """Where the plan is now; at top speed, the last anchor."""
        if self.paused or self.rate is None:
            return self._position_ns
        return self._position_ns + round((self.now() - self._steady_ns) * self.rate)

    def pause(self) -> None:
        """Time stands still from now on. Records that are overdue stay so, and go first when it runs again."""
        if not self.paused:
            position = self.position()
            self.paused = True
            self._set("pause", position, self.now())

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            self._set("resume", self._position_ns, self.now())

    def change_rate(self, rate: float) -> None:
        """Go on from the present position at another rate; not for top speed."""
        position = self.position()
        self.rate = rate
        self._set("rate", position, self.now())

    def jump(self, why: Why, position_ns: int, steady_ns: int | None = None) -> None:
        """That position is due at that time (now, if None); while paused, time stands still there."""
        self._set(why, position_ns, self.now() if steady_ns is None else steady_ns)

    def _set(self, why: Why, position_ns: int, steady_ns: int) -> None:
        self._position_ns, self._steady_ns = position_ns, steady_ns
        self.changes[why] += 1
        self.anchored += 1
        if len(self.anchors) < NAMED_ANCHORS:
            at_ns = self._wall() + steady_ns - self.now()
            rate = 0.0 if self.paused else self.rate
            self.anchors.append(
                Anchor(
                    why=why,
                    position_ns=position_ns,
                    after_ns=steady_ns - self._began_ns,
                    at_ms=at_ns // 1_000_000,
                    rate=rate,
                )
            )

    def sleep_until(
        self, steady_ns: int, serve: Callable[[int], object], interrupted: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait for a deadline; True when it has come, False when `interrupted` came first.

        The time is given to `serve(ns)`, which may use up to so many nanoseconds and returns once it did something;
        the last 2 ms are slept in fine steps, with a `serve(0)` between them.
        """
        while (left := steady_ns - self.now()) > 0:
            if interrupted():
                return False
            if left >= _COARSE_NS:
                serve(min(left - _COARSE_NS // 2, _LONGEST_WAIT_NS))
            else:
                serve(0)
                self._pause(min(left, _FINE_NS))
        return True
