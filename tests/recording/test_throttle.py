"""The cap holds over every stretch of time, whatever the sizes and however long the pauses between them."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.errors import UsageError
from recorder.recording.throttle import BURST_SECONDS, Throttle, fetch_ahead, parse_megabits


class FakeTime:
    """A clock that goes on when somebody rests."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.now += seconds


payments = st.lists(st.tuples(st.integers(0, 50_000_000), st.floats(0, 20)), min_size=1, max_size=60)
rates = st.floats(1_000, 1e10)


@given(rates, payments)
def test_no_stretch_of_time_passes_more_than_the_cap_and_one_bucket(rate: float, paid: list[tuple[int, float]]) -> None:
    time = FakeTime()
    throttle = Throttle(rate, clock=time.clock, rest=time.rest)
    passed_at = []
    for size, pause in paid:
        throttle.pay(size)
        passed_at.append(time.now)
        time.now += pause
    total = [0, *accumulate(size for size, _ in paid)]
    bucket = max(rate * BURST_SECONDS, *(size for size, _ in paid))
    for first in range(len(paid)):
        for last in range(first, len(paid)):
            allowed = rate * (passed_at[last] - passed_at[first]) + bucket
            assert total[last + 1] - total[first] <= allowed * (1 + 1e-9) + 1


@given(rates, st.lists(st.integers(1, 50_000_000), min_size=1, max_size=60))
def test_who_always_has_something_is_not_held_back_further_than_the_cap(rate: float, sizes: list[int]) -> None:
    time = FakeTime()
    throttle = Throttle(rate, clock=time.clock, rest=time.rest)
    for size in sizes:
        throttle.pay(size)
    needed = max(0.0, sum(sizes) / rate - BURST_SECONDS)
    assert time.now - 1000 == pytest.approx(needed, rel=1e-6, abs=1e-3)


def test_a_long_pause_saves_up_no_more_than_one_bucket() -> None:
    time = FakeTime()
    throttle = Throttle(1_000_000, clock=time.clock, rest=time.rest)
    time.now += 3_600
    assert throttle.delay(int(1_000_000 * BURST_SECONDS)) == 0
    assert throttle.delay(1_000_000) == pytest.approx(1)


@pytest.mark.parametrize(
    ("rate", "queue_kb", "fetch"), [(1_000, 1024, 1 << 20), (8_192_000, 8000, 4_096_000), (1e9, 32 << 10, 8 << 20)]
)
def test_the_client_fetches_ahead_a_second_at_most(rate: float, queue_kb: int, fetch: int) -> None:
    assert fetch_ahead(rate) == {"queued.max.messages.kbytes": str(queue_kb), "fetch.max.bytes": str(fetch)}


def test_megabits_are_125_000_bytes() -> None:
    assert parse_megabits(8) == 1_000_000
    assert parse_megabits(None) is None


@pytest.mark.parametrize("given", [0, -1, float("nan"), float("inf")])
def test_a_cap_that_is_none_is_refused(given: float) -> None:
    with pytest.raises(UsageError, match="--max-mbps"):
        parse_megabits(given)
