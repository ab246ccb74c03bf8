"""The certificate's percentiles are right within the error that they promise."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recorder.replaying.histogram import RELATIVE_ERROR, Histogram

durations = st.lists(st.integers(1, 1 << 60) | st.integers(1, 100_000), min_size=1, max_size=200)


@given(durations, st.sampled_from([1, 50, 90, 99, 99.9, 100]))
def test_a_percentile_is_never_below_the_true_one_and_hardly_above(values: list[int], percent: float) -> None:
    histogram = Histogram()
    histogram.record(np.array(values, np.int64))
    true = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    assert true <= histogram.percentile(percent) <= true * (1 + RELATIVE_ERROR) + 1


@given(durations, st.integers(1, 50))
def test_pieces_count_like_the_whole(values: list[int], step: int) -> None:
    whole, pieces = Histogram(), Histogram()
    whole.record(np.array(values, np.int64))
    for at in range(0, len(values), step):
        pieces.record(np.array(values[at : at + step], np.int64))
    assert whole.distribution() is not None
    for one, other in zip(_figures(whole), _figures(pieces), strict=True):
        assert one == other


@given(durations)
def test_buckets_account_for_every_value(values: list[int]) -> None:
    histogram = Histogram()
    histogram.record(np.array(values, np.int64))
    kept = histogram.distribution()
    assert kept is not None
    assert sum(count for _, count in kept.buckets) == kept.count == len(values)
    assert kept.max_ns == max(values)
    edges = [edge for edge, _ in kept.buckets]
    assert edges == sorted(set(edges))
    assert edges[-1] >= kept.max_ns


def test_zero_early_and_enormous_durations_have_a_place() -> None:
    histogram = Histogram()
    histogram.record(np.array([0, -5, 2**63 - 1], np.int64))
    assert histogram.percentile(50) == 1
    assert histogram.max_ns > 2**61


def test_nothing_counted_says_nothing() -> None:
    assert Histogram().distribution() is None
    assert Histogram().percentile(99) == 0


def _figures(histogram: Histogram) -> list[object]:
    kept = histogram.distribution()
    assert kept is not None
    return [kept.count, kept.p50_ns, kept.p90_ns, kept.p99_ns, kept.p999_ns, kept.max_ns, kept.buckets]
