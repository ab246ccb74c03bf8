"""Two originals must never become one: hashes of what went in and what came out, counted per space.

In every space (a domain, the keys of a topic) there must be as many different results as originals; and the same
original must not have two results, or a person would fall apart. Pairs of hashes are spilled as they come, with
repeats, and counted a share at a time, so that their number costs no memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from desensitizers.proof.spill import Spill, SpillWriter

PAIRS = "pairs"
_MARK = b"\x00"
_AT_ONCE = 4_000_000
"""Pairs counted at a time: 64 MB, and as much again while they are sorted."""

Pairs = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Tally:
    """A space: how many different originals, results and (original, result) pairs it has."""

    originals: int = 0
    results: int = 0
    pairs: int = 0

    @property
    def one_to_one(self) -> bool:
        return self.originals == self.results == self.pairs


def write(writer: SpillWriter, pairs: Mapping[str, list[bytes]]) -> None:
    """Spills what `Findings.pairs` gathered; the writer must have one bucket."""
    for space, found in pairs.items():
        writer.add(space.encode() + _MARK + b"".join(found))


def tally(spill: Spill) -> dict[str, Tally]:
    """Per space, over everything spilled."""
    sizes: dict[str, int] = defaultdict(int)
    for block in spill.blocks(PAIRS):
        for item in block:
            space, _, found = item.partition(_MARK)
            sizes[space.decode()] += len(found) // 16
    return {space: _count(spill, space, -(-size // _AT_ONCE)) for space, size in sorted(sizes.items())}


def _count(spill: Spill, space: str, shares: int) -> Tally:
    total = Tally()
    same = True
    for share in range(shares):
        by_original = _share(spill, space, 0, share, shares)
        same &= bool((by_original[:, 0] == by_original[:, 1]).all())
        found = count(by_original)
        total = Tally(total.originals + found.originals, total.results + found.results, total.pairs + found.pairs)
    if shares == 1 or same:  # shares of originals are shares of results then
        return total
    results = sum(count(_share(spill, space, 1, share, shares)).results for share in range(shares))
    return Tally(total.originals, results, total.pairs)


def count(pairs: Pairs) -> Tally:
    """Of (n, 2) hashes of an original and its result, with repeats."""
    order = np.argsort(pairs[:, 0])
    before, after = pairs[order, 0], pairs[order, 1]
    other = _changes(before)
    split = int((_changes(after) & ~other).any()) and len(np.unique(pairs, axis=0))
    originals = int(other.sum()) + bool(len(pairs))
    results = int(_changes(np.sort(after)).sum()) + bool(len(pairs))
    return Tally(originals, results, split or originals)


def _changes(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Where a number is another than the one before: sorted, this counts a hundred times faster than a set of them."""
    found: npt.NDArray[np.bool_] = numbers[1:] != numbers[:-1]
    return found


def _share(spill: Spill, space: str, side: int, share: int, shares: int) -> Pairs:
    """The pairs of a space whose original (side 0) or result (side 1) falls into one of so many shares."""
    prefix = space.encode() + _MARK
    found = []
    for block in spill.blocks(PAIRS):
        for item in block:
            if item.startswith(prefix):
                pairs = np.frombuffer(item, "<u8", offset=len(prefix)).reshape(-1, 2)
                found.append(pairs if shares == 1 else pairs[pairs[:, side] % shares == share])
    return np.ascontiguousarray(np.concatenate(found)) if found else np.empty((0, 2), np.uint64)
