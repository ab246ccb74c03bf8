"""Inversions are counted as a plain loop over all records would."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.replaying.order import OrderWatch

Row = tuple[int, int, int]  # lane, key (0: none), target offset

rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 30)), max_size=80)


@settings(deadline=None)
@given(rows, st.integers(1, 20))
def test_inversions_equal_those_of_a_plain_loop(records: list[Row], step: int) -> None:
    watch = OrderWatch(3)
    for at in range(0, len(records), step):
        lanes, keys, offsets = np.array(records[at : at + step], np.int64).T
        watch.feed(lanes, keys * 1_000_003, keys > 0, offsets)
    assert (watch.partition_inversions, watch.key_inversions) == _counted(records)


@settings(deadline=None)
@given(rows)
def test_key_inversions_never_exceed_those_of_partitions(records: list[Row]) -> None:
    watch = OrderWatch(3)
    if records:
        lanes, _, offsets = np.array(records, np.int64).T
        watch.feed(lanes, np.zeros_like(lanes), lanes >= 0, offsets)
    assert watch.key_inversions <= watch.partition_inversions


def _counted(records: list[Row]) -> tuple[int, int]:
    highest: dict[tuple[int, int | None], int] = {}
    partition = key_count = 0
    for lane, key, offset in records:
        partition += offset < highest.get((lane, None), -1)
        highest[lane, None] = max(offset, highest.get((lane, None), -1))
        if key:
            key_count += offset < highest.get((lane, key), -1)
            highest[lane, key] = max(offset, highest.get((lane, key), -1))
    return partition, key_count
