"""Marks on records as runs of offsets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.runs import RunBuilder, inside

RECORDS = st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=60)


@settings(deadline=None)
@given(records=RECORDS, cuts=st.lists(st.integers(0, 60), max_size=6).map(sorted))
def test_runs_hold_the_marked_records_and_no_others(records: list[tuple[int, bool]], cuts: list[int]) -> None:
    offsets = np.cumsum([step for step, _ in records], dtype=np.int64)
    marked = np.array([mark for _, mark in records], np.bool_)
    builder = RunBuilder()
    for start, stop in zip([0, *cuts], [*cuts, len(records)], strict=True):
        builder.add(offsets[start:stop], marked[start:stop])
    runs = builder.runs()
    assert inside(runs, offsets).tolist() == marked.tolist()
    starts = int(np.sum(marked & ~np.concatenate(([False], marked[:-1])))) if len(marked) else 0
    assert len(runs) == starts
    assert all(run.first_offset <= run.last_offset for run in runs)


def test_nothing_lies_in_no_runs() -> None:
    assert not inside((), np.arange(3)).any()
