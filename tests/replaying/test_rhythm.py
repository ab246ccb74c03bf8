"""The rhythm's account: gaps, rates and lateness, exact while it is short and bounded however long it gets."""

from __future__ import annotations

import numpy as np

from recorder.replaying import rhythm
from recorder.replaying.conduct import Conduct
from recorder.replaying.rhythm import RhythmWatch
from tests.replaying.stage import MS, Pieces, number, play

SECOND = 1_000 * MS


def test_a_stall_shows_in_the_gap_before_and_not_in_those_after_it() -> None:
    watch = RhythmWatch()
    due = np.arange(6) * 10 * MS
    watch.sent(due, due + np.array([0, 0, 7, 7, 7, 0]) * MS)
    kept = watch.rhythm()
    assert kept is not None
    assert kept.gap_error is not None
    assert [count for _, count in kept.gap_error.buckets] == [3, 2]  # two gaps were wrong by 7 ms: before and after
    assert kept.gap_error.max_ns == 7 * MS
    assert kept.gap_error.count == 5


def test_it_counts_the_same_in_pieces_as_at_once() -> None:
    due = np.arange(1_000) * 3 * MS
    at = due + np.random.default_rng(1).integers(0, 5 * MS, 1_000)
    whole, pieces = RhythmWatch(), RhythmWatch()
    whole.sent(due, at)
    for start in range(0, 1_000, 7):
        pieces.sent(due[start : start + 7], at[start : start + 7])
    assert whole.rhythm() == pieces.rhythm()


def test_the_rate_of_each_second_is_held_against_its_plan() -> None:
    played = play(Pieces(range(0, 4_000, 10)), stall=lambda value: SECOND if value == number(150) else 0)
    kept = played.tally.rhythm.rhythm()
    assert kept is not None
    assert kept.rates.planned == (100, 100, 100, 100)
    assert kept.rates.sent[0] == 100
    assert sum(kept.rates.sent) == 400
    assert kept.rates.sent[1] == 50  # it stalled in the middle of the second one
    assert (kept.rates.max_error, kept.rates.mean_error) == (50.0, 25.0)
    assert kept.rates.error_share == 0.25


def test_what_was_dropped_was_planned_and_not_sent() -> None:
    played = play(
        Pieces(range(0, 3_000, 10)),
        stall=lambda value: SECOND if value == number(50) else 0,
        conduct=Conduct(late="drop", late_bound_ns=100 * MS),
    )
    kept = played.tally.rhythm.rhythm()
    assert kept is not None
    assert played.tally.dropped > 0
    assert sum(kept.rates.planned) == 300
    assert sum(kept.rates.sent) == 300 - played.tally.dropped


def test_lateness_is_told_over_time_and_a_pause_leaves_a_hole() -> None:
    watch = RhythmWatch()
    due = np.array([0, 1, 100, 101]) * MS
    watch.sent(due, due + np.array([1, 3, 5, 5]) * MS)
    kept = watch.rhythm()
    assert kept is not None
    assert kept.lateness.max_ns[0] == 3 * MS
    assert kept.lateness.mean_ns[0] == 2 * MS
    assert set(kept.lateness.max_ns[1:-2]) == {None}
    assert kept.lateness.max_ns[-1] == 5 * MS


def test_series_stay_bounded_over_days() -> None:
    watch = RhythmWatch()
    due = np.arange(0, 3 * 86_400, 9) * SECOND
    for start in range(0, len(due), 1_000):
        watch.sent(due[start : start + 1_000], due[start : start + 1_000] + start)
    kept = watch.rhythm()
    assert kept is not None
    assert rhythm.MOST_SECONDS // 2 < len(kept.rates.planned) <= rhythm.MOST_SECONDS
    assert len(kept.lateness.max_ns) <= rhythm.MOST_STEPS
    assert sum(kept.rates.planned) == sum(kept.rates.sent) == len(due)
    assert max(ns or 0 for ns in kept.lateness.max_ns) == (len(due) - 1) // 1_000 * 1_000


def test_records_handed_over_against_the_order_of_the_plan_are_counted() -> None:
    watch = RhythmWatch()
    watch.sent(np.array([5, 4, 6]), np.array([7, 8, 9]))
    watch.sent(np.array([5, 6]), np.array([10, 11]))
    assert watch.inversions == 2


def test_nothing_planned_says_nothing() -> None:
    assert RhythmWatch().rhythm() is None
    assert play(Pieces(range(100)), rate=None).tally.rhythm.rhythm() is None
