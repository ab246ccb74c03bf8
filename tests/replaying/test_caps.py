"""Trap 25: a cap holds over all topics together, whatever the plan says, and doesn't waste what it allows."""

from __future__ import annotations

import numpy as np
import pytest

from recorder.replaying.caps import Caps
from recorder.replaying.conduct import Conduct
from tests.replaying.stage import MS, FakeTime, Pieces, play


@pytest.mark.parametrize("rate", [None, 1.0])
def test_trap_25_records_a_second_are_capped_over_all_partitions(rate: float | None) -> None:
    caps = Caps(records_per_second=500, bytes_per_second=None)
    played = play(Pieces([0] * 2_000, partitions=8), partitions=8, rate=rate, conduct=Conduct(caps=caps))
    assert played.numbers == list(range(2_000))
    _at_most(played.target.times_ms, 500)
    assert played.target.times_ms[-1] == pytest.approx(4_000, abs=20)
    assert caps.waits > 0


def test_trap_25_bytes_a_second_are_capped() -> None:
    played = play(Pieces([0] * 1_000), rate=None, conduct=Conduct(caps=Caps(None, 50_000)))  # records of 100 bytes
    _at_most(played.target.times_ms, 500)
    assert played.target.times_ms[-1] == pytest.approx(2_000, abs=20)


def test_a_plan_below_the_cap_is_not_touched() -> None:
    played = play(Pieces(range(0, 1_000, 10)), conduct=Conduct(caps=Caps(200, None)))
    assert played.target.times_ms == [10.0 * at for at in range(100)]


def test_a_cap_that_holds_back_is_charged_as_lateness() -> None:
    played = play(Pieces(range(1_000)), conduct=Conduct(caps=Caps(500, None)))
    assert played.tally.last_lateness_ns == pytest.approx(1_000 * MS, rel=0.02)


def test_sleeps_that_overshoot_cost_no_throughput() -> None:
    time = FakeTime(overshoot_ns=80_000)
    played = play(Pieces([0] * 10_000), rate=None, time=time, conduct=Conduct(caps=Caps(5_000, None)))
    assert played.target.times_ms[-1] == pytest.approx(2_000, rel=0.01)


def test_the_stricter_of_two_caps_counts() -> None:
    costs = Caps(1_000, 1_000_000).costs(np.array([10, 100_000]))
    assert costs.tolist() == [1e6, 1e8]


def _at_most(times_ms: list[float], per_second: int) -> None:
    """In no second more than the cap allows, and the little that a wait may be made up for."""
    times = np.array(times_ms)
    counts = np.searchsorted(times, times + 1_000, side="left") - np.arange(len(times))
    assert counts.max() <= per_second * 1.01 + 1
