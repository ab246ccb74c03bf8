"""Two originals must never become one: pairs of hashes, counted bucket by bucket.

A pair is (space, hash of what went in, hash of what came out). In every space there must be as many different
results as originals; the same original must not have two results either, or a person would fall apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from desensitizers.proof.spill import BUCKETS, Spill, SpillWriter

_HASH = 8


@dataclass(frozen=True, slots=True)
class Tally:
    """A space: how many different originals, results and (original, result) pairs it has."""

    originals: int = 0
    results: int = 0
    pairs: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.originals + other.originals, self.results + other.results, self.pairs + other.pairs)

    @property
    def one_to_one(self) -> bool:
        return self.originals == self.results == self.pairs


def write(writers: tuple[SpillWriter, SpillWriter], pairs: Iterable[tuple[str, bytes, bytes]]) -> None:
    """Spills pairs twice: by original into the first bag, by result into the second."""
    by_original, by_result = writers
    for space, before, after in pairs:
        name = space.encode()
        by_original.add(before + after + name, by=before)
        by_result.add(after + before + name, by=after)


def tally(spill: Spill, bags: tuple[str, str]) -> dict[str, Tally]:
    """Per space, over everything spilled."""
    total: dict[str, Tally] = defaultdict(Tally)
    for bag, is_result in zip(bags, (False, True), strict=True):
        for bucket in range(BUCKETS):
            sides: dict[str, set[bytes]] = defaultdict(set)
            pairs: dict[str, int] = defaultdict(int)
            for item in spill.distinct(bag, bucket):
                space = item[2 * _HASH :].decode()
                sides[space].add(item[:_HASH])
                pairs[space] += 1
            for space, found in sides.items():
                total[space] += Tally(0, len(found)) if is_result else Tally(len(found), 0, pairs[space])
    return dict(total)
