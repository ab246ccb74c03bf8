"""The floor: what this machine, this client and this broker can do at all, measured just before a replay.

Beside it a certificate's figures show what was ours and what was theirs. Nothing is written into the topics that a
replay writes to: confirmations are only timed in a topic that was named for it; else a request that asks for metadata
stands for them (it makes the same way, but writes nothing). Only there a bare loop can send at the replay's own rate,
which is the floor of its lateness: a timer alone, while client and broker rest, meets fewer stalls.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import repeat
from typing import Literal, Protocol

import msgspec
import numpy as np

from recorder.errors import BlackboxError
from recorder.kafka.producer import (
    Columns,
    IdleProducer,
    KafkaError,
    Message,
    RecordProducer,
    Refusal,
    Report,
    describe,
)
from recorder.replaying.clock import PlayerClock
from recorder.replaying.conduct import Publisher
from recorder.replaying.histogram import Distribution, Histogram
from recorder.replaying.plan import Plan
from recorder.replaying.steadiness import steady_interpreter

LONGEST_NS = 1_600_000_000  # all parts together
SHORTEST_NS = 150_000_000
_SHARE = 0.05  # of the replay's own length
_TICK_NS = 1_000_000
_MOST_ANSWERS = 200
_HAND_OVERS = 1_000
_HAND_OVER_BYTES = 8 << 20
_LOOP_BYTES = 32 << 20
_MOST_AT_ONCE = 100
_LARGEST_VALUE = 64 << 10
_PATIENCE_NS = 5_000_000_000

AckBy = Literal["metadata requests", "produces"]


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """What could not have been better, in nanoseconds."""

    timer: Distribution | None
    """Lateness of waking up at deadlines 1 ms apart, by the replay's own clock, while nothing is sent."""
    bare_loop: Distribution | None = None
    """Lateness of a loop that does nothing but wait and send, evenly and at the replay's mean rate, records of its mean
    size to `ack_topic`; None: nothing was to be written, or nothing has a deadline."""
    hand_over: Distribution | None
    """Giving one record of this capture's mean size to a client."""
    ack: Distribution | None
    """A round trip to the broker."""
    ack_by: AckBy
    ack_topic: str | None = None
    """Where small records were produced to, one at a time, if it was by that."""
    value_bytes: int
    """The size of the records that were handed over."""
    took_ns: int


class Target(Publisher, Protocol):
    """What is measured (a `RecordProducer`)."""

    def ask(self, topic: str, seconds: float) -> None: ...


def budget_ns(duration_ms: float | None) -> int:
    """How long to measure before a replay of that length (None: of no planned length)."""
    share = SHORTEST_NS if duration_ms is None else duration_ms * 1e6 * _SHARE
    return int(min(max(share, SHORTEST_NS), LONGEST_NS))


def calibrate_for(plan: Plan, producer: RecordProducer, clock: PlayerClock, stopped: Callable[[], bool]) -> Floor:
    """The floor for a replay that is about to begin, of at least one record; see `calibrate`."""
    wanted, survey = plan.options.calibrate_topic, plan.survey
    if wanted is not None:
        producer.warm_up([wanted])
    with IdleProducer() as idle, steady_interpreter():
        return calibrate(
            producer,
            idle,
            clock,
            topic=wanted or next(name for name, needed in plan.routes.partitions.items() if needed),
            produce=wanted is not None,
            value_bytes=survey.bytes // survey.records,
            budget=budget_ns(plan.pass_ms if plan.options.pace else None),
            per_second=survey.records / max(plan.pass_ms or 0.0, 1.0) * 1e3 if plan.options.pace else None,
            stopped=stopped,
        )


def calibrate(
    target: Target,
    idle: Publisher,
    clock: PlayerClock,
    *,
    topic: str,
    produce: bool,
    value_bytes: int,
    budget: int,
    per_second: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Floor:
    """Measure for about `budget` nanoseconds. `idle` takes records without sending them anywhere.

    `topic` is where to produce, or else what to ask for. Raises BlackboxError when it can't be written to.
    """
    began = clock.now()
    size = min(max(value_bytes, 1), _LARGEST_VALUE)
    loops = produce and per_second is not None
    share = budget // 4 if loops else budget // 2
    timer = _timer(target, clock, share, stopped)
    hand_over = _hand_over(idle, clock, size, stopped)
    until = clock.now() + share
    ack = (_produces if produce else _requests)(target, clock, topic, until, stopped)
    bare_loop = Histogram()
    if loops and per_second is not None:
        bare_loop = _bare_loop(target, clock, _columns(topic, size, _MOST_AT_ONCE), per_second, budget // 2, stopped)
    return Floor(
        timer=timer.distribution(),
        bare_loop=bare_loop.distribution(),
        hand_over=hand_over.distribution(),
        ack=ack.distribution(),
        ack_by="produces" if produce else "metadata requests",
        ack_topic=topic if produce else None,
        value_bytes=size,
        took_ns=clock.now() - began,
    )


def _timer(target: Target, clock: PlayerClock, budget: int, stopped: Callable[[], bool]) -> Histogram:
    lateness = array("q")
    started = clock.now() + _TICK_NS
    for deadline in range(started, started + budget, _TICK_NS):
        if not clock.sleep_until(deadline, target.serve, stopped):
            break
        lateness.append(clock.now() - deadline)
    return _counted(lateness)


def _hand_over(idle: Publisher, clock: PlayerClock, size: int, stopped: Callable[[], bool]) -> Histogram:
    records = max(1, min(_HAND_OVERS, _HAND_OVER_BYTES // size))
    columns = _columns("calibration", size, records)
    reports: list[Report] = [_ignore] * records
    took = array("q")
    for row in range(records):
        if stopped():
            break
        before = clock.now()
        idle.send(columns, reports, row, row + 1)
        took.append(clock.now() - before)
    return _counted(took)


def _requests(target: Target, clock: PlayerClock, topic: str, until: int, stopped: Callable[[], bool]) -> Histogram:
    took = array("q")
    while len(took) < _MOST_ANSWERS and not stopped() and (not took or clock.now() < until):
        before = clock.now()
        target.ask(topic, _PATIENCE_NS / 1e9)
        took.append(clock.now() - before)
    return _counted(took)


def _produces(target: Target, clock: PlayerClock, topic: str, until: int, stopped: Callable[[], bool]) -> Histogram:
    """One small record at a time, each confirmed before the next."""
    columns, took = _columns(topic, 1, 1), array("q")
    while len(took) < _MOST_ANSWERS and not stopped() and (not took or clock.now() < until):
        heard: list[tuple[int, KafkaError | None]] = []

        def report(error: KafkaError | None, _: Message, heard: list[tuple[int, KafkaError | None]] = heard) -> None:
            heard.append((clock.now(), error))

        before = clock.now()
        _, refusal = target.send(columns, [report], 0, 1)
        while refusal is None and not heard and clock.now() - before < _PATIENCE_NS:
            target.serve(_TICK_NS)
        why = _why(refusal, heard[0][1] if heard else None)
        if why or not heard:
            raise BlackboxError(
                f"Can't calibrate by producing to {topic}: {why or 'it was not confirmed in 5 s'}. "
                "Leave --calibrate-topic out, or give --no-calibration."
            )
        took.append(heard[0][0] - before)
    return _counted(took)


def _bare_loop(
    target: Target, clock: PlayerClock, columns: Columns, per_second: float, budget: int, stopped: Callable[[], bool]
) -> Histogram:
    """At most `_LOOP_BYTES` of records, those of one millisecond at once."""
    heard: list[None] = []

    def report(error: KafkaError | None, message: Message) -> None:
        heard.append(None)

    at_once = max(1, min(_MOST_AT_ONCE, round(per_second * _TICK_NS / 1e9)))
    tick = max(_TICK_NS, round(at_once * 1e9 / per_second))
    reports: list[Report] = [report] * at_once
    left = max(1, _LOOP_BYTES // len(columns.values[0] or b"0"))
    lateness, sent = array("q"), 0
    started = clock.now() + _TICK_NS
    for deadline in range(started, started + budget, tick):
        if left < at_once or not clock.sleep_until(deadline, target.serve, stopped):
            break
        taken, _ = target.send(columns, reports, 0, at_once)
        lateness.append(clock.now() - deadline)
        sent, left = sent + taken, left - taken
    given_up = clock.now() + _PATIENCE_NS
    while len(heard) < sent and clock.now() < given_up and not stopped():
        target.serve(_TICK_NS)
    return _counted(lateness)


def _why(refusal: Refusal | None, error: KafkaError | None) -> str | None:
    if refusal is not None:
        return refusal.error
    return None if error is None else describe(error)


def _columns(topic: str, size: int, records: int) -> Columns:
    none: list[None] = list(repeat(None, records))
    return Columns([topic] * records, [0] * records, [*none], [b"0" * size] * records, [*none], [0] * records)


def _counted(durations: array[int]) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array(durations, np.int64))
    return histogram


def _ignore(error: KafkaError | None, message: Message) -> None:
    """Records that go nowhere are reported as purged; nobody waits for them."""
