"""Which records of the timeline have had their turn: once, again after a seek back, or never after a seek forward."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import msgspec


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """What a `Coverage` knows, to go on from."""

    spans: tuple[tuple[int, int], ...] = ()
    earlier: int = 0
    repeated: int = 0
    skipped: int = 0


NOTHING_COVERED = Covered()


class Coverage:
    """Records by their number in the timeline, as half-open stretches: as many as there were seeks, not as records."""

    def __init__(self, covered: Covered = NOTHING_COVERED) -> None:
        self._starts = [start for start, _ in covered.spans]
        self._ends = [end for _, end in covered.spans]
        self._earlier = covered.earlier
        self.repeated = covered.repeated
        """Turns of records that had had theirs already, in the same pass."""
        self.skipped = covered.skipped
        """Records of finished passes that were jumped over."""

    @property
    def known(self) -> Covered:
        return Covered(
            spans=tuple(zip(self._starts, self._ends, strict=True)),
            earlier=self._earlier,
            repeated=self.repeated,
            skipped=self.skipped,
        )

    @property
    def covered(self) -> int:
        """Records that had at least one turn, summed over the passes."""
        return self._earlier + self._present

    @property
    def _present(self) -> int:
        return sum(self._ends) - sum(self._starts)

    def add(self, first: int, stop: int) -> None:
        """The records ``[first, stop)`` had their turn."""
        if stop <= first:
            return
        before = self._present
        low, high = bisect_left(self._ends, first), bisect_right(self._starts, stop)
        start = min(first, self._starts[low]) if low < high else first
        end = max(stop, self._ends[high - 1]) if low < high else stop
        self._starts[low:high], self._ends[low:high] = [start], [end]
        self.repeated += stop - first - (self._present - before)

    def finish(self, first: int, stop: int | None) -> None:
        """A pass over the records from `first` on is over, having reached `stop` (None: as far as records went)."""
        reached = stop if stop is not None else max(self._ends, default=first)
        self.skipped += max(0, reached - first - self._present)
        self._earlier += self._present
        self._starts, self._ends = [], []


def gone_on(covered: Covered, since: tuple[int, int], to: tuple[int, int], first: int, records: int) -> Coverage:
    """A coverage after straight play from one pass and number to another, of a timeline of `records` from `first`."""
    coverage = Coverage(covered)
    (lap, number), (last_lap, last) = since, to
    while lap < last_lap:
        coverage.add(number, first + records)
        coverage.finish(first, first + records)
        lap, number = lap + 1, first
    coverage.add(number, last)
    return coverage
