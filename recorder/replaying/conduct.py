"""What a player is told and given: how to play, where records come from and where they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from recorder.kafka.producer import Columns, Refusal, Report
from recorder.replaying.caps import Caps
from recorder.replaying.options import Late
from recorder.replaying.timeline import Piece

Ending = Literal["end", "interrupt", "stop", "late", "error"]


class Source(Protocol):
    """Where pieces come from (a `Timeline`)."""

    def take(self) -> Piece | None: ...

    @property
    def finished(self) -> bool: ...

    def seek(self, to_ms: int, lap: int) -> None: ...


class Publisher(Protocol):
    """Where records go (a `RecordProducer`)."""

    def send(
        self, columns: Columns, reports: Sequence[Report], start: int, stop: int
    ) -> tuple[int, Refusal | None]: ...

    def serve(self, wait_ns: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Conduct:
    """How to play: what to do about lateness, caps, and the time between two passes (real time)."""

    late: Late = "catchup"
    late_bound_ns: int = 100_000_000
    caps: Caps | None = None
    loop_delay_ns: int = 0
    max_gap_ms: int | None = None
    first_ms: int = 0
    """The time of position 0, to which seeks may be relative."""
    first: int = 0
    records: int | None = None
    """The numbers of the timeline's records: the first one's, and how many there are (None: nobody asks)."""
