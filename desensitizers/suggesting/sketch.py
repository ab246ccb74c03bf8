"""How many different values there are, and how many two places share, in bounded memory: the k smallest hashes.

Exact up to `SIZE` different values. Beyond, the count is estimated within about three in a hundred, and the share is
that among the hashes which both places would have kept. (Bar-Yossef et al. 2002, "Counting distinct elements".)
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from desensitizers.sink import hash64

SIZE = 1_024
_SPACE = 1 << 64


class Sketch:
    """The `SIZE` smallest hashes of what was added."""

    __slots__ = ("_heap", "_known")

    def __init__(self, hashes: Iterable[int] = ()) -> None:
        self._known: set[int] = set()
        self._heap: list[int] = []
        for one in hashes:
            self.add_hash(one)

    def add(self, text: str) -> None:
        self.add_hash(int.from_bytes(hash64(text), "big"))

    def add_hash(self, value: int) -> None:
        if value in self._known:
            return
        if len(self._heap) < SIZE:
            heapq.heappush(self._heap, -value)
            self._known.add(value)
        elif value < -self._heap[0]:
            self._known.discard(-heapq.heapreplace(self._heap, -value))
            self._known.add(value)

    def merge(self, other: Sketch) -> None:
        for one in other._known:
            self.add_hash(one)

    @property
    def exact(self) -> bool:
        return len(self._heap) < SIZE

    @property
    def distinct(self) -> int:
        """How many different values were added; estimated when not `exact`."""
        return len(self._heap) if self.exact else int((SIZE - 1) * _SPACE / -self._heap[0])

    @property
    def about(self) -> str:
        """The number in words of a report: ``about`` when it is an estimate."""
        return f"{self.distinct:,}" if self.exact else f"about {float(f'{self.distinct:.2g}'):,.0f}"

    def shared(self, other: Sketch) -> tuple[int, float]:
        """(values seen in both, share of the smaller of the two that is in the other)."""
        limit = min(one._limit for one in (self, other))
        mine = {value for value in self._known if value <= limit}
        theirs = {value for value in other._known if value <= limit}
        common = len(mine & theirs)
        return common, common / max(1, min(len(mine), len(theirs)))

    @property
    def _limit(self) -> int:
        return _SPACE if self.exact else -self._heap[0]
