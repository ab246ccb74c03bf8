"""Confirmed records and arrivals find each other by partition and offset, in whatever order they come."""

from __future__ import annotations

import numpy as np
import pytest

from recorder.kafka.arrivals import NO_APPEND_TIME
from recorder.replaying import probe
from recorder.replaying.probe import Matcher
from tests.replaying.stage import MS


def rows(*given: tuple[int, int, int, int]) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(given, np.int64).reshape(-1, 4)


def confirm(matcher: Matcher, *given: tuple[int, int, int, int]) -> None:
    matcher.confirmed(*(np.array(column, np.int64) for column in zip(*given, strict=True)))


def test_lateness_is_counted_from_the_plan_and_transit_from_the_hand_over() -> None:
    matcher = Matcher(paced=True)
    confirm(matcher, (0, 7, 1_000 * MS, 1_002 * MS), (1, 7, 1_010 * MS, 1_010 * MS))
    matcher.arrived(rows((1, 7, 513, 1_015 * MS), (0, 7, 505, 1_009 * MS)))
    matcher.settle(steady_minus_wall_ns=500 * MS)
    kept = matcher.probed()
    assert (kept.matched, kept.missing, kept.others, kept.append_early) == (2, 0, 0, 0)
    assert kept.arrival_lateness is not None
    assert kept.arrival_lateness.max_ns == 9 * MS
    assert kept.append_lateness is not None
    assert kept.append_lateness.max_ns == 5 * MS
    assert kept.transit is not None
    assert kept.transit.max_ns == 7 * MS


def test_arrivals_may_come_first_and_others_records_stay_strangers() -> None:
    matcher = Matcher(paced=True)
    matcher.arrived(rows((0, 3, NO_APPEND_TIME, 5 * MS), (0, 4, NO_APPEND_TIME, 6 * MS)))
    matcher.settle()
    assert matcher.matched == 0
    confirm(matcher, (0, 4, 1 * MS, 1 * MS), (0, 9, 2 * MS, 2 * MS))
    matcher.settle()
    kept = matcher.probed()
    assert (kept.matched, kept.missing, kept.others) == (1, 1, 1)
    assert kept.append_lateness is None  # nobody knows when it was appended


def test_without_deadlines_only_the_way_is_timed() -> None:
    matcher = Matcher(paced=False)
    confirm(matcher, (0, 0, 0, 10 * MS))
    matcher.arrived(rows((0, 0, 1, 12 * MS)))
    matcher.settle()
    kept = matcher.probed()
    assert (kept.arrival_lateness, kept.append_lateness) == (None, None)
    assert kept.transit is not None
    assert kept.transit.max_ns == 2 * MS


def test_records_sent_by_command_have_no_lateness() -> None:
    matcher = Matcher(paced=True)
    confirm(matcher, (0, 0, -(1 << 62), 10 * MS))
    matcher.arrived(rows((0, 0, NO_APPEND_TIME, 12 * MS)))
    matcher.settle()
    assert matcher.probed().arrival_lateness is None
    assert matcher.probed().matched == 1


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MOST_WAITING", 100)
    matcher = Matcher(paced=True)
    for offset in range(250):
        confirm(matcher, (0, offset, 0, 0))
    assert matcher.waiting == 100
    matcher.arrived(rows(*((0, offset, NO_APPEND_TIME, MS) for offset in range(200, 250))))
    matcher.settle()
    kept = matcher.probed()
    assert (kept.matched, kept.missing) == (50, 200)
