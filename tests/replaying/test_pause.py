"""Time stands still while paused, and runs on from there: trap 23's new anchor, noted."""

from __future__ import annotations

from recorder.replaying.control import Pause, Rate, Resume, Seek, Toggle
from tests.replaying.stage import MS, Pieces, number, play


def test_trap_23_a_pause_delays_all_that_follow_by_its_length_and_no_more() -> None:
    played = play(Pieces(range(0, 1_000, 10)), script=[(205, Pause()), (1_205, Resume())])
    assert played.numbers == list(range(100))
    assert played.target.times_ms[:21] == [10.0 * at for at in range(21)]
    # A pause and a resume are noticed between two waits, never later than a record is due.
    shifts = {round(at - 10 * index, 3) for index, at in enumerate(played.target.times_ms) if index > 20}
    (shift,) = shifts
    assert abs(shift - 1_000) <= 50
    assert [anchor.why for anchor in played.clock.anchors] == ["start", "pause", "resume"]
    assert played.clock.anchors[1].rate == 0
    assert played.clock.anchors[1].position_ns == played.clock.anchors[2].position_ns
    assert played.tally.dispatch_lateness.max_ns <= 1


def test_pausing_twice_is_pausing_once() -> None:
    script = [(105, Pause()), (205, Pause()), (305, Resume()), (306, Resume())]
    played = play(Pieces(range(0, 500, 10)), script=script)
    assert [anchor.why for anchor in played.clock.anchors] == ["start", "pause", "resume"]
    assert len(played.numbers) == 50


def test_one_key_does_both() -> None:
    played = play(Pieces(range(0, 500, 10)), script=[(105, Toggle()), (405, Toggle())])
    assert [anchor.why for anchor in played.clock.anchors] == ["start", "pause", "resume"]


def test_a_pause_at_top_speed_holds_what_was_not_sent() -> None:
    played = play(Pieces(range(200)), rate=None, script=[(0, Pause()), (500, Resume())])
    assert min(played.target.times_ms) >= 500
    assert len(played.numbers) == 200


def test_what_was_late_before_a_pause_goes_first_after_it_and_stays_charged() -> None:
    stall = {number(10): 300 * MS}
    played = play(
        Pieces(range(1_000)),
        stall=lambda value: stall.get(value or b"", 0),
        script=[(310, Pause()), (700, Resume())],
    )
    assert played.numbers == list(range(1_000))
    # Number 11 was due at 11 and sent after the pause: its lateness is what it was when time stopped.
    assert 290 * MS <= played.tally.dispatch_lateness.max_ns <= 310 * MS


def test_a_replay_that_is_paused_can_be_stopped() -> None:
    played = play(Pieces(range(0, 1_000, 10)), script=[(105, Pause()), (3_000, "stop")])
    assert (played.ending, len(played.numbers)) == ("interrupt", 11)


def test_rate_and_place_can_be_changed_while_paused() -> None:
    script = [(105, Pause()), (200, Rate(2.0)), (300, Seek(500)), (1_000, Resume())]
    played = play(Pieces(range(0, 1_000, 10)), script=script)
    assert played.numbers == [*range(11), *range(50, 100)]
    resumed = played.clock.anchors[-1]
    assert (resumed.why, resumed.rate, resumed.position_ns) == ("resume", 2.0, 500 * MS)
    since = [at - resumed.after_ns / MS for at in played.target.times_ms[11:]]
    assert since == [5.0 * at for at in range(50)]
