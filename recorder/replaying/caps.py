"""`--pps` and `--mbps`: how fast records may leave at most, over all topics together and whatever the plan says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_TOLERANCE_NS = 10_000_000  # what a wait that took too long may be made up for
_NS_PER_SECOND = 1_000_000_000

Floats = npt.NDArray[np.float64]


class Caps:
    """Each record takes up the line for a time by its share of the caps; the next may go when the line is free.

    `records_per_second` and `bytes_per_second`: None is no cap. Sizes are those of key, value and headers.
    """

    def __init__(self, records_per_second: float | None, bytes_per_second: float | None) -> None:
        self._per_record = _NS_PER_SECOND / records_per_second if records_per_second else 0.0
        self._per_byte = _NS_PER_SECOND / bytes_per_second if bytes_per_second else 0.0
        self._free_ns = 0.0
        self.waits = 0
        """How often records that were due had to wait."""

    @property
    def free_ns(self) -> int:
        """The steady time from which the next record may go."""
        return int(self._free_ns) + 1

    def costs(self, sizes: npt.NDArray[np.int64]) -> Floats:
        """How long each record takes up the line, in nanoseconds."""
        costs: Floats = np.maximum(self._per_record, sizes * self._per_byte)
        return costs

    def fitting(self, costs: Floats, now_ns: int) -> int:
        """How many of these records, in order, may go now."""
        free = max(self._free_ns, now_ns - _TOLERANCE_NS)
        begins = free + np.cumsum(costs) - costs
        fitting = int(np.searchsorted(begins, now_ns, side="right"))
        self.waits += int(fitting < len(costs))
        return fitting

    def spend(self, costs: Floats, now_ns: int) -> None:
        """These records went."""
        self._free_ns = max(self._free_ns, now_ns - _TOLERANCE_NS) + float(costs.sum())
