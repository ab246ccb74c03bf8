"""Which records are aborted, from what a reader of committed records gets and how far it gets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.runs import inside
from recorder.recording.aborted import Settling

FATES = st.lists(st.tuples(st.sampled_from(["committed", "aborted", "hole"]), st.integers(1, 5)), max_size=30)
CUTS = st.lists(st.integers(0, 160), max_size=5)


@settings(deadline=None)
@given(fates=FATES, stable=st.integers(0, 160), looks=CUTS, segments=CUTS)
def test_what_was_skipped_is_aborted_and_what_was_not_reached_is_undecided(
    fates: list[tuple[str, int]], stable: int, looks: list[int], segments: list[int]
) -> None:
    fate = [what for what, count in fates for _ in range(count)]
    end = len(fate)
    records = np.array([at for at, what in enumerate(fate) if what != "hole"], np.int64)
    committed = np.array([at for at in range(min(stable, end)) if fate[at] == "committed"], np.int64)
    pieces = [records[(records >= a) & (records < b)] for a, b in pairwise(sorted([0, *segments, end]))]
    part = Settling(iter(pieces))
    for a, b in pairwise(sorted({0, *(min(look, stable) for look in looks), stable})):
        part.settle(committed[(committed >= a) & (committed < b)], b)
    marks = part.marks()
    assert inside(marks.aborted, records).tolist() == [at < stable and fate[at] == "aborted" for at in records]
    assert inside(marks.undecided, records).tolist() == [bool(at >= stable) for at in records]
