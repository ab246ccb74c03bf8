"""SIGUSR1 as a trigger: the handler only notes the time, the watcher's loop does the rest."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def signalled() -> Iterator[deque[int]]:
    """Epoch milliseconds of each SIGUSR1 that arrives; call it in the main thread."""
    arrived: deque[int] = deque()
    previous = signal.signal(signal.SIGUSR1, lambda _number, _frame: arrived.append(time.time_ns() // 1_000_000))
    try:
        yield arrived
    finally:
        signal.signal(signal.SIGUSR1, previous)
