"""Times of schemas as RFC 3339 text and back, exactly: as many digits after the second as the unit has.

What lies outside the years 1 to 9999 stays the integer that was written: a wild time is evidence, not an error.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_EPOCH = datetime(1970, 1, 1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
FIRST_SECOND = int((datetime(1, 1, 1) - _EPOCH).total_seconds())
LAST_SECOND = int((datetime(9999, 12, 31, 23, 59, 59) - _EPOCH).total_seconds())
FIRST_DAY, LAST_DAY = date.min.toordinal() - _EPOCH_DAY, date.max.toordinal() - _EPOCH_DAY
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?")
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?")


def stamp(value: int, unit: str, *, local: bool = False) -> str | int:
    """``2026-03-14T15:09:26.535Z``; without the Z when `local`."""
    digits = DIGITS[unit]
    seconds, rest = divmod(value, 10**digits)
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        return value
    text = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    return text + (f".{rest:0{digits}d}" if digits else "") + ("" if local else "Z")


def parse_stamp(value: Any, unit: str) -> int:
    """The integer of a text from `stamp` (any RFC 3339 time will do), or the integer itself. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"not a time: {value!r:.60}")
    when = datetime.fromisoformat(match[1] + (match[3] or ""))
    if when.tzinfo is not None:
        when = when.astimezone(UTC).replace(tzinfo=None)
    since = when - _EPOCH
    digits = DIGITS[unit]
    scale: int = 10**digits
    return (since.days * 86400 + since.seconds) * scale + _fraction(match[2], digits)


def day(value: int) -> str | int:
    """Days since 1970 as ``2026-03-14``."""
    return date.fromordinal(value + _EPOCH_DAY).isoformat() if FIRST_DAY <= value <= LAST_DAY else value


def parse_day(value: Any) -> int:
    """Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError(f"not a date: {value!r:.60}")
    return date.fromisoformat(value).toordinal() - _EPOCH_DAY


def clock(value: int, unit: str) -> str | int:
    """Time of day as ``15:09:26.535``."""
    digits = DIGITS[unit]
    seconds, rest = divmod(value, 10**digits)
    if not 0 <= seconds < 86400:
        return value
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{rest:0{digits}d}" if digits else "")


def parse_clock(value: Any, unit: str) -> int:
    """Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"not a time of day: {value!r:.60}")
    seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
    scale: int = 10 ** DIGITS[unit]
    return seconds * scale + _fraction(match[4], DIGITS[unit])


def _fraction(text: str | None, digits: int) -> int:
    return int((text or "").ljust(digits, "0")[:digits] or "0")
