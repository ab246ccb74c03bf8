"""Trap 23: sleeping from record to record drifts; deadlines from one anchor do not. And what is told of drift."""

from __future__ import annotations

import numpy as np
import pytest

from recorder.replaying.drift import DriftWatch
from tests.replaying.stage import MS, FakeTime, Pieces, number, play

SECOND = 1_000 * MS


def test_trap_23_sleeps_that_overshoot_delay_one_record_and_not_all_that_follow() -> None:
    time = FakeTime(overshoot_ns=80_000)
    played = play(Pieces(range(20_000)), time=time, stall=lambda value: 20_000)
    # Sleeping by gap, 20,000 sleeps that each take 0.08 ms too long would end 1.6 s late.
    assert played.tally.last_lateness_ns < 0.2 * MS
    assert played.tally.dispatch_lateness.max_ns < 0.2 * MS
    assert played.target.sent[-1][0] - played.target.sent[0][0] < 19_999 * MS + 0.2 * MS
    assert played.tally.drift.drift_ns() == 0


def test_trap_23_borders_between_pieces_are_no_anchors() -> None:
    times = list(range(0, 3_000, 3))
    whole = play(Pieces(times, size=len(times)), time=FakeTime(overshoot_ns=50_000))
    pieces = play(Pieces(times, size=1), time=FakeTime(overshoot_ns=50_000))
    assert abs(whole.target.sent[-1][0] - pieces.target.sent[-1][0]) < 0.1 * MS


def test_a_stall_at_the_very_end_is_the_last_records_lateness_and_no_drift() -> None:
    played = play(Pieces(range(5_000)), stall=lambda value: 30 * MS if value == number(4_990) else 0)
    assert played.tally.last_lateness_ns > 20 * MS
    assert played.tally.drift.drift_ns() == 0


@pytest.mark.parametrize("at_once", [1, 7, 1_000, 100_000])
def test_a_rhythm_that_falls_behind_shows_by_how_much(at_once: int) -> None:
    due = np.arange(10_000) * MS
    lateness = due // 1_000  # 1 ms a second
    watch = DriftWatch()
    for start in range(0, len(due), at_once):
        watch.sent(due[start : start + at_once], lateness[start : start + at_once])
    drift = watch.drift_ns()
    assert drift is not None
    assert abs(drift - 9 * MS) < 0.01 * MS  # from the middle of the first second to the middle of the last one


def test_stretches_last_longer_where_records_are_few() -> None:
    watch = DriftWatch()
    due = np.arange(1_000) * SECOND
    watch.sent(due, np.repeat([3, 5, 9], [100, 800, 100]) * MS)
    assert watch.drift_ns() == 6 * MS


@pytest.mark.parametrize(("records", "drift_ns"), [(0, None), (1, None), (2, 4 * MS), (3, 4 * MS), (50, 4 * MS)])
def test_halves_are_compared_where_there_is_not_enough_for_two_stretches(records: int, drift_ns: int | None) -> None:
    watch = DriftWatch()
    if records:
        watch.sent(np.arange(records) * MS, np.where(np.arange(records) < records // 2, 1, 5) * MS)
    assert watch.drift_ns() == drift_ns
