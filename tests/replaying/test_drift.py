"""Trap 23: sleeping from record to record drifts; deadlines from one anchor do not."""

from __future__ import annotations

from tests.replaying.stage import MS, FakeTime, Pieces, play


def test_trap_23_sleeps_that_overshoot_delay_one_record_and_not_all_that_follow() -> None:
    time = FakeTime(overshoot_ns=80_000)
    played = play(Pieces(range(20_000)), time=time, stall=lambda value: 20_000)
    # Sleeping by gap, 20,000 sleeps that each take 0.08 ms too long would end 1.6 s late.
    assert played.tally.last_lateness_ns < 0.2 * MS
    assert played.tally.dispatch_lateness.max_ns < 0.2 * MS
    assert played.target.sent[-1][0] - played.target.sent[0][0] < 19_999 * MS + 0.2 * MS


def test_trap_23_borders_between_pieces_are_no_anchors() -> None:
    times = list(range(0, 3_000, 3))
    whole = play(Pieces(times, size=len(times)), time=FakeTime(overshoot_ns=50_000))
    pieces = play(Pieces(times, size=1), time=FakeTime(overshoot_ns=50_000))
    assert abs(whole.target.sent[-1][0] - pieces.target.sent[-1][0]) < 0.1 * MS
