"""Sending the state before the window: as fast as caps and target allow, and all of it confirmed before T0."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from recorder.errors import CaptureError
from recorder.kafka.producer import RecordProducer
from recorder.kafka.transactions import TransactionalProducer, end_what_is_open
from recorder.replaying.caps import Caps
from recorder.replaying.chain import chain
from recorder.replaying.changes import ChangeError
from recorder.replaying.clock import PlayerClock
from recorder.replaying.conduct import Conduct, Ending
from recorder.replaying.middleware import Middleware
from recorder.replaying.patience import Patience
from recorder.replaying.plan import Plan
from recorder.replaying.player import Player
from recorder.replaying.prologue import PrologueCount, StateBefore
from recorder.replaying.tally import Tally
from recorder.replaying.timeline import Timeline

_PIECE_RECORDS = 2_048


@dataclass(frozen=True, slots=True)
class Opened:
    """How it went; unless `ending` is ``end``, nothing may follow."""

    count: PrologueCount
    ending: Ending = "end"
    error: str | None = None


def new_producer(plan: Plan, replay_id: str, *, paced: bool, only_failures: bool = False) -> RecordProducer:
    """The producer that the plan's options ask for; KafkaUnavailableError when there is no talking to the target."""
    connection, steps = plan.cluster.connection, plan.options.transactional
    if steps is None:
        return RecordProducer(connection, limits=plan.limits, paced=paced, only_failures=only_failures)
    return TransactionalProducer(
        connection,
        limits=plan.limits,
        paced=paced,
        name=_transactional_id(replay_id),
        records=steps.records,
        milliseconds=steps.milliseconds,
    )


def end_earlier_part(plan: Plan, replay_id: str) -> None:
    """Where the replay goes on that was sending in transactions: what it left open is aborted, and if it still runs
    somewhere, it can send no more. Raises BlackboxError."""
    if plan.options.transactional is not None:
        end_what_is_open(plan.cluster.connection, _transactional_id(replay_id))


def _transactional_id(replay_id: str) -> str:
    return f"blackbox-replay-{replay_id}"


def opened(plan: Plan, replay_id: str, stopped: Callable[[], bool], *, resumed: bool) -> Opened | None:
    """Send the state that the plan has; None when there is none. A resumed replay has sent it: it left nothing to
    resume from before.

    Raises KafkaUnavailableError.
    """
    before = plan.before
    if before is None:
        return Opened(PrologueCount(records=plan.state_held, sent="no")) if plan.state_held else None
    if resumed:
        return Opened(PrologueCount(records=before.survey.records, sent="earlier"))
    producer = new_producer(plan, replay_id, paced=False)
    producer.warm_up([name for name, needed in plan.routes.partitions.items() if needed])
    return _send(plan, before, replay_id, producer, stopped)


def _send(
    plan: Plan, before: StateBefore, replay_id: str, producer: RecordProducer, stopped: Callable[[], bool]
) -> Opened:
    options, clock = plan.options, PlayerClock(None)
    routes = before.routes.resized(plan.routes.sizes)
    tally = Tally(routes.topics, routes.lanes, paced=False, now=clock.now)
    patience = Patience(producer, tally, clock)
    middleware = None if options.middleware is None else Middleware(options.middleware)
    capped = options.records_per_second or options.megabits_per_second
    timeline = Timeline(
        before.streams,
        routes,
        before.survey,
        piece_records=_PIECE_RECORDS,
        changes=chain(plan, replay_id, middleware=middleware, streams=before.streams),
    )
    if options.timestamps == "shift" and plan.survey.first_ms is not None:
        timeline.shift_ms = time.time_ns() // 1_000_000 - plan.survey.first_ms
    player = Player(
        timeline,
        clock,
        producer,
        tally,
        stopped=lambda: patience.over or stopped(),
        tick=patience.look,
        conduct=Conduct(
            caps=Caps(options.records_per_second, options.bytes_per_second) if capped else None,
            first=before.survey.first_number,
            records=before.survey.records,
        ),
    )
    with ExitStack() as stack:
        if middleware is not None:
            stack.enter_context(middleware)
        stack.enter_context(timeline)
        if middleware is not None:
            stack.callback(middleware.abandon)
        timeline.wait()
        clock.start()
        try:
            ending = player.play()
        except (CaptureError, ChangeError) as error:
            ending, player.error = "error", str(error)
        patience.confirm(lambda: ending != "end" or stopped(), patience.look)
    failure = producer.commit() if isinstance(producer, TransactionalProducer) else None
    tally.settle(force=True)
    changes = player.changes.counts()
    count = PrologueCount(
        records=before.survey.records,
        sent="before",
        acked=producer.committed_records if isinstance(producer, TransactionalProducer) else tally.acked,
        failed=tally.failed,
        left_out=sum(changes.left_out.values()),
        added=changes.added,
        shifted_by_ms=timeline.shift_ms,
        timestamp_0_sent_as_1=timeline.raised_to_1,
        took_ns=clock.now() - clock.started_ns,
        failures=tuple(tally.failures),
    )
    if patience.over or failure:
        return Opened(count, "error", failure or patience.sentence)
    if ending == "end" and count.missing:
        ending = "interrupt" if stopped() else "error"
        player.error = None if stopped() else _incomplete(count)
    return Opened(count, ending, player.error)


def _incomplete(count: PrologueCount) -> str:
    why = f" ({count.failures[0].error})" if count.failures else ""
    return (
        f"{count.missing:,} of the {count.records:,} records of the state before the window were not confirmed{why}: "
        "nothing of the window was sent"
    )
