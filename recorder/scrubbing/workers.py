"""Worker processes for scrubbing: none for a small capture, and none left behind when the work is broken off."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait

WORTH_PROCESSES_BYTES = 8 << 20
"""Compressed bytes of segments below which starting processes takes longer than it saves."""
_MOST = 8
_YOUNG = 50_000
"""Objects after which garbage is looked for: batches make thousands, and none of their cycles is large."""


@contextmanager
def workers(segment_bytes: int, wanted: int | None = None, *, apart: bool = False) -> Iterator[Executor | None]:
    """A process pool for work on so many bytes: `wanted` processes, or one for every two processors.

    `apart`: at least one, for code that may end the process it runs in.
    A process takes up to about 800 MB where millions of different values are masked, else less than half of it.
    """
    with _terminating():
        yield from _pool(segment_bytes, wanted, apart)


def _pool(segment_bytes: int, wanted: int | None, apart: bool) -> Iterator[Executor | None]:
    count = wanted or min(_MOST, max(1, (os.cpu_count() or 1) // 2))
    if wanted is None and segment_bytes < WORTH_PROCESSES_BYTES:
        count = 1
    if count < 2 and not apart:
        yield None
        return
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("forkserver"), initializer=_lean)
    try:
        yield pool
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        # Not left to the interpreter's end: it would wake a thread that has closed what it is woken by.
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def _lean() -> None:
    """One process is one processor's work: no threads beside it, and memory goes back when it is free.

    One thread sleeps until the parent is gone: a worker of a killed scrub must not stay, with what it knows.
    """
    import pyarrow as pa

    threading.Thread(target=_follow, daemon=True).start()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def _follow() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _terminating() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does, so that what was begun is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
