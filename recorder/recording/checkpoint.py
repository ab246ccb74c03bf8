"""What a recording decided before it read the first record; whoever goes on with it must not decide it again."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import msgspec

from recorder.capture.durable import write_atomically
from recorder.capture.manifest import CHECKPOINT_NAME, Note, Prologue
from recorder.capture.schema import FORMAT_VERSION
from recorder.capture.writer import reporting_write_errors
from recorder.errors import CaptureError
from recorder.kafka.fetching import Isolation
from recorder.recording.describe import Facts
from recorder.recording.plan import Plan, Span
from recorder.recording.request import Request
from recorder.window import Window


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The plan and how it is read; `checkpoint.json` (FORMAT.md 18)."""

    format_version: int = FORMAT_VERSION
    facts: Facts
    window: Window
    late_slack_ms: int | None
    spans: tuple[tuple[str, int, Span], ...]
    patterns: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    """Which topics belong to it that are created while the window is open."""
    notes: tuple[Note, ...]
    isolation: Isolation
    state_prologue: bool
    prologues: tuple[tuple[str, int, Prologue], ...] | None = None
    """What was kept of the state before the window; None: not asked for, or not finished."""
    live: bool
    transaction_seconds: float
    max_bytes_per_second: float | None

    @classmethod
    def of(cls, facts: Facts, plan: Plan, request: Request) -> Self:
        return cls(
            facts=facts,
            window=plan.window,
            late_slack_ms=plan.late_slack_ms,
            spans=tuple((*place, span) for place, span in plan.spans.items()),
            patterns=tuple(request.patterns),
            excludes=tuple(request.excludes),
            notes=plan.notes,
            isolation=request.isolation,
            state_prologue=request.state_prologue,
            live=request.live,
            transaction_seconds=request.transaction_seconds,
            max_bytes_per_second=request.max_bytes_per_second,
        )

    @property
    def plan(self) -> Plan:
        topics = {topic.name: topic for topic in self.facts.topics}
        spans = {(topic, partition): span for topic, partition, span in self.spans}
        return Plan(topics, spans, self.window, self.late_slack_ms, self.notes)


def write_checkpoint(root: Path, checkpoint: Checkpoint) -> None:
    """Write, or replace, the plan of the recording in `root`."""
    content = msgspec.json.format(msgspec.json.encode(checkpoint), indent=1) + b"\n"
    with reporting_write_errors(root / CHECKPOINT_NAME):
        write_atomically(root / CHECKPOINT_NAME, content)


def read_checkpoint(root: Path) -> Checkpoint:
    """The plan of the recording in `root`. Raises CaptureError."""
    path = root / CHECKPOINT_NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Checkpoint)
    except OSError as error:
        raise CaptureError(f"Can't read {path}: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CaptureError(
            f"{path} is torn, altered or of another version of this program: {error}. Record the window again."
        ) from None
    if found.format_version != FORMAT_VERSION:
        raise CaptureError(f"{path} has format version {found.format_version}: please upgrade, or record again.")
    return found
