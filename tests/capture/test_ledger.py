"""Whatever happens to offsets, the ledger accounts for each of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.ledger import Ledger, Offsets
from recorder.capture.manifest import Gap, GapReason

# What can become of one offset: the reader got and kept it, got and dropped it, or saw nothing there; a nothing is
# an aborted record or something else.
FATES = st.lists(st.sampled_from(["kept", "filtered", "aborted", "rest", "expired", "unread"]), max_size=60)


def offsets(numbers: list[int]) -> Offsets:
    return np.array(numbers, np.int64)


def play(start: int, fates: list[str], cuts: set[int], rest: GapReason) -> Ledger:
    """Tell a ledger of `fates`, in batches that end at `cuts`."""
    ledger = Ledger(start)
    batch: list[tuple[int, bool]] = []

    def flush() -> None:
        if batch:
            ledger.saw(offsets([at for at, _ in batch]), np.array([kept for _, kept in batch]))
            batch.clear()

    for index, fate in enumerate(fates):
        at = start + index
        if fate in ("kept", "filtered"):
            batch.append((at, fate == "kept"))
        elif fate in ("expired", "unread"):
            flush()
            ledger.advance(at)
            ledger.advance(at + 1, fate)  # type: ignore[arg-type]
        if index in cuts:
            flush()
    flush()
    ledger.advance(start + len(fates))
    ledger.explain(offsets([start + i for i, fate in enumerate(fates) if fate == "aborted"]), rest)
    return ledger


def check(start: int, fates: list[str], gaps: tuple[Gap, ...], rest: str) -> None:
    """Every missing offset lies in exactly one gap, which gives its reason."""
    assert list(gaps) == sorted(gaps, key=lambda gap: gap.first_offset)
    named = {start + i: (rest if fate == "rest" else fate) for i, fate in enumerate(fates) if fate != "kept"}
    before = start
    for gap in gaps:
        assert before <= gap.first_offset <= gap.last_offset < start + len(fates)
        inside = [named[at] for at in range(gap.first_offset, gap.last_offset + 1) if at in named]
        assert inside == [gap.reason] * gap.missing
        assert gap.first_offset in named
        assert gap.last_offset in named
        before = gap.last_offset + 1
    assert sum(gap.missing for gap in gaps) == len(named)
    total: Counter[str] = Counter()
    for gap in gaps:
        total[gap.reason] += gap.missing
    assert total == Counter(named.values())


@given(
    start=st.integers(0, 2**62),
    fates=FATES,
    cuts=st.sets(st.integers(0, 60)),
    rest=st.sampled_from(["control", "compacted", "unexplained"]),
)
def test_every_offset_is_a_record_or_in_exactly_one_gap(
    start: int, fates: list[str], cuts: set[int], rest: GapReason
) -> None:
    ledger = play(start, fates, cuts, rest)
    assert ledger.position == start + len(fates)
    gaps = ledger.gaps()
    check(start, fates, gaps, rest)
    assert ledger.holes().size == 0
    assert gaps == play(start, fates, set(), rest).gaps()


@settings(deadline=None, max_examples=20)
@given(fates=st.lists(st.sampled_from(["kept", "filtered", "rest"]), min_size=500, max_size=900))
def test_it_stays_true_when_told_offset_by_offset(fates: list[str]) -> None:
    ledger = play(7, fates, set(range(len(fates))), "control")
    check(7, fates, ledger.gaps(), "control")


def test_neighbours_of_one_reason_become_one_gap_with_records_between() -> None:
    ledger = play(0, ["kept", "rest", "kept", "rest", "kept", "filtered"], set(), "control")
    assert ledger.gaps() == (
        Gap(first_offset=1, last_offset=3, missing=2, reason="control"),
        Gap(first_offset=5, last_offset=5, missing=1, reason="filtered"),
    )


def test_what_nobody_explained_is_unexplained() -> None:
    ledger = Ledger(10)
    ledger.saw(offsets([12, 14]), np.array([True, True]))
    ledger.advance(20)
    assert ledger.holes().tolist() == [[10, 11], [13, 13], [15, 19]]
    assert ledger.gaps() == (Gap(first_offset=10, last_offset=19, missing=8, reason="unexplained"),)


def test_records_that_another_reader_sees_outside_the_holes_change_nothing() -> None:
    ledger = Ledger(0)
    ledger.saw(offsets([2, 5]), np.array([True, True]))
    ledger.explain(offsets([2, 4, 5, 9]), "control")
    assert [(gap.first_offset, gap.missing, gap.reason) for gap in ledger.gaps()] == [
        (0, 3, "control"),
        (4, 1, "aborted"),
    ]


@pytest.mark.parametrize("wrong", [[3], [5, 5], [6, 5]])
def test_offsets_that_go_back_are_a_bug_of_the_caller(wrong: list[int]) -> None:
    ledger = Ledger(0)
    ledger.saw(offsets([4]), np.array([True]))
    with pytest.raises(ValueError, match="must increase"):
        ledger.saw(offsets(wrong), np.ones(len(wrong), np.bool_))


def test_a_ledger_of_nothing_has_no_gaps() -> None:
    ledger = Ledger(42)
    ledger.saw(offsets([]), np.array([], np.bool_))
    ledger.advance(42)
    ledger.explain(offsets([]), "control")
    assert (ledger.position, ledger.gaps()) == (42, ())


def test_a_million_holes_are_explained_as_columns() -> None:
    ledger = Ledger(0)
    seen = np.arange(1, 2_000_001, 2, dtype=np.int64)
    for part in np.split(seen, 100):
        ledger.saw(part, np.ones(len(part), np.bool_))
    assert len(ledger.holes()) == 1_000_000
    ledger.explain(np.arange(0, 2_000_000, 4, dtype=np.int64), "compacted")
    gaps = ledger.gaps()
    assert sum(gap.missing for gap in gaps if gap.reason == "aborted") == 500_000
    assert sum(gap.missing for gap in gaps) == 1_000_000
