"""What was asked to be recorded, from the words of the command line."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recorder.capture.selection import compile_pattern
from recorder.errors import UsageError
from recorder.kafka.fetching import Isolation
from recorder.kafka.offsets import Place
from recorder.recording.edges import FORMS, Edge, Edges, parse_edges
from recorder.window import Window, format_time, parse_duration

if TYPE_CHECKING:
    from recorder.payloads.registry import Registry

DEFAULT_SLACK_MS = 300_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to record. `names` are literal, `patterns` and `excludes` match whole topic names; UsageError for none."""

    window: Window
    """By time, for what `from_edges` and `to_edges` (None: everything) do not say otherwise."""
    names: Sequence[str] = ()
    patterns: Sequence[str] = ()
    excludes: Sequence[str] = ()
    late_slack_ms: int | None = DEFAULT_SLACK_MS
    """How far beyond the window's end (by time) to look for late records; None: up to the log's end."""
    isolation: Isolation = "read_committed"
    """With read_uncommitted, records of aborted and open transactions are kept too, and marked."""
    state_prologue: bool = False
    """Keep the state of compacted topics before the window as well: the last record of each key."""
    transaction_seconds: float = 10.0
    """How long to wait behind an open transaction before the records that it hides are given up as unread."""
    max_bytes_per_second: float | None = None
    """A cap on how fast keys and values are read."""
    from_edges: Edges | None = None
    to_edges: Edges | None = None
    last: int | None = None
    """Begin so many records before the window's end, in each partition, instead of at a start."""
    starts: Mapping[Place, int] | None = None
    """Offsets to begin at, whatever else is said; a partition that is not named begins at the window's start."""
    live: bool = False
    """Go on until the window's end (for ever where it has none), or until `stop` is set, which is no interruption."""
    registry: Registry | None = None
    """Where the schemas that the records name are fetched from, to be kept with them."""
    from_text: str = ""
    to_text: str = ""
    command: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.names and not self.patterns:
            raise UsageError("No topics chosen: give -t NAME, or -e REGEX (-e '.*' means all).")
        for pattern in (*self.patterns, *self.excludes):
            compile_pattern(pattern)

    @classmethod
    def typed(
        cls, from_texts: Sequence[str], to_texts: Sequence[str], *, tz: str | None, last: int | None = None, **rest: Any
    ) -> Self:
        """From a window as typed, each end of which may be said once for all topics, and for some by name.

        Raises UsageError.
        """
        if last is not None and from_texts:
            raise UsageError("--last and --from both say where to begin: give one of them.")
        if last is None and not from_texts:
            raise UsageError(f"Say where the window starts: --from {FORMS}, or --from beginning; or --last N.")
        starts = Edges() if last is not None else parse_edges(from_texts, "--from", tz)
        ends = parse_edges(to_texts, "--to", tz)
        if ends.default is None:
            ends = replace(ends, default=Edge())
        return cls(
            Window((starts.default or Edge()).time_ms, (ends.default or Edge()).time_ms),
            from_edges=starts,
            to_edges=ends,
            last=last,
            from_text=", ".join(from_texts) if last is None else f"the last {last:,} records of each partition",
            to_text=", ".join(to_texts) or "end",
            **rest,
        )

    def edges(self) -> tuple[Edges, Edges]:
        """Where the windows of all partitions start and end."""
        return self.from_edges or Edges(Edge(self.window.from_ms)), self.to_edges or Edges(Edge(self.window.to_ms))

    def default_directory(self) -> Path:
        """A directory name that tells the window's start, for when none was given."""
        start = self.window.from_ms if self.window.from_ms is not None else time.time_ns() // 1_000_000
        return Path("capture-" + format_time(start).split(".")[0].replace("-", "").replace(":", "") + "Z")


def parse_slack(text: str) -> int | None:
    """Milliseconds of late slack; None for ``all``. Raises UsageError."""
    return None if text == "all" else 0 if text == "0" else parse_duration(text)
