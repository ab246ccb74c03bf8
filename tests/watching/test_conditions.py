"""Rates and conditions are judged by the records' own times, in whatever order and portions they arrive."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recorder.watching.conditions import Watched
from recorder.watching.triggers import OnRecords
from tests.builders import T0, record, to_batch

NOW = T0 + 3_600_000
BURST = OnRecords("burst", "dlq", most=50, over_ms=5_000, hold_ms=60_000)


def arrived(times: Sequence[int], value: str = "v") -> pa.RecordBatch:
    return to_batch([record("dlq", 0, at, "k", value, offset=i) for i, at in enumerate(times)])


def test_each_record_of_a_control_topic_fires() -> None:
    watched = Watched(OnRecords("control", "ops"))
    assert watched.judge(arrived([T0 + 5, T0, T0 + 5]), NOW) == [T0, T0 + 5, T0 + 5]
    assert watched.fired == []


def test_a_condition_fires_once_until_its_hold_is_over() -> None:
    watched = Watched(OnRecords("refused", "dlq", where="value = 'bad'", hold_ms=1_000))
    assert watched.judge(arrived([T0, T0 + 1], "good"), NOW) == []
    assert watched.judge(arrived([T0 + 10, T0 + 500, T0 + 1_009, T0 + 1_010], "bad"), NOW) == [T0 + 10, T0 + 1_010]
    assert watched.judge(arrived([T0 + 1_100, T0 + 9, T0 - 5_000], "bad"), NOW) == [T0 - 5_000]


def test_fifty_within_five_seconds_is_not_more_than_ten_a_second() -> None:
    assert Watched(BURST).judge(arrived([T0 + i * 100 for i in range(50)]), NOW) == []
    assert Watched(BURST).judge(arrived([T0 + i * 100 for i in range(51)]), NOW) == []


def test_fifty_one_within_five_seconds_fires_at_the_last_of_them() -> None:
    times = [T0 + i * 99 for i in range(60)]
    assert Watched(BURST).judge(arrived(times), NOW) == [times[50]]


@example(7, [96])
@given(st.integers(0, 2**32), st.lists(st.integers(1, 159), max_size=8))
def test_portions_and_order_of_arrival_do_not_matter(seed: int, cuts: list[int]) -> None:
    chance = random.Random(seed)
    times = [T0 + i * 1_000 for i in range(100)] + [T0 + 40_000 + i * 10 for i in range(60)]
    times.sort(key=lambda at: at + chance.randrange(30_000))  # as partitions of a topic arrive
    watched, fired = Watched(BURST), []
    for low, high in pairwise([0, *sorted(set(cuts)), len(times)]):
        fired += watched.judge(arrived(times[low:high]), NOW)
    assert len(fired) == 1
    # With the burst itself, or with the single records in the seconds around it that arrived before its rest.
    assert T0 + 40_400 <= fired[0] < T0 + 40_590 + BURST.over_ms


def test_a_burst_that_goes_on_gives_adjoining_windows() -> None:
    watched = Watched(BURST)
    fired = [at for second in range(200) for at in watched.judge(arrived([T0 + second * 1_000] * 20), NOW)]
    assert fired == [T0 + 2_000, T0 + 64_000, T0 + 126_000, T0 + 188_000]


def test_two_partitions_that_arrive_one_after_the_other_are_counted_together() -> None:
    watched = Watched(BURST)
    assert watched.judge(arrived([T0 + i * 150 for i in range(40)]), NOW) == []
    assert len(watched.judge(arrived([T0 + i * 150 for i in range(40)]), NOW)) == 1


def test_what_was_counted_survives_a_restart() -> None:
    before = Watched(BURST)
    assert before.judge(arrived([T0 + i for i in range(30)]), NOW) == []
    after = Watched(BURST, fired=before.fired, times=before.times.tolist())
    assert after.judge(arrived([T0 + 100 + i for i in range(30)]), NOW) == [T0 + 120]
    held = Watched(BURST, fired=after.fired, times=after.times.tolist())
    assert held.judge(arrived([T0 + 200 + i for i in range(60)]), NOW) == []


def test_a_watcher_remembers_only_what_its_rate_can_still_count() -> None:
    watched = Watched(BURST)
    for second in range(2_000):
        watched.judge(arrived([T0 + second * 1_000] * 5), NOW + second * 1_000)
    assert len(watched.times) <= 5 * 66


@pytest.mark.parametrize("wild", [0, -1, -(2**62), 2**62, T0 * 1_000_000, NOW + 3_600_000, NOW - 32 * 86_400_000])
def test_a_wild_timestamp_means_now(wild: int) -> None:
    assert Watched(OnRecords("control", "ops")).judge(arrived([wild]), NOW) == [NOW]
