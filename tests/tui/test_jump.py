"""Where typed times lead in a capture."""

from __future__ import annotations

import pytest

from recorder.errors import UsageError
from recorder.tui.jump import clock, parse_jump
from tests.builders import T0

MINUTE = 60_000
HOUR = 60 * MINUTE


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("14:05", T0 + 3 * MINUTE),
        ("14:05:30", T0 + 3 * MINUTE + 30_000),
        (" 14:05:30.25Z ", T0 + 3 * MINUTE + 30_250),
        ("9:00", T0 - 5 * HOUR - 2 * MINUTE),
        ("+90s", T0 + 90_000),
        ("-1m30s", T0 + 8 * MINUTE + 30_000),
        ("now", T0 + 10 * MINUTE),
        ("25%", T0 + 150_000),
        ("2026-11-03T14:05:00Z", T0 + 3 * MINUTE),
        ("2026-11-03T14:05:00", T0 + 3 * MINUTE),
        (str(T0 + 5), T0 + 5),
    ],
)
def test_times(typed: str, expected: int) -> None:
    assert parse_jump(typed, (T0, T0 + 10 * MINUTE)) == expected


def test_a_time_of_day_after_midnight_is_the_next_days() -> None:
    span = (T0 + 9 * HOUR, T0 + 12 * HOUR)  # 23:02 to 02:02
    assert parse_jump("01:00", span) == T0 + 10 * HOUR + 58 * MINUTE
    assert parse_jump("23:30", span) == T0 + 9 * HOUR + 28 * MINUTE


@pytest.mark.parametrize("typed", ["noon", "25:00", "14:61", "+5", "1d%"])
def test_what_is_no_time_is_an_error(typed: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        parse_jump(typed, (T0, T0 + 10 * MINUTE))


def test_clock_of_wild_times() -> None:
    assert clock(T0) == "14:02:00.000"
    assert clock(T0 * 1_000_000).endswith("ms")
