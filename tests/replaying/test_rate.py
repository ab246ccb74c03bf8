"""Every record is sent at T0 + its position divided by the rate, and never before."""

from __future__ import annotations

import pytest

from tests.replaying.stage import MS, START_NS, FakeTime, Pieces, play

TIMES_MS = [1_000, 1_000, 1_003, 1_010, 1_500, 2_000, 61_000]


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0, 10.0, 1_000.0])
def test_each_record_is_sent_when_it_is_due(rate: float) -> None:
    played = play(Pieces(TIMES_MS), rate=rate)
    assert played.ending == "end"
    due = [round((at - TIMES_MS[0]) * MS / rate) + START_NS for at in TIMES_MS]
    assert [at for at, *_ in played.target.sent] == due
    assert played.tally.dispatch_lateness.max_ns <= 1


def test_top_speed_waits_for_nothing() -> None:
    time = FakeTime()
    played = play(Pieces(TIMES_MS), rate=None, time=time)
    assert [at for at, *_ in played.target.sent] == [START_NS] * len(TIMES_MS)
    assert played.tally.dispatch_lateness.count == 0
    assert played.tally.round_trip.count == len(TIMES_MS)


def test_the_first_record_is_not_late_however_long_ago_it_was_recorded() -> None:
    assert play(Pieces([1])).target.times_ms == [0.0]


def test_a_very_long_gap_is_kept_to_the_nanosecond() -> None:
    day = 86_400_000
    assert play(Pieces([0, day])).target.times_ms == [0.0, float(day)]


def test_nothing_to_send_ends_at_once() -> None:
    played = play(Pieces([]))
    assert (played.ending, played.target.sent) == ("end", [])
