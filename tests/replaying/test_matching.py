"""Records of a plan and of a log are matched as a plain loop over both would."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.replaying.matching import BUCKET_RECORDS, FOUND, PLANNED, Buckets, Turns, match

Row = tuple[int, int, int]  # lane, key (0: none), content

rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)), max_size=60)


def planned(records: list[Row]) -> list[list[Any]]:
    turns = range(len(records))
    keys, nowhere = [key for _, key, _ in records], [0] * len(records)
    columns = [keys, [key > 0 for key in keys], _digests(records), [lane for lane, *_ in records]]
    return [*columns, [*turns], nowhere, nowhere, [*turns]]


def found(records: list[Row]) -> list[list[Any]]:
    keys = [key for _, key, _ in records]
    return [keys, [key > 0 for key in keys], _digests(records), [lane for lane, *_ in records], [*range(len(records))]]


def _digests(records: list[Row]) -> list[int]:
    return [hash((key, content)) for _, key, content in records]


@settings(deadline=None)
@given(rows, rows, st.sampled_from([0, 3 * BUCKET_RECORDS]))
def test_what_is_missing_doubled_and_foreign_is_counted_exactly(plan: list[Row], log: list[Row], size: int) -> None:
    counts: Counter[str] = Counter()
    with Buckets(PLANNED, size) as ours, Buckets(FOUND, size) as theirs:
        ours.add(planned(plan))
        theirs.add(found(log))
        for number in range(ours.count):
            one = match(ours.take(number), theirs.take(number))
            counts["missing"] += int((one.offsets < 0).sum())
            counts["doubled"] += len(one.doubled)
            counts["foreign"] += len(one.foreign)
            counts["keys"] += one.keys
    wanted, there = Counter(plan), Counter(log)
    more = there - wanted
    assert counts["missing"] == (wanted - there).total()
    assert counts["doubled"] == sum(count for row, count in more.items() if row in wanted)
    assert counts["foreign"] == sum(count for row, count in more.items() if row not in wanted)
    assert counts["keys"] == len({key for _, key, _ in plan} - {0})


@settings(deadline=None)
@given(st.permutations(range(8)), st.sampled_from([0, 3 * BUCKET_RECORDS]))
def test_order_is_judged_within_keys_and_within_partitions(order: list[int], size: int) -> None:
    """Eight records of two keys in one partition, lying in the log in some order."""
    plan = [(0, 1 + number % 2, number) for number in range(8)]
    inverted = 0
    with Buckets(PLANNED, size) as ours, Buckets(FOUND, size) as theirs, Turns(8, 1) as turns:
        ours.add(planned(plan))
        theirs.add(found([plan[number] for number in order]))
        for number in range(ours.count):
            one = match(ours.take(number), theirs.take(number))
            turns.note(one)
            inverted += len(one.inverted)
        offsets = np.argsort(order)
        assert inverted == sum(int((np.diff(offsets[key::2]) < 0).sum()) for key in (0, 1))
        assert turns.inversions() == int((offsets < np.maximum.accumulate(offsets)).sum())
