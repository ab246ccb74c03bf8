"""What keeps an interpreter and a thread from stalling while every record has its moment."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_TIMERSLACK = 29
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEEP = {_M_TRIM_THRESHOLD: 256 << 20, _M_TOP_PAD: 16 << 20, _M_MMAP_THRESHOLD: 32 << 20}
_DEFAULTS = {_M_TRIM_THRESHOLD: 128 << 10, _M_TOP_PAD: 128 << 10, _M_MMAP_THRESHOLD: 128 << 10}


@contextmanager
def steady_interpreter() -> Iterator[None]:
    """No garbage collection, quick hand-over between threads, exact sleeps, memory at hand: while records are sent."""
    interval = sys.getswitchinterval()
    collecting = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(0.0002)
    try:
        with precise_sleep(), memory_at_hand():
            yield
    finally:
        sys.setswitchinterval(interval)
        gc.unfreeze()
        if collecting:
            gc.enable()


@contextmanager
def precise_sleep() -> Iterator[None]:
    """Ask Linux not to stretch this thread's sleeps by the 50 µs that it adds to group wake-ups."""
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_TIMERSLACK, 0, 0, 0, 0)  # 0 restores the thread's default


@contextmanager
def memory_at_hand() -> Iterator[None]:
    """Ask glibc to keep what is freed: by default it gives the end of its heap back to the system whenever it can, and
    a moment later the system clears the same pages again, one fault each.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    for option, value in _KEEP.items():
        mallopt(option, value)
    try:
        yield
    finally:
        for option, value in _DEFAULTS.items():
            mallopt(option, value)
