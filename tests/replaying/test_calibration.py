"""The floor is measured by the replay's own clock and means, in bounded time, and never in the replay's topics."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from recorder.errors import BlackboxError, UsageError
from recorder.kafka.producer import Columns, Refusal, Report
from recorder.replaying.calibration import LONGEST_NS, SHORTEST_NS, Floor, budget_ns, calibrate
from recorder.replaying.clock import PlayerClock
from recorder.replaying.preflight import check_calibration_topic
from tests.replaying.stage import MS, FakeTime, MemoryTarget

QUARTER_SECOND = 250 * MS


class Target(MemoryTarget):
    """Answers a request in 3 ms."""

    def ask(self, topic: str, seconds: float) -> None:
        self.time.ns += 3 * MS


class Idle:
    """Takes each record in 2 µs."""

    def __init__(self, time: FakeTime) -> None:
        self.time = time
        self.bytes = 0

    def send(self, columns: Columns, reports: Sequence[Report], start: int, stop: int) -> tuple[int, Refusal | None]:
        self.time.ns += 2_000 * (stop - start)
        self.bytes += sum(len(value or b"") for value in columns.values[start:stop])
        return stop - start, None

    def serve(self, wait_ns: int) -> None:
        self.time.ns += wait_ns


def measure(*, produce: bool = False, per_second: float | None = None, **target: object) -> tuple[Floor, Target, Idle]:
    time = FakeTime(overshoot_ns=40_000)
    memory, idle = Target(time, **target), Idle(time)  # type: ignore[arg-type]
    clock = PlayerClock(1.0, now=time.now, pause=time.pause, wall=time.now)
    floor = calibrate(
        memory,
        idle,
        clock,
        topic="cal",
        produce=produce,
        value_bytes=100,
        budget=QUARTER_SECOND,
        per_second=per_second,
    )
    return floor, memory, idle


def test_each_part_is_what_it_says() -> None:
    floor, target, idle = measure()
    assert floor.timer is not None
    assert floor.timer.count == 125
    assert floor.timer.max_ns <= 240_000  # a fine step and its overshoot
    assert floor.hand_over is not None
    assert floor.hand_over.max_ns == 2_000
    assert idle.bytes == 100 * floor.hand_over.count
    assert floor.ack is not None
    assert floor.ack.max_ns == 3 * MS
    assert (floor.ack_by, floor.ack_topic) == ("metadata requests", None)
    assert floor.took_ns < QUARTER_SECOND + 20 * MS
    assert target.sent == []


def test_with_a_topic_of_its_own_small_records_are_confirmed_there_one_by_one() -> None:
    floor, target, _ = measure(produce=True, ack_ns=2 * MS)
    assert (floor.ack_by, floor.ack_topic) == ("produces", "cal")
    assert floor.ack is not None
    assert floor.ack.count == len(target.sent)
    assert {topic for _, topic, _, _ in target.sent} == {"cal"}
    assert floor.ack.p50_ns == 2 * MS


def test_there_a_bare_loop_sends_at_the_replays_rate_too_and_waits_for_all() -> None:
    floor, target, _ = measure(produce=True, per_second=5_000.0, ack_ns=2 * MS)
    assert floor.bare_loop is not None
    assert floor.bare_loop.count == 125  # milliseconds, half of the time
    assert floor.bare_loop.max_ns <= 240_000
    assert floor.ack is not None
    assert len(target.sent) == 125 * 5 + floor.ack.count
    assert target.holds == 0
    assert {topic for _, topic, _, _ in target.sent} == {"cal"}
    assert floor.took_ns < QUARTER_SECOND + 20 * MS


@pytest.mark.parametrize(("per_second", "loops"), [(10.0, 2), (0.1, 1)])
def test_a_slow_rhythm_is_waited_for_no_longer_than_it_may_take(per_second: float, loops: int) -> None:
    floor, _, _ = measure(produce=True, per_second=per_second)
    assert floor.bare_loop is not None
    assert floor.bare_loop.count == loops


def test_without_a_topic_no_loop_sends_anything() -> None:
    floor, target, _ = measure(per_second=5_000.0)
    assert floor.bare_loop is None
    assert target.sent == []


def test_a_topic_that_refuses_them_is_named() -> None:
    with pytest.raises(BlackboxError, match=r"cal: MSG_SIZE_TOO_LARGE.*--no-calibration"):
        measure(produce=True, failing=[b"0"])
    with pytest.raises(BlackboxError, match="cal: no"):
        measure(produce=True, refused=[b"0"])


def test_the_replays_own_topics_are_refused_and_none_is_created() -> None:
    with pytest.raises(UsageError, match="writes to"):
        check_calibration_topic("orders", {"orders"}, exists=True)
    with pytest.raises(BlackboxError, match="does not exist"):
        check_calibration_topic("cal", {"orders"}, exists=False)
    check_calibration_topic("cal", {"orders"}, exists=True)


def test_a_short_replay_is_not_kept_waiting_and_a_long_one_not_for_long() -> None:
    assert budget_ns(None) == budget_ns(100.0) == SHORTEST_NS
    assert budget_ns(10_000.0) == 500 * MS
    assert budget_ns(1e9) == LONGEST_NS < 2_000 * MS
