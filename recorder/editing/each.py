"""Partitions are independent: the same work on each, here or by any `concurrent.futures.Executor`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import Protocol, TypeVar

_T = TypeVar("_T")


class Sized(Protocol):
    """A job that knows how many bytes of segments it works through."""

    @property
    def bytes(self) -> int: ...


_J = TypeVar("_J", bound=Sized)

Progress = Callable[[int], None]
"""Bytes of segments worked through since the last call."""


def each(
    work: Callable[[_J], _T], jobs: Sequence[_J], executor: Executor | None, progress: Progress | None
) -> list[_T]:
    """The results of all jobs, in order."""
    results: Iterable[_T] = map(work, jobs) if executor is None else executor.map(work, jobs)
    done = []
    for job, result in zip(jobs, results, strict=True):
        done.append(result)
        if progress:
            progress(job.bytes)
    return done
