"""Ctrl-C and SIGTERM as a request to end well: seal or tidy up what is there, then exit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; a second Ctrl-C interrupts at once."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def end_as_by_ctrl_c() -> None:
    """Let SIGTERM do what Ctrl-C does: a DuckDB at work does not hear a signal, Python does, and still tidies up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
