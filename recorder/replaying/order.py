"""Was the order kept? Offsets that the target gave, looked at in the order in which the records were recorded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_TABLE_BITS = 20
_SPREAD = np.int64(-7046029254386353131)  # odd, bits well mixed: lanes with equal keys fall into different places

Ints = npt.NDArray[np.int64]


class OrderWatch:
    """Counts inversions: records whose offset is below that of an earlier record of the same partition or key.

    Memory is bounded: keys share 2^20 places by their hash, so that two keys of one partition may be taken for one.
    `key_inversions` is therefore an upper bound; 0 is exact, and it never exceeds `partition_inversions`.
    """

    def __init__(self, lanes: int) -> None:
        self._highest = np.full(lanes, -1, np.int64)
        self._highest_of_key = np.full(1 << _TABLE_BITS, -1, np.int64)
        self.partition_inversions = 0
        self.key_inversions = 0

    def feed(self, lanes: Ints, key_hashes: Ints, keyed: npt.NDArray[np.bool_], offsets: Ints) -> None:
        """Confirmed records in dispatch order: their target partitions (as lane numbers), keys, target offsets."""
        inverted = self._inverted(lanes, offsets)
        places = (key_hashes ^ lanes * _SPREAD) & ((1 << _TABLE_BITS) - 1)
        self.partition_inversions += len(inverted)
        for row in inverted.tolist():
            if keyed[row]:
                before = offsets[:row][(places[:row] == places[row]) & keyed[:row]]
                highest = max(before.max(initial=-1), self._highest_of_key[places[row]])
                self.key_inversions += int(offsets[row] < highest)
        np.maximum.at(self._highest_of_key, places[keyed], offsets[keyed])

    def _inverted(self, lanes: Ints, offsets: Ints) -> Ints:
        found = [np.empty(0, np.int64)]
        for lane in np.unique(lanes).tolist():
            rows = np.flatnonzero(lanes == lane)
            highest = np.maximum.accumulate(np.concatenate(([self._highest[lane]], offsets[rows])))
            found.append(rows[offsets[rows] < highest[:-1]])
            self._highest[lane] = highest[-1]
        return np.sort(np.concatenate(found))
