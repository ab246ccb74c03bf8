"""Reading ahead in a thread, within a bound of bytes, so that the schedule never waits for a disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from recorder.window import format_duration

STARVED_NS = 20_000_000  # what a slow disk may cost without a word about it


def advice(starved_ns: int, read_ahead_bytes: int) -> str | None:
    """What to do when records were due so long before they were read; None when that is not worth a word."""
    if starved_ns <= STARVED_NS:
        return None
    larger = max(1, round(2 * read_ahead_bytes / 1e6))
    return f"records were due {format_duration(starved_ns / 1e6)} before they were read: give --read-ahead {larger}MB"


class Sized(Protocol):
    """Something that takes memory."""

    @property
    def nbytes(self) -> int: ...


Batch = TypeVar("Batch", bound=Sized)


class ReadAhead(Generic[Batch]):
    """Runs an iterator of batches ahead of its user. A context manager: leaving it ends the thread.

    Holds up to `limit_bytes` of batches and one more. The thread works inside Arrow almost all of its time, which
    lets go of the interpreter's lock.
    """

    def __init__(self, batches: Iterator[Batch], limit_bytes: int) -> None:
        self._batches = batches
        self._limit = limit_bytes
        self._ready: deque[Batch] = deque()
        self._bytes = 0
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._thread.join()

    def close(self) -> None:
        """Ask the thread to end, without waiting for it; what it read is let go."""
        with self._changed:
            self._closed = True
            self._bytes = 0
            self._ready.clear()
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """All was read and taken."""
        with self._changed:
            return self._ended and not self._ready and self._error is None

    def take(self) -> Batch | None:
        """The next batch, or None when there is none yet (or no more, see `finished`). Raises what reading raised."""
        with self._changed:
            if not self._ready:
                if self._error is not None:
                    raise self._error
                return None
            batch = self._ready.popleft()
            self._bytes -= batch.nbytes
            self._changed.notify_all()
            return batch

    def wait(self) -> None:
        """Return when there is something to take, or the end, or an error."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended)

    def _run(self) -> None:
        try:
            for batch in self._batches:
                with self._changed:
                    if not self._closed:
                        self._ready.append(batch)
                        self._bytes += batch.nbytes
                        self._changed.notify_all()
                        self._changed.wait_for(lambda: self._closed or self._bytes <= self._limit)
                if self._closed:
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the thread that takes
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
