"""Where a person wants to go in a capture: a time of day is enough, and -30s counts from the capture's end."""

from __future__ import annotations

import re

from recorder.errors import UsageError
from recorder.window import format_time, parse_duration, parse_time

JUMP_FORMS = "14:05, 14:05:30, +90s from the start, -30s from the end, 50%, or an RFC 3339 time"

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?Z?")
_DAY_MS = 86_400_000


def parse_jump(text: str, span: tuple[int, int]) -> int:
    """Epoch milliseconds (UTC) that `text` means in a capture with that first and last time; raises UsageError."""
    text = text.strip()
    first, last = span
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds, fraction = clock.groups()
        in_day = (int(hours) * 60 + int(minutes)) * 60_000 + int(seconds or 0) * 1_000
        if int(hours) > 23 or int(minutes) > 59 or int(seconds or 0) > 59:
            raise UsageError(f"'{text}' is not a time of day.")
        moment = first - first % _DAY_MS + in_day + int((fraction or "").ljust(3, "0"))
        # The capture may run past midnight: the day on which that time lies in it, or nearest to it.
        return min((moment + days * _DAY_MS for days in (-1, 0, 1)), key=lambda at: max(first - at, at - last, 0))
    if text.endswith("%") and text[:-1].replace(".", "", 1).isdigit():
        return first + round((last - first) * min(float(text[:-1]), 100.0) / 100)
    if re.fullmatch(r"[+-]\d[\d.]*(ms|[smhdw])(\d.*)?", text):
        duration = parse_duration(text[1:])
        return first + duration if text[0] == "+" else last - duration
    try:
        return parse_time(text, now_ms=last, tz="UTC")
    except UsageError:
        raise UsageError(f"'{text}' is not a time: write {JUMP_FORMS}.") from None


def clock(timestamp_ms: int, *, milliseconds: bool = True) -> str:
    """The time of day (UTC) of a timestamp; a timestamp that no calendar holds as its raw number."""
    text = format_time(timestamp_ms)
    if "T" not in text:
        return text
    return text[11:23] if milliseconds else text[11:19]
