"""Writer threads: compression and disk work overlap with fetching, in order by partition, and what waits is bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Self

Job = Callable[[], None]
WAITING_BYTES = 32 << 20
WRITERS = 2
"""Two write what one thread fetches and takes apart, as long as compression needs more than the interpreter does."""
_WAITING_JOBS = 1_000


class Pipeline:
    """Runs jobs in a few threads, those of one key one after the other. The first error is raised to whoever adds or
    waits next, and nothing runs after it.

    No more than one of so many `processes` may hold waits at a time.
    """

    def __init__(self, processes: int = 1) -> None:
        self._most_bytes = WAITING_BYTES // processes
        self._lanes: list[deque[tuple[Job, int]]] = [deque() for _ in range(WRITERS)]
        self._lane_of: dict[Hashable, int] = {}
        self._bytes = 0
        self._running = 0
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, args=(lane,), name="writer", daemon=True) for lane in self._lanes
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            if error is not None:
                for lane in self._lanes:
                    lane.clear()  # nobody wants their result any more
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        if error is None:
            self._raise()

    def add(self, job: Job, size: int = 0, key: Hashable = None) -> None:
        """Run `job`, which holds `size` bytes, after all of its key that were added before; waits while too much is
        waiting.
        """
        with self._changed:
            self._changed.wait_for(self._has_room)
            self._raise()
            self._lanes[self._lane_of.setdefault(key, len(self._lane_of) % WRITERS)].append((job, size))
            self._bytes += size
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when every job added so far has run."""
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or not (any(self._lanes) or self._running))
            self._raise()

    def _has_room(self) -> bool:
        waiting = sum(map(len, self._lanes))
        return self._error is not None or (self._bytes < self._most_bytes and waiting < _WAITING_JOBS)

    def _run(self, lane: deque[tuple[Job, int]]) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(lane) or self._closed or self._error is not None)
                if not lane or self._error is not None:
                    return
                job, size = lane.popleft()
                self._running += 1
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - carried to the thread that adds jobs
                self._error = self._error or error
            del job
            with self._changed:
                self._running -= 1
                self._bytes -= size
                self._changed.notify_all()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
