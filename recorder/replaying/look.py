"""How far a look at the target's log has come, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

Looking = Callable[[int, int], object]
"""Hears how much is done, of how much: offsets read, and records of the plan made once more to compare them."""


class Look:
    """Counts what is done."""

    def __init__(self, total: float, tell: Looking) -> None:
        self._done, self._total, self._tell = 0, int(total), tell

    def advance(self, amount: int) -> None:
        self._done += amount
        self._tell(min(self._done, self._total), self._total)
