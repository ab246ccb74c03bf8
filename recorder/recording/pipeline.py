"""A writer thread: compression and disk work overlap with fetching, in order, with a bounded amount of work waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

Job = Callable[[], None]
WAITING_BYTES = 32 << 20
_WAITING_JOBS = 1_000


class Pipeline:
    """Runs jobs one after the other in one thread. The first error is raised to whoever adds or waits next.

    No more than one of so many `processes` may hold waits at a time.
    """

    def __init__(self, processes: int = 1) -> None:
        self._most_bytes = WAITING_BYTES // processes
        self._jobs: deque[tuple[Job, int]] = deque()
        self._bytes = 0
        self._running = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            if error is not None:
                self._jobs.clear()  # nobody wants their result any more
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        if error is None:
            self._raise()

    def add(self, job: Job, size: int = 0) -> None:
        """Run `job`, which holds `size` bytes, after all that were added before; waits while too much is waiting."""
        with self._changed:
            self._changed.wait_for(self._has_room)
            self._raise()
            self._jobs.append((job, size))
            self._bytes += size
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when every job added so far has run."""
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or not (self._jobs or self._running))
            self._raise()

    def _has_room(self) -> bool:
        return self._error is not None or (self._bytes < self._most_bytes and len(self._jobs) < _WAITING_JOBS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs) or self._closed)
                if not self._jobs:
                    return
                job, size = self._jobs.popleft()
                self._running = True
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - carried to the thread that adds jobs
                self._error = error
            del job
            with self._changed:
                self._running = False
                self._bytes -= size
                self._changed.notify_all()
                if self._error is not None:
                    return

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
