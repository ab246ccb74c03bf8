"""Two captures are equal when every record is, in order; everything else is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.regression.exact import compare_exactly
from tests.builders import T0, make_capture

RECORDS = [
    ("orders", 0, T0, "k1", {"id": 1}),
    ("orders", 0, T0 + 5, "k2", None, [("h", "1"), ("h", None)]),
    ("orders", 1, T0 + 1, None, "", [("h", "")]),
]


def test_a_capture_equals_itself(tmp_path: Path) -> None:
    left = make_capture(tmp_path / "left", RECORDS)
    right = make_capture(tmp_path / "right", RECORDS)
    verdict = compare_exactly(left, right)
    assert verdict.same
    assert (verdict.equal, verdict.partitions) == (3, 2)


@pytest.mark.parametrize(
    ("row", "changed", "field"),
    [
        (0, ("orders", 0, T0 + 1, "k1", {"id": 1}), "timestamp_ms"),
        (0, ("orders", 0, T0, "K1", {"id": 1}), "key"),
        (1, ("orders", 0, T0 + 5, "k2", "", [("h", "1"), ("h", None)]), "value"),
        (1, ("orders", 0, T0 + 5, "k2", None, [("h", None), ("h", "1")]), "headers"),
        (2, ("orders", 1, T0 + 1, "", "", [("h", "")]), "key"),
        (2, ("orders", 1, T0 + 1, None, "", [("h", None)]), "headers"),
    ],
)
def test_one_changed_field_is_one_difference_with_its_place(
    tmp_path: Path, row: int, changed: tuple[object, ...], field: str
) -> None:
    left = make_capture(tmp_path / "left", RECORDS)
    right = make_capture(tmp_path / "right", [*RECORDS[:row], changed, *RECORDS[row + 1 :]])
    verdict = compare_exactly(left, right)
    assert (verdict.equal, verdict.different) == (2, 1)
    assert f"{field} differ" in verdict.differences[0].sentence()


def test_swapped_records_differ(tmp_path: Path) -> None:
    left = make_capture(tmp_path / "left", RECORDS)
    right = make_capture(tmp_path / "right", [RECORDS[1], RECORDS[0], RECORDS[2]])
    assert compare_exactly(left, right).different == 2


def test_missing_and_additional_records_are_counted_apart(tmp_path: Path) -> None:
    left = make_capture(tmp_path / "left", RECORDS)
    right = make_capture(tmp_path / "right", [*RECORDS[:2], ("extra", 0, T0, "k", "v")])
    verdict = compare_exactly(left, right)
    assert (verdict.equal, verdict.only_left, verdict.only_right) == (2, 1, 1)


def test_topics_are_compared_under_their_new_names(tmp_path: Path) -> None:
    left = make_capture(tmp_path / "left", RECORDS)
    right = make_capture(tmp_path / "right", [("copy", *row[1:]) for row in RECORDS])
    assert compare_exactly(left, right, {"orders": "copy"}).same
