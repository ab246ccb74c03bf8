"""Counting durations in bounded memory: a histogram whose buckets grow with the value, as HdrHistogram's do.

A float's leading bits are its exponent and first mantissa digits, so one shift finds the bucket of a whole array.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

_MANTISSA_BITS = 7
RELATIVE_ERROR = 2.0**-_MANTISSA_BITS
"""A percentile is the upper edge of its bucket: never below the true value, and less than this fraction above it."""

_SHIFT = 52 - _MANTISSA_BITS  # a float64 has 52 mantissa bits
_BASE = 1023 << _MANTISSA_BITS  # the bucket of 1.0
_BUCKETS = 62 << _MANTISSA_BITS
_LONGEST = (1 << 62) - (1 << 53)  # 146 years; the highest bucket's last value that a float64 holds

Nanoseconds = npt.NDArray[np.int64]


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate keeps of durations, in nanoseconds; `buckets` are (upper edge, count), empty ones left out."""

    count: int
    mean_ns: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    buckets: tuple[tuple[int, int], ...]


class Histogram:
    """Durations in nanoseconds; whole arrays go in, percentiles come out."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)
        self._sum = 0.0
        self.count = 0
        self.max_ns = 0

    def record(self, durations: Nanoseconds) -> None:
        """Count an array of durations; what is below 1 ns counts as 1 ns."""
        if not len(durations):
            return
        bounded = np.clip(durations, 1, _LONGEST)
        buckets = (bounded.astype(np.float64).view(np.int64) >> _SHIFT) - _BASE
        low, high = int(buckets.min()), int(buckets.max())
        self._counts[low : high + 1] += np.bincount(buckets - low)
        self._sum += float(bounded.sum(dtype=np.float64))
        self.count += len(bounded)
        self.max_ns = max(self.max_ns, int(bounded.max()))

    def percentile(self, percent: float) -> int:
        """The smallest duration that `percent` of all don't exceed, by `RELATIVE_ERROR`; 0 when nothing was counted."""
        if not self.count:
            return 0
        rank = max(1, int(np.ceil(self.count * percent / 100)))
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        return min(_upper_edge(bucket), self.max_ns)

    def distribution(self) -> Distribution | None:
        """A summary to keep; None when nothing was counted."""
        if not self.count:
            return None
        return Distribution(
            count=self.count,
            mean_ns=round(self._sum / self.count),
            p50_ns=self.percentile(50),
            p90_ns=self.percentile(90),
            p99_ns=self.percentile(99),
            p999_ns=self.percentile(99.9),
            max_ns=self.max_ns,
            buckets=tuple(
                (_upper_edge(int(bucket)), int(self._counts[bucket])) for bucket in np.flatnonzero(self._counts)
            ),
        )


def _upper_edge(bucket: int) -> int:
    """The largest integer that falls into a bucket."""
    exponent, step = divmod(bucket + 1, 1 << _MANTISSA_BITS)
    edge = ((1 << _MANTISSA_BITS) + step) << exponent
    return max(1, -(-edge >> _MANTISSA_BITS) - 1)
