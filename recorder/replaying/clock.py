"""The replay's clock: one pair of a position and a steady time, a rate, and a wait that can be interrupted.

Every deadline is computed from the pair, never from the record before, so sleeping too long once delays one record
and not all that follow. Real time is the system's monotonic clock; tests inject their own.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_COARSE_NS = 2_000_000  # what waits for events wakes to the millisecond; the rest is slept in fine steps
_FINE_NS = 200_000
_LONGEST_WAIT_NS = 100_000_000  # an interruption is noticed within this time
_PR_SET_TIMERSLACK = 29


@dataclass(frozen=True, slots=True)
class Anchor:
    """A position of the schedule and the steady time at which it is due, both in nanoseconds."""

    position_ns: int
    steady_ns: int


class PlayerClock:
    """Maps positions to deadlines. A `rate` of 2.0 plays twice as fast; None is top speed: all is due at once."""

    def __init__(
        self,
        rate: float | None = 1.0,
        *,
        now: Callable[[], int] = time.monotonic_ns,
        pause: Callable[[int], None] = lambda ns: time.sleep(ns / 1e9),
    ) -> None:
        self.rate = rate
        self.now = now
        self._pause = pause
        self._anchor = Anchor(0, now())

    @property
    def started_ns(self) -> int:
        """The steady time of position 0 (T0)."""
        return self._anchor.steady_ns

    def start(self, lead_ns: int = 0) -> None:
        """Position 0 is due in `lead_ns` from now."""
        self._anchor = Anchor(0, self.now() + lead_ns)

    def due(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Deadlines as steady nanoseconds: ``T0 + position / rate``."""
        if self.rate is None:
            return np.full(len(positions), self._anchor.steady_ns, np.int64)
        elapsed = np.rint((positions - self._anchor.position_ns) / self.rate).astype(np.int64)
        return elapsed + self._anchor.steady_ns

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


@contextmanager
def precise_sleep() -> Iterator[None]:
    """Ask Linux not to stretch this thread's sleeps by the 50 µs that it adds to group wake-ups."""
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_TIMERSLACK, 0, 0, 0, 0)  # 0 restores the thread's default
