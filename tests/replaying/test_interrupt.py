"""Asked to stop, the player stops within a tenth of a second, and accounts only for what it sent."""

from __future__ import annotations

from tests.replaying.stage import MS, START_NS, FakeTime, Pieces, play


def test_a_stop_in_a_long_wait_is_noticed_within_a_tenth_of_a_second() -> None:
    time = FakeTime()
    at = START_NS + 5_000 * MS
    played = play(Pieces([0, 1, 3_600_000]), time=time, stopped=lambda: time.ns >= at)
    assert played.ending == "interrupt"
    assert time.ns - at <= 101 * MS
    assert (played.tally.sent, played.tally.acked, played.tally.in_flight) == (2, 2, 0)


def test_a_stop_while_catching_up_sends_nothing_more() -> None:
    time = FakeTime()
    stop_at = START_NS + 10 * MS
    played = play(
        Pieces([0] * 10_000), rate=None, time=time, stall=lambda value: 10_000, stopped=lambda: time.ns >= stop_at
    )
    assert played.ending == "interrupt"
    assert played.tally.sent == len(played.target.sent) < 4_000
    assert played.tally.acked == played.tally.sent


def test_a_stop_that_comes_with_the_last_record_is_an_end() -> None:
    time = FakeTime()
    assert play(Pieces([0, 10]), time=time, stopped=lambda: time.ns >= START_NS + 11 * MS).ending == "end"
