"""Times and windows as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.errors import UsageError
from recorder.window import Window, format_duration, format_time, parse_duration, parse_time

NOW = 1_793_714_520_000
FOUR_DIGIT_YEARS = st.integers(-62_135_596_800_000, 253_402_300_799_999)
ANY_TIMESTAMP = st.integers(-(2**63), 2**63 - 1)


@given(FOUR_DIGIT_YEARS)
def test_a_formatted_time_reads_back_as_the_same_instant(timestamp_ms: int) -> None:
    assert parse_time(format_time(timestamp_ms), now_ms=NOW) == timestamp_ms


@given(ANY_TIMESTAMP)
def test_every_timestamp_can_be_shown(timestamp_ms: int) -> None:
    shown = format_time(timestamp_ms)
    assert shown.endswith("Z") or int(shown.removesuffix("ms")) == timestamp_ms


@pytest.mark.parametrize(
    ("timestamp_ms", "shown"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (NOW + 7, "2026-11-03T14:02:00.007Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        (-30_000_000_000_000, "1019-05-04T18:40:00.000Z"),
        (-40_000_000_000_000, "0702-06-15T00:53:20.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "253402300800000ms"),
        (NOW * 1_000_000, "1793714520000000000ms"),
    ],
)
def test_times_are_shown_as_rfc_3339_with_milliseconds(timestamp_ms: int, shown: str) -> None:
    assert format_time(timestamp_ms) == shown


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-03T14:02:00Z",
        "2026-11-03T14:02Z",
        " 2026-11-03T15:02:00.000+01:00 ",
        "2026-11-03 14:02:00+00:00",
        "20261103T140200Z",
        "1793714520000",
    ],
)
def test_one_instant_has_many_spellings(text: str) -> None:
    assert parse_time(text, now_ms=0) == NOW


@pytest.mark.parametrize(
    ("text", "expected"),
    [("now", NOW), ("-15m", NOW - 900_000), ("+2m", NOW + 120_000), ("-1h30m", NOW - 5_400_000), ("-0.5s", NOW - 500)],
)
def test_relative_times_count_from_now(text: str, expected: int) -> None:
    assert parse_time(text, now_ms=NOW) == expected


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))
def test_a_time_without_zone_is_read_in_the_zone_that_was_given_or_refused(moment: datetime) -> None:
    text = moment.isoformat(timespec="milliseconds")
    with pytest.raises(UsageError, match="no time zone"):
        parse_time(text, now_ms=NOW)
    utc = parse_time(text, now_ms=NOW, tz="UTC")
    assert utc == parse_time(text + "Z", now_ms=NOW)
    assert utc == round((moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)).timestamp() * 1000)


def test_summer_time_counts() -> None:
    assert parse_time("2026-07-01T12:00", now_ms=0, tz="Europe/Berlin") == parse_time("2026-07-01T10:00Z", now_ms=0)
    assert parse_time("2026-12-01T12:00", now_ms=0, tz="Europe/Berlin") == parse_time("2026-12-01T11:00Z", now_ms=0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a time"),
        ("yesterday", "is not a time"),
        ("2026-13-03T14:02Z", "is not a time"),
        ("2026-11-03T25:02Z", "is not a time"),
        ("-15", "too small"),
        ("0", "too small"),
        ("1793714520", "too small"),  # seconds
        ("20261103", "too small"),  # a date without dashes
        ("-15x", "is not a duration"),
        ("-15m3", "is not a duration"),
        ("-99999999999999999999d", "beyond"),
        ("+" + "9" * 400 + "d", "beyond"),
        ("9" * 19 + "0", "beyond"),
        ("9" * 5000, "beyond"),
        ("-²m", "is not a duration"),
        ("١٧٩٣٧١٤٥٢٠٠٠٠", "is not a time"),
    ],
)
def test_what_is_no_time_is_refused_in_one_sentence(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        parse_time(text, now_ms=NOW)
    assert str(refused.value).count("\n") == 0


@given(st.text(max_size=40))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    try:
        parsed = parse_time(text, now_ms=NOW, tz="UTC")
    except UsageError:
        return
    assert -(2**63) <= parsed < 2**63


@pytest.mark.parametrize("tz", ["Berlin", "Europe/Nowhere", "", "../../etc/passwd", "/etc/passwd", "a\0b", "Europe"])
def test_an_unknown_zone_is_named(tz: str) -> None:
    with pytest.raises(UsageError, match="not a time zone"):
        parse_time("2026-11-03T14:02", now_ms=NOW, tz=tz)


@given(days=st.integers(0, 999), hours=st.integers(0, 99), ms=st.integers(0, 10**6))
def test_durations_add_up(days: int, hours: int, ms: int) -> None:
    assert parse_duration(f"{days}d{hours}h{ms}ms") == days * 86_400_000 + hours * 3_600_000 + ms


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5m ", "1e3s", "5m5", "1..5s", "inf", "9" * 30 + "w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration_ms", "shown"),
    [
        (0, "0 ms"),
        (850, "850 ms"),
        (999.6, "1.0 s"),
        (42_000, "42.0 s"),
        (59_960, "1m 00s"),
        (432_000, "7m 12s"),
        (11_100_000, "3h 05m"),
        (187_200_000, "2d 04h"),
        (-900_000, "-15m 00s"),
    ],
)
def test_durations_are_shown_for_eyes(duration_ms: float, shown: str) -> None:
    assert format_duration(duration_ms) == shown


@given(start=ANY_TIMESTAMP, length=st.integers(1, 10**15), probe=ANY_TIMESTAMP)
def test_adjoining_windows_share_no_instant_and_lose_none(start: int, length: int, probe: int) -> None:
    middle, end = start + length // 2, start + length
    whole = Window(start, end)
    if middle in (start, end):
        return
    assert ((probe in Window(start, middle)) + (probe in Window(middle, end))) == (probe in whole)
    assert start in whole
    assert end not in whole


def test_an_empty_and_a_reversed_window_are_told_apart() -> None:
    with pytest.raises(UsageError, match="is empty"):
        Window(NOW, NOW)
    with pytest.raises(UsageError, match="ends before it starts"):
        Window(NOW, NOW - 1)
    assert NOW in Window(None, None)
