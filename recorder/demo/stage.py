"""How the demo speaks: a stage with titles, sentences, tables and progress, so that the story knows no terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Meter(Protocol):
    """Progress of one piece of work."""

    def show(self, *, completed: float | None = None, total: float | None = None, note: str | None = None) -> None: ...


class Stage(Protocol):
    """Where the demo's story is told."""

    def title(self, text: str) -> None:
        """A new chapter begins."""

    def say(self, text: str) -> None:
        """A line of the story."""

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """An answer in rows."""

    def working(self, text: str, total: float | None = None) -> AbstractContextManager[Meter]:
        """Work that takes a while."""
