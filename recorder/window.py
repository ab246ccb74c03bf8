"""Times and windows as people type them: RFC 3339, epoch milliseconds, ``-15m``, ``now``.

All instants inside the program are integers: milliseconds since the Unix epoch, UTC, as Kafka keeps them.
A window is half-open, ``[from, to)``, so that adjoining windows neither share nor lose a record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recorder.errors import UsageError

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FOUR_DIGIT_YEARS_MS = (-62_135_596_800_000, 253_402_300_799_999)  # years 1 to 9999
_INT64 = (-(2**63), 2**63 - 1)
_SMALLEST_EPOCH_MS = 10**11  # 1973; a smaller number is seconds, or a mistake
TIME_FORMS = "RFC 3339 (2026-11-03T14:02:00Z), epoch milliseconds, -15m, +2m or now"


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time in epoch milliseconds; ``None`` is an open end."""

    from_ms: int | None
    to_ms: int | None

    def __post_init__(self) -> None:
        if self.from_ms is not None and self.to_ms is not None and self.to_ms <= self.from_ms:
            what = "is empty" if self.from_ms == self.to_ms else "ends before it starts"
            raise UsageError(
                f"The window {format_time(self.from_ms)} to {format_time(self.to_ms)} {what}: "
                "give a --to that is later than --from."
            )

    def __contains__(self, timestamp_ms: int) -> bool:
        return (self.from_ms is None or timestamp_ms >= self.from_ms) and (
            self.to_ms is None or timestamp_ms < self.to_ms
        )


def parse_duration(text: str) -> int:
    """Milliseconds in ``250ms``, ``90s``, ``15m``, ``1h30m``, ``2d``; raises UsageError otherwise."""
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise UsageError(f"'{text}' is not a duration: write for example 500ms, 90s, 15m, 1h30m or 2d.")
    return _in_range(round(sum(Decimal(n) * _UNITS_MS[u] for n, u in parts)), text)


def parse_time(text: str, *, now_ms: int, tz: str | None = None) -> int:
    """Epoch milliseconds of a time as typed.

    ``-15m`` and ``+2m`` count from `now_ms`. A date and time without a zone is read in `tz` (an IANA
    name such as ``Europe/Berlin``) and refused when there is none. Raises UsageError.
    """
    text = text.strip()
    if text == "now":
        return now_ms
    if text[:1] in "+-" and text[1:2].isdigit() and not text[1:].isdigit():
        sign = -1 if text[0] == "-" else 1
        return _in_range(now_ms + sign * parse_duration(text[1:]), text)
    if re.fullmatch(r"-?\d+", text, re.ASCII):
        return _epoch_ms(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text}' is not a time: write {TIME_FORMS}.") from None
    if moment.tzinfo is None:
        if tz is None:
            raise UsageError(
                f"'{text}' has no time zone: end it with Z or an offset (+02:00), or give --tz Europe/Berlin."
            )
        moment = moment.replace(tzinfo=_zone(tz))
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def format_time(timestamp_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds; a time outside the years 1 to 9999 as its raw number and ``ms``."""
    low, high = _FOUR_DIGIT_YEARS_MS
    if not low <= timestamp_ms <= high:
        return f"{timestamp_ms}ms"
    moment = _EPOCH + timedelta(milliseconds=timestamp_ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def format_duration(duration_ms: float) -> str:
    """A span for human eyes: ``850 ms``, ``42.0 s``, ``7m 12s``, ``3h 05m``, ``2d 04h``."""
    sign, ms = ("-" if duration_ms < 0 else ""), abs(duration_ms)
    if ms < 999.5:
        return f"{sign}{ms:.0f} ms"
    if ms < 59_950:
        return f"{sign}{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    if seconds < 3_600:
        return f"{sign}{seconds // 60}m {seconds % 60:02d}s"
    if seconds < 86_400:
        return f"{sign}{seconds // 3_600}h {seconds % 3_600 // 60:02d}m"
    return f"{sign}{seconds // 86_400}d {seconds % 86_400 // 3_600:02d}h"


def _epoch_ms(text: str) -> int:
    # Seconds taken for milliseconds would mean January 1970: a window that nobody wanted, in silence.
    number = _in_range(int(text) if len(text) <= 20 else _INT64[1] + 1, text)
    if abs(number) < _SMALLEST_EPOCH_MS:
        raise UsageError(f"'{text}' is too small for epoch milliseconds (13 digits for our times): write {TIME_FORMS}.")
    return number


def _in_range(timestamp_ms: int, text: str) -> int:
    if not _INT64[0] <= timestamp_ms <= _INT64[1]:
        raise UsageError(f"'{text}' lies beyond what a timestamp can hold: write {TIME_FORMS}.")
    return timestamp_ms


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"'{name}' is not a time zone: use an IANA name such as Europe/Berlin.") from None
