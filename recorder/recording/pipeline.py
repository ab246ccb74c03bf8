"""A writer thread: compression and disk work overlap with fetching, in order, with a bounded number of jobs waiting."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Job = Callable[[], None]
_WAITING = 32


class Pipeline:
    """Runs jobs one after the other in one thread. The first error is raised to whoever adds or waits next."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jobs.put(None)
        self._thread.join()
        if error is None:
            self._raise()

    def add(self, job: Job) -> None:
        """Run `job` after all that were added before; waits while too many are waiting."""
        self._raise()
        self._jobs.put(job)

    def wait(self) -> None:
        """Return when every job added so far has run."""
        self._jobs.join()
        self._raise()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if self._error is None:
                    job()
            except BaseException as error:  # noqa: BLE001 - carried to the thread that adds jobs
                self._error = error
            finally:
                self._jobs.task_done()
        self._jobs.task_done()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
