"""How the interpreter behaves while records flow: no collector, and threads that get their turn soon.

Both are of the whole process: recordings that overlap share them, and the last one to end gives them back.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_SECONDS = 0.0005
"""The thread that writes needs the interpreter often and briefly: with Python's 5 ms it would wait most of its time."""

_lock = threading.Lock()
_recordings = 0
_before = (False, 0.0)


@contextmanager
def set_for_recording() -> Iterator[None]:
    """Switch the cyclic collector off, since messages make no cycles and it would walk over all of them; and let
    threads hand over the interpreter quickly.
    """
    global _recordings, _before
    with _lock:
        _recordings += 1
        if _recordings == 1:
            _before = gc.isenabled(), sys.getswitchinterval()
            gc.disable()
            sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        with _lock:
            _recordings -= 1
            if _recordings == 0:
                collects, interval = _before
                sys.setswitchinterval(interval)
                if collects:
                    gc.enable()
