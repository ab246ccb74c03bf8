"""What was asked to be recorded, from the words of the command line."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.selection import compile_pattern
from recorder.errors import UsageError
from recorder.kafka.offsets import Place
from recorder.window import TIME_FORMS, Window, format_time, parse_duration, parse_time

DEFAULT_SLACK_MS = 300_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to record. `names` are literal, `patterns` and `excludes` match whole topic names; UsageError for none."""

    window: Window
    names: Sequence[str] = ()
    patterns: Sequence[str] = ()
    excludes: Sequence[str] = ()
    late_slack_ms: int | None = DEFAULT_SLACK_MS
    """How far beyond the window's end (by time) to look for late records; None: up to the log's end."""
    transaction_seconds: float = 10.0
    """How long to wait behind an open transaction before the records that it hides are given up as unread."""
    max_bytes_per_second: float | None = None
    """A cap on how fast keys and values are read."""
    starts: Mapping[Place, int] | None = None
    """Offsets to begin at; a partition that is not named begins at the window's start."""
    live: bool = False
    """Go on until the window's end (for ever where it has none), or until `stop` is set, which is no interruption."""
    from_text: str = ""
    to_text: str = ""
    command: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.names and not self.patterns:
            raise UsageError("No topics chosen: give -t NAME, or -e REGEX (-e '.*' means all).")
        for pattern in (*self.patterns, *self.excludes):
            compile_pattern(pattern)

    def default_directory(self) -> Path:
        """A directory name that tells the window's start, for when none was given."""
        start = self.window.from_ms if self.window.from_ms is not None else time.time_ns() // 1_000_000
        return Path("capture-" + format_time(start).split(".")[0].replace("-", "").replace(":", "") + "Z")


def parse_window(from_text: str | None, to_text: str, tz: str | None) -> Window:
    """The window as typed: ``beginning`` and ``end`` are open ends. Raises UsageError."""
    if from_text is None:
        raise UsageError(f"Say where the window starts: --from {TIME_FORMS}, or --from beginning.")
    now_ms = time.time_ns() // 1_000_000
    return Window(
        None if from_text in {"beginning", "earliest"} else parse_time(from_text, now_ms=now_ms, tz=tz),
        None if to_text in {"end", "latest"} else parse_time(to_text, now_ms=now_ms, tz=tz),
    )


def parse_slack(text: str) -> int | None:
    """Milliseconds of late slack; None for ``all``. Raises UsageError."""
    return None if text == "all" else 0 if text == "0" else parse_duration(text)
