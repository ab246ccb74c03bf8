"""Positions on the replay's time axis: recorded distances, idle stretches shortened on request (trap 25)."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recorder.replaying.schedule import NS_PER_MS, Schedule
from tests.replaying.stage import Pieces, play

times = st.lists(st.integers(0, 4_000_000_000_000), min_size=1, max_size=100).map(sorted)


@given(times, st.integers(1, 30), st.none() | st.integers(0, 10_000))
def test_positions_do_not_depend_on_how_records_were_cut_into_batches(
    effective: list[int], step: int, max_gap: int | None
) -> None:
    whole, parts = Schedule(max_gap), Schedule(max_gap)
    expected = whole.positions(np.array(effective, np.int64)).tolist()
    found = [
        position
        for at in range(0, len(effective), step)
        for position in parts.positions(np.array(effective[at : at + step], np.int64)).tolist()
    ]
    assert found == expected
    assert (parts.collapsed_gaps, parts.collapsed_ms) == (whole.collapsed_gaps, whole.collapsed_ms)


@given(times, st.integers(0, 10_000))
def test_gaps_are_kept_or_shortened_and_what_was_left_out_is_accounted(effective: list[int], max_gap: int) -> None:
    schedule = Schedule(max_gap)
    positions = schedule.positions(np.array(effective, np.int64))
    assert positions[0] == 0
    assert np.diff(positions).tolist() == [min(gap, max_gap) * NS_PER_MS for gap in np.diff(effective).tolist()]
    assert positions[-1] // NS_PER_MS + schedule.collapsed_ms == effective[-1] - effective[0]


@given(times)
def test_without_a_limit_distances_are_as_recorded(effective: list[int]) -> None:
    positions = Schedule().positions(np.array(effective, np.int64))
    assert positions.tolist() == [(at - effective[0]) * NS_PER_MS for at in effective]


def test_trap_25_a_long_idle_stretch_is_capped_in_recorded_time_and_then_played_at_the_rate() -> None:
    night = 8 * 3_600_000
    schedule = Schedule(5_000)
    source = Pieces([0, 100, night, night + 100], schedule=schedule)
    assert play(source, rate=2.0).target.times_ms == [0.0, 50.0, 2_550.0, 2_600.0]
    assert schedule.collapsed_gaps == 1
    assert schedule.collapsed_ms == night - 100 - 5_000
