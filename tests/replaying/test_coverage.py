"""How often each record had its turn, against counting one by one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.replaying.coverage import Coverage

STRETCHES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=30)


@settings(deadline=None)
@given(STRETCHES)
def test_it_counts_as_one_by_one_does(stretches: list[tuple[int, int]]) -> None:
    coverage, turns = Coverage(), [0] * 60
    for first, length in stretches:
        coverage.add(first, first + length)
        for record in range(first, first + length):
            turns[record] += 1
    covered = sum(turn > 0 for turn in turns)
    assert coverage.covered == covered
    assert coverage.repeated == sum(turns) - covered
    coverage.finish(0, 60)
    assert (coverage.covered, coverage.skipped) == (covered, 60 - covered)


def test_what_was_not_reached_was_not_skipped() -> None:
    coverage = Coverage()
    coverage.add(10, 20)
    coverage.add(30, 40)
    coverage.finish(10, None)
    assert (coverage.covered, coverage.skipped) == (20, 10)
