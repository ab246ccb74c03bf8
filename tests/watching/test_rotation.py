"""A row of captures: limits as people write them, and what goes when there is too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import UsageError
from recorder.watching.rotation import (
    Limit,
    finished,
    next_path,
    parse_limit,
    remove,
    size_of,
    surplus,
    unfinished,
)
from tests.builders import T0, make_capture

HOUR_MS = 3_600_000


def row(root: Path, *ages_h: int) -> None:
    for age in ages_h:
        at = T0 - age * HOUR_MS
        make_capture(next_path(root, at), [("t", 0, at, "k", "v" * 100)], created_at_ms=at)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("10m", Limit(ms=600_000)),
        ("2h", Limit(ms=7_200_000)),
        ("1GB", Limit(bytes=10**9)),
        ("1.5MB", Limit(bytes=1_500_000)),
        ("20 GiB", Limit(bytes=20 << 30)),
        ("1KB", Limit(bytes=1_000)),
    ],
)
def test_limits(text: str, limit: Limit) -> None:
    assert parse_limit(text, "--rotate") == limit


@pytest.mark.parametrize("text", ["", "10", "GB", "0GB", "0m", "-1h", "1gb", "ten"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError, match=r"--keep .*write"):
        parse_limit(text, "--keep")


def test_the_row_is_in_order_and_nothing_else_is_of_it(tmp_path: Path) -> None:
    row(tmp_path, 1, 3, 2)
    make_capture(tmp_path / "mine", [("t", 0, T0, "k", "v")])
    torn = next_path(tmp_path, T0)
    torn.mkdir()
    found = finished(tmp_path)
    assert [one.path.name for one in found] == [f"20261103T{hour}0200.000Z" for hour in (11, 12, 13)]
    assert unfinished(tmp_path) == [torn]
    assert next_path(tmp_path, T0).name == "20261103T140200.000Z-2"


def test_by_time_the_old_ones_go(tmp_path: Path) -> None:
    row(tmp_path, 5, 4, 3, 2, 1)
    found = finished(tmp_path)
    assert surplus(found, Limit(ms=2 * HOUR_MS + 1), T0) == found[:3]
    assert surplus(found, Limit(ms=1), T0) == found[:4]
    assert surplus([], Limit(ms=1), T0) == []


def test_by_size_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    row(tmp_path, 4, 3, 2, 1)
    found = finished(tmp_path)
    total, each = sum(one.bytes for one in found), found[0].bytes
    assert surplus(found, Limit(bytes=total), T0) == []
    assert surplus(found, Limit(bytes=total - 1), T0) == found[:1]
    assert surplus(found, Limit(bytes=total - each - 1), T0) == found[:2]
    assert surplus(found, Limit(bytes=1), T0) == found[:3]


def test_what_goes_is_gone(tmp_path: Path) -> None:
    row(tmp_path, 1)
    (one,) = finished(tmp_path)
    assert size_of(one.path) > one.bytes
    remove(one.path)
    assert list(tmp_path.iterdir()) == []
