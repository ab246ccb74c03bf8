"""A cap on how fast records are taken from the brokers: a token bucket that says how long to rest.

The client fetches ahead, but only as far as its queue is deep: once that is full, brokers are asked for no more than
what is taken here. Bytes are those of keys and values; batches that are compressed on the wire weigh less there.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from recorder.errors import UsageError

BURST_SECONDS = 0.25
"""How much of a second's worth may be taken at once after a pause."""
_SMALLEST_QUEUE_BYTES = 1 << 20  # what one request for records may bring anyway
_LARGEST_QUEUE_BYTES = 32 << 20
_LARGEST_FETCH_BYTES = 8 << 20
_BYTES_PER_MEGABIT = 125_000


class Throttle:
    """Lets `bytes_per_second` pass on average.

    Whoever hands on what was paid for only when `pay` returns, hands on at most bytes_per_second × s plus one bucket
    in any s seconds. The bucket is a quarter of a second's worth, or the largest single payment if that is more.
    """

    def __init__(
        self,
        bytes_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        rest: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._rest = rest
        self._paid_until = float("-inf")
        """When the last byte so far is due, in the clock's seconds."""

    def pay(self, size: int) -> None:
        """Rest until `size` more bytes are due; `rest` may return earlier, as an event's `wait` does when it is set."""
        delay = self.delay(size)
        if delay > 0:
            self._rest(delay)

    def delay(self, size: int) -> float:
        """Book `size` bytes and return in how many seconds they are due."""
        now = self._clock()
        self._paid_until = max(self._paid_until, now - BURST_SECONDS) + size / self._rate
        return max(0.0, self._paid_until - now)


def fetch_ahead(bytes_per_second: float) -> dict[str, str]:
    """Client settings under which no more than a second's worth is fetched ahead (but what one request may bring)."""
    deep = min(_LARGEST_QUEUE_BYTES, max(_SMALLEST_QUEUE_BYTES, int(bytes_per_second)))
    fetch = max(_SMALLEST_QUEUE_BYTES, min(_LARGEST_FETCH_BYTES, deep // 2))
    return {"queued.max.messages.kbytes": str(deep >> 10), "fetch.max.bytes": str(fetch)}


def parse_megabits(megabits: float | None) -> float | None:
    """Bytes per second of `--max-mbps`; UsageError unless it is more than nothing."""
    if megabits is None:
        return None
    if not 0 < megabits < float("inf"):
        raise UsageError(f"--max-mbps {megabits:g} lets nothing pass: give megabits per second, for example 80.")
    return megabits * _BYTES_PER_MEGABIT
