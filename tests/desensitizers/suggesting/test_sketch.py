from __future__ import annotations

import pytest

from desensitizers.suggesting.sketch import SIZE, Sketch


def sketch(start: int, end: int) -> Sketch:
    made = Sketch()
    for number in range(start, end):
        made.add(f"v{number}")
        made.add(f"v{number}")
    return made


def test_few_values_are_counted_exactly() -> None:
    assert (sketch(0, 700).distinct, sketch(0, 700).exact, sketch(0, 700).about) == (700, True, "700")


def test_many_values_are_counted_within_a_tenth() -> None:
    many = sketch(0, 50_000)
    assert not many.exact
    assert many.distinct == pytest.approx(50_000, rel=0.1)
    assert len(many._known) == SIZE


def test_the_share_of_common_values_is_told_for_few_and_many() -> None:
    assert sketch(0, 100).shared(sketch(50, 150)) == (50, 0.5)
    assert sketch(0, 100).shared(sketch(100, 150)) == (0, 0.0)
    _common, share = sketch(0, 20_000).shared(sketch(10_000, 30_000))
    assert share == pytest.approx(0.5, abs=0.1)


def test_merging_is_the_same_as_adding_all() -> None:
    merged = sketch(0, 3_000)
    merged.merge(sketch(2_000, 6_000))
    assert merged._known == sketch(0, 6_000)._known
