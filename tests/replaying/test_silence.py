"""A client that tells only of failures: every record still gets its account, and nothing counts that it still holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recorder.capture.manifest import Topic
from recorder.replaying.dead_letters import DeadLetters
from recorder.replaying.frontier import Frontier
from recorder.replaying.objectives import parse_objectives
from recorder.replaying.options import Options
from recorder.replaying.silence import Silence, may_be_silent
from recorder.replaying.state import Point
from recorder.replaying.tally import Tally
from tests.replaying.stage import MS, FakeTime, Pieces, number, play

START = Point(lap=0, number=0, offsets=(100, 200), acked=(0,))


def test_what_did_not_fail_and_is_not_held_any_more_is_confirmed() -> None:
    failing = [number(10), number(4_321)]
    played = play(Pieces(range(5_000), partitions=3), rate=None, partitions=3, silent=True, failing=failing)
    assert played.numbers == list(range(5_000))
    assert (played.tally.acked, played.tally.failed, played.tally.in_flight) == (4_998, 2, 0)
    assert played.tally.acked_by_topic.tolist() == [4_998]
    assert [failure.offset for failure in played.tally.failures] == [10, 4_321]
    assert played.tally.first_sent_ns is not None


def test_refused_records_are_failures_too() -> None:
    played = play(Pieces(range(100)), rate=None, silent=True, refused=[number(7)])
    assert (played.tally.sent, played.tally.acked, played.tally.failed) == (100, 99, 1)


def test_records_that_the_client_holds_are_not_confirmed() -> None:
    held = 60
    tally = _handed_over(100, holds=lambda: held)
    assert (tally.acked, tally.in_flight) == (40, 60)
    tally.settle(force=True)
    assert (tally.acked, tally.acked_by_topic.tolist()) == (40, [0])
    held = 0
    tally.settle(force=True)
    assert (tally.acked, tally.acked_by_topic.tolist()) == (100, [100])


def test_a_ring_smaller_than_the_replay_makes_it_rest_and_loses_nothing() -> None:
    played = play(Pieces(range(5_000)), rate=None, size=64, silent=True, ack_ns=3 * MS)
    assert played.numbers == list(range(5_000))
    assert (played.tally.acked, played.player.queue_full) == (5_000, 0)


def test_a_target_that_confirms_nothing_is_noticed_as_long_as_it_does() -> None:
    time, held = FakeTime(), 5
    silence = Silence(lambda: held, time.now)
    assert silence.waiting_since(10) == time.ns
    first, time.ns = time.ns, time.ns + 7 * MS
    assert silence.waiting_since(10) == first
    held = 4
    assert silence.waiting_since(10) == time.ns
    held = 0
    assert silence.waiting_since(10) is None


def test_a_point_is_noted_where_the_logs_end_when_nothing_is_held() -> None:
    frontier = Frontier(START)
    _emptied(frontier, ends=[103, 207])
    assert frontier.note()
    assert frontier.point == Point(lap=0, number=4, offsets=(103, 207), acked=(3,), lost=1)


@pytest.mark.parametrize("ends", [[101, 207], None])
def test_without_knowing_where_the_logs_end_only_the_log_can_tell(ends: list[int] | None) -> None:
    """A new leader may not know yet of all that was confirmed: two went to the first partition."""
    frontier = Frontier(START)
    _emptied(frontier, ends=ends)
    assert not frontier.note()
    _emptied(frontier, ends=[110, 210])
    assert (frontier.note(), frontier.point) == (False, START)


def test_it_is_for_top_speed_when_nobody_asked_for_times_or_offsets() -> None:
    assert may_be_silent(Options(top_speed=True))
    assert may_be_silent(Options(top_speed=True, dead_letters=DeadLetters(), objectives=parse_objectives("loss=0")))
    assert not may_be_silent(Options())
    for objectives in ("inversions=0", "key_inversions=0", "round_trip_p99=1s", "loss=0,ack_max=1s"):
        assert not may_be_silent(Options(top_speed=True, objectives=parse_objectives(objectives)))
    assert not may_be_silent(Options(top_speed=True, probe=True))
    assert not may_be_silent(Options(top_speed=True, step=True))
    assert not may_be_silent(Options(top_speed=True, calibrate_topic="calibration"))


def _emptied(frontier: Frontier, ends: list[int] | None) -> None:
    """Four records, the last of which failed: two to the first partition, one to the second."""
    zeros = np.zeros(4, np.int64)
    confirmed = np.array([True, True, True, False])
    frontier.emptied(
        (0, 3), zeros, np.array([0, 0, 1, 1]), confirmed, lambda: None if ends is None else np.array(ends, np.int64)
    )


def _handed_over(count: int, holds: Callable[[], int]) -> Tally:
    topics = (Topic(name="orders", id=None, partitions=()),)
    tally = Tally(topics, 1, paced=False, now=lambda: 5, silence=Silence(holds, lambda: 5))
    piece = Pieces(range(count), size=count).take()
    assert piece is not None
    tally.admit(piece, np.zeros(count, np.int64))
    tally.dispatched(count, 3)
    return tally
