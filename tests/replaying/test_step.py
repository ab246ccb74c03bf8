"""Records by command: one by one, each confirmed before the next, or a burst at once."""

from __future__ import annotations

from recorder.replaying.control import Burst, Resume, Seek, Step
from tests.replaying.stage import MS, Pieces, play


def test_nothing_goes_until_it_is_asked_for() -> None:
    played = play(Pieces(range(0, 100, 10)), paused=True, script=[(1_000, Step()), (2_000, "stop")])
    assert played.numbers == [0]
    assert played.target.times_ms[0] >= 1_000


def test_steps_wait_for_each_other_s_confirmation() -> None:
    played = play(Pieces(range(0, 100, 10)), paused=True, ack_ns=7 * MS, script=[(100, Step(3)), (1_000, "stop")])
    first, second, third = played.target.times_ms
    assert second - first >= 7
    assert third - second >= 7
    assert played.player.commanded == 3


def test_a_step_while_it_plays_pauses_it() -> None:
    played = play(Pieces(range(0, 1_000, 10)), script=[(105, Step(2)), (2_000, "stop")])
    assert played.numbers == list(range(13))
    assert [anchor.why for anchor in played.clock.anchors] == ["start", "pause", "step"]


def test_time_goes_on_from_the_last_step() -> None:
    played = play(Pieces(range(0, 100, 10)), paused=True, script=[(100, Step(4)), (500, Resume())])
    assert played.numbers == list(range(10))
    resumed = played.clock.anchors[-1]
    assert (resumed.why, resumed.position_ns) == ("resume", 30 * MS)
    assert [at - resumed.after_ns / MS for at in played.target.times_ms[4:]] == [10.0 * at for at in range(1, 7)]


def test_a_burst_goes_at_once_and_the_plan_goes_on_from_there() -> None:
    played = play(Pieces(range(0, 1_000, 10)), script=[(105, Burst(30))])
    assert played.numbers == list(range(100))
    jumped = played.clock.anchors[-1]
    assert (jumped.why, jumped.position_ns) == ("burst", 400 * MS)
    assert set(played.target.times_ms[11:41]) == {jumped.after_ns / MS}
    assert played.target.times_ms[41] - played.target.times_ms[40] == 10.0


def test_no_lateness_is_told_of_what_had_no_deadline() -> None:
    played = play(Pieces(range(0, 1_000, 10)), script=[(105, Burst(30))])
    assert played.tally.dispatch_lateness.count == played.tally.ack_lateness.count == 70
    assert played.tally.round_trip.count == 100
    assert (played.player.commanded, played.tally.unplanned) == (30, 30)


def test_a_seek_ends_a_burst() -> None:
    played = play(Pieces(range(0, 1_000, 10)), room=5, ack_ns=50 * MS, script=[(105, Burst(60)), (200, Seek(900))])
    assert played.numbers[-10:] == list(range(90, 100))
    assert played.player.coverage.skipped > 0


def test_a_burst_longer_than_what_is_left_ends_it() -> None:
    assert play(Pieces(range(0, 1_000, 10)), script=[(105, Burst(5_000))]).numbers == list(range(100))


def test_steps_go_on_into_the_next_pass() -> None:
    played = play(Pieces(range(0, 100, 10), laps=2), paused=True, script=[(10, Step(15)), (5_000, "stop")])
    assert played.numbers == [*range(10), *range(5)]
