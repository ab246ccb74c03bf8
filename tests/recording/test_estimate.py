"""Estimates add up from densities, weights and rates; what must be read counts for time, what is kept for size."""

from __future__ import annotations

import pytest

from recorder.recording.estimate import Weights, expect

A, B, C = ("a", 0), ("a", 1), ("b", 0)
WEIGHTS = {"a": Weights(density=0.5, record_bytes=100, packed_bytes=20, pack_seconds=1e-6)}


def test_holes_are_not_counted_as_records() -> None:
    found = expect({A: 1000, B: 1000}, {A: 1000, B: 1000}, WEIGHTS, read_bytes_per_second=None)
    assert (found.records, found.bytes, found.partitions) == (1000, 100_000, 2)
    assert found.capture_bytes > 20_000


def test_late_slack_costs_time_but_no_room() -> None:
    narrow = expect({A: 1e6}, {A: 1e6}, WEIGHTS, read_bytes_per_second=1e6)
    wide = expect({A: 1e6}, {A: 4e6}, WEIGHTS, read_bytes_per_second=1e6)
    assert wide.capture_bytes == narrow.capture_bytes
    assert wide.seconds == pytest.approx(4 * narrow.seconds, rel=0.05)


def test_a_cap_makes_it_longer() -> None:
    free = expect({A: 1e6}, {A: 1e6}, WEIGHTS, read_bytes_per_second=5e7)
    capped = expect({A: 1e6}, {A: 1e6}, WEIGHTS, read_bytes_per_second=5e7, cap_bytes_per_second=1e6)
    assert free.seconds < 3
    assert capped.seconds == pytest.approx(51, rel=0.02)


def test_a_window_in_the_future_takes_at_least_until_its_end() -> None:
    found = expect({A: 10}, {A: 10}, WEIGHTS, read_bytes_per_second=1e6, wait_seconds=600)
    assert found.seconds == pytest.approx(600, abs=1)


def test_rates_are_those_of_the_window() -> None:
    found = expect({A: 1200}, {A: 1200}, WEIGHTS, read_bytes_per_second=None, window_seconds=60)
    assert (found.records_per_second, found.bytes_per_second) == (10, 1000)


def test_what_nobody_tasted_counts_as_nothing() -> None:
    found = expect({A: 0, C: 500}, {A: 0, C: 500}, WEIGHTS, read_bytes_per_second=None)
    assert (found.records, found.capture_bytes) == (0, 0)
