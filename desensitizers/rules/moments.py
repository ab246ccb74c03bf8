"""Dates and times as they stand in records: text in a known form, or a number since 1970 in a known unit.

The parts of a text are replaced where they stand, so that its form and its zone stay as they were.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from desensitizers.errors import UnfitError
from desensitizers.rules.base import Option, Options

PARTS = ("year", "month", "day", "hour", "minute", "second", "fraction")
PER_DAY = {"days": 1, "s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
OPTIONS = {
    "unit": Option("text", "what a number counts since 1970", tuple(PER_DAY)),
    "format": Option("text", "how a text is written, as in %d.%m.%Y; ISO 8601 otherwise"),
}
"""What every rule that reads moments can be told of them."""
_ISO = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?:Z|[A-Z]{3,4}|[+-]\d\d(?::?\d\d)?)(?:\[[\w/+-]+\])?)?)?"
)
_BASIC = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?(?:[.,](?P<fraction>\d{1,9}))?(?:Z|[+-]\d{2,4})?)?"
)
_DIRECTIVES = {"Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "H": r"\d\d", "M": r"\d\d", "S": r"\d\d", "f": r"\d{1,9}"}
_NAMES = dict(zip("YmdHMSf", PARTS, strict=True))


def form(text: str) -> re.Pattern[str]:
    """The pattern of a form written as ``%d.%m.%Y``. Raises ValueError with a sentence."""
    pattern, seen = "", ""
    for part in re.split(r"(%.)", text):
        if part.startswith("%") and len(part) == 2:
            letter = part[1]
            if letter not in _DIRECTIVES or letter in seen:
                raise ValueError(f"'{text}' may have each of %Y %m %d %H %M %S %f once, not '{part}'.")
            seen += letter
            pattern += f"(?P<{_NAMES[letter]}>{_DIRECTIVES[letter]})"
        else:
            pattern += re.escape(part)
    if not {"Y", "m", "d"} <= set(seen):
        raise ValueError(f"'{text}' needs %Y, %m and %d.")
    return re.compile(pattern)


def form_of(options: Options) -> re.Pattern[str] | None:
    """The form that a rule's options name; None is ISO 8601. Raises ValueError with a sentence."""
    return form(str(options["format"])) if "format" in options else None


def mistake(options: Options) -> str:
    """What is wrong with the form, in a sentence; empty when nothing is."""
    try:
        form_of(options)
    except ValueError as error:
        return f"format: {error}"
    return ""


def read(text: str, pattern: re.Pattern[str] | None) -> re.Match[str]:
    """The parts of a moment; ISO 8601 when no pattern is given. Raises UnfitError."""
    match = pattern.fullmatch(text) if pattern else _ISO.fullmatch(text) or _BASIC.fullmatch(text)
    if match is None:
        raise UnfitError("is not a date; say how it is written with format: '%d.%m.%Y'")
    return match


def replaced(match: re.Match[str], parts: dict[str, str]) -> str:
    """The text with some of its parts replaced by others as long."""
    text = match.string
    for name, value in parts.items():
        start, end = match.span(name)
        text = text[:start] + value + text[end:]
    return text


def later(match: re.Match[str], days: int) -> str:
    """The text so many days later. Raises UnfitError for a day that no calendar has."""
    try:
        day = date(int(match["year"]), int(match["month"]), int(match["day"])) + timedelta(days=days)
    except (ValueError, OverflowError):
        raise UnfitError("is not a day of the years 1 to 9999") from None
    return replaced(match, {"year": f"{day.year:04d}", "month": f"{day.month:02d}", "day": f"{day.day:02d}"})


def unit_of(number: int, unit: str) -> str:
    """The unit a number since 1970 is in: the one that was named, or by its size (days only when named)."""
    if unit:
        return unit
    size = abs(number)
    return "s" if size < 10**11 else "ms" if size < 10**14 else "us" if size < 10**17 else "ns"


def same_width(before: int, after: int) -> int:
    """`after`, when it fits the 32 or 64 bits that `before` fits. Raises UnfitError."""
    for bits in (31, 63):
        if -(1 << bits) <= before < 1 << bits:
            if -(1 << bits) <= after < 1 << bits:
                return after
            raise UnfitError(f"would no longer fit {bits + 1} bits")
    return after
