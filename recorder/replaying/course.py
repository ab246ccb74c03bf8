"""The part of a certificate that tells how time ran: what was chosen about it, and each time that it changed course."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from recorder.capture.reader import Capture
from recorder.replaying.clock import Anchor, PlayerClock
from recorder.replaying.options import IntraMs, Late, Options, TimeBasis
from recorder.replaying.player import Player
from recorder.replaying.survey import Survey
from recorder.replaying.tally import Failure, Tally


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, beyond rate, gaps and timestamps."""

    held: int | None = None
    """Records in the captures, whatever was chosen; None in certificates from before what was chosen was told."""
    topics_held: int = 0
    partitions: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    """As text; bytes that are none are escaped (``\\xff``). These three, and the window: empty or None is all."""
    window_from_ms: int | None = None
    window_to_ms: int | None = None
    """By the records' own timestamps (half-open)."""
    dead_letters: bool = False
    time_basis: TimeBasis = "create"
    intra_ms: IntraMs = "burst"
    from_ms: int | None = None
    to_ms: int | None = None
    """The part of the timeline (effective times, half-open) that was played; None: to its end."""
    start_offsets: dict[str, int] = {}
    where: str | None = None
    sample: float | None = None
    passes: int = 1
    """0: for ever."""
    loop_delay_ms: int = 0
    records_per_second: float | None = None
    megabits_per_second: float | None = None
    step: bool = False
    late: Late = "catchup"
    late_bound_ms: int | None = None
    """None: there was no bound."""
    read_ahead_bytes: int = 0


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How time ran. Without commands, loops and `late="slow"` there is one anchor: the start."""

    choices: Choices = Choices()
    anchors: tuple[Anchor, ...] = ()
    """Where the plan was set anew, in order: the first 1,000."""
    changes: dict[str, int] = {}
    """All of them, by why."""
    passes: int = 1
    """Passes over the timeline that were begun."""
    repeated: int = 0
    """Records whose turn came again in the same pass, after a seek back."""
    skipped: int = 0
    """Records that a seek jumped over."""
    commanded: int = 0
    """Records sent by step or burst: no lateness is told of them."""
    dropped: int = 0
    """Records not sent because they were too late (`late="drop"`)."""
    drops: tuple[Failure, ...] = ()
    """The first 1,000 of them."""
    slowed_ns: int = 0
    """By how much the plan was put off because records were late (`late="slow"`)."""
    capped: int = 0
    """How often records that were due waited for a cap."""


def choices(options: Options, survey: Survey, captures: Sequence[Capture]) -> Choices:
    """What `options` ask for, of what the captures hold."""
    chosen = options.selection
    return Choices(
        held=sum(capture.manifest.records for capture in captures),
        topics_held=len({topic.name for capture in captures for topic in capture.manifest.topics}),
        partitions=chosen.partitions,
        keys=tuple(key.decode(errors="backslashreplace") for key in chosen.keys),
        window_from_ms=chosen.window.from_ms,
        window_to_ms=chosen.window.to_ms,
        dead_letters=options.dead_letters is not None,
        time_basis=options.time_basis,
        intra_ms=options.intra_ms,
        from_ms=survey.start_ms,
        to_ms=survey.end_ms,
        start_offsets={f"{topic}/{number}": offset for (topic, number), offset in options.start_offsets.items()},
        where=None if options.where is None else options.where.expression,
        sample=options.sample,
        passes=options.loop,
        loop_delay_ms=options.loop_delay_ms,
        records_per_second=options.records_per_second,
        megabits_per_second=options.megabits_per_second,
        step=options.step,
        late=options.late,
        late_bound_ms=None if options.late == "catchup" else options.late_bound_ms,
        read_ahead_bytes=options.read_ahead_bytes,
    )


def course(chosen: Choices, clock: PlayerClock, player: Player, tally: Tally, capped: int) -> Course:
    """How time ran in a replay that is over."""
    return Course(
        choices=chosen,
        anchors=tuple(clock.anchors),
        changes={str(why): times for why, times in clock.changes.items()},
        passes=player.lap + 1,
        repeated=player.coverage.repeated,
        skipped=player.coverage.skipped,
        commanded=player.commanded,
        dropped=tally.dropped,
        drops=tuple(tally.drops),
        slowed_ns=player.slowed_ns,
        capped=capped,
    )
