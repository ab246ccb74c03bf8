"""Phone numbers of all regions: E.164 (strict); and with 00, in national form, or after a word for it (eager)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from desensitizers.detectors.base import Detector, Span
from desensitizers.detectors.calling_codes import fits
from desensitizers.surrogates.fictional import is_fictional

_GROUPS = r"(?:[ \u00a0./-]{0,2}\(?\d{1,6}\)?){1,7}"
_PLUS = re.compile(rf"[+](?<![\w+.)][+])\(?[1-9]\d{{0,3}}\)?{_GROUPS}(?![\w+])")
_DOUBLE_ZERO = re.compile(rf"0(?<![\w+.,-]0)0[1-9]\d{{0,3}}{_GROUPS}(?![\w+])")
_NATIONAL = re.compile(
    r"[(0](?<![\w+.,:/-][(0])(?:(?<=\()0\d{1,5}\)|(?<=0)[1-9]\d{0,4})"
    r"(?:[ /-]{1,3}\d{2,}(?:[ /-]?\d{2,}){0,4}|(?<!\))\d{5,9})(?![\w+:]|[.,-]\w)"
)
_AMERICAN = re.compile(
    r"[(1-9](?<![\w+.-][(1-9])(?:(?<=1)[ .-]\(?[2-9]\d\d\)?[ .-]?|(?<=\()[2-9]\d\d\) ?|(?<=[2-9])\d\d[.-])"
    r"[2-9]\d\d[ .-]\d{4}(?![\w.-]*\d)"
)
_BARE = re.compile(r"[(\d](?<![\w+][(\d])\d{0,6}\)?(?:[ \u00a0./-]{0,2}\(?\d{1,6}\)?){1,6}(?![\w+])")
_LABEL = re.compile(
    r"(?i)(?:\b(?:tel|fon|fax|gsm|msisdn|cell|call|dial)\b|phone|mobile?|handy|telefon|t[ée]l[ée]phone|whatsapp|sms)"
    r"[^\d+\n]{0,12}$"
)
_BEFORE = 24
"""Characters before a bare number in which a word for phones counts."""
_LONG_ENOUGH = re.compile(r"\d[\d ()\u00a0./-]{5,}\d")
"""Every number that is found has such a stretch."""
_LEAD = 6
"""What may stand before its first digit and belong to it: plus, brackets, spaces."""
_NOT_DIGIT = re.compile(r"\D")
_DECIMAL = re.compile(r"\+(?!\d{1,3}\.\d{9})\d+\.\d+")
"""A price or coordinate. With the calling code before the dot and nine digits after it is a number as EPP writes it."""
_CONTINUED = re.compile(r"\w|[.,]\d")
_FEWEST, _MOST = 7, 15


def _international(text: str) -> bool:
    if _DECIMAL.fullmatch(text):
        return False
    number = _NOT_DIGIT.sub("", text.replace("(0)", "")).removeprefix("00")
    return _FEWEST <= len(number) <= _MOST and fits(number)


def _national(text: str) -> bool:
    number = _NOT_DIGIT.sub("", text)
    return _FEWEST <= len(number) <= 13


def _named(match: re.Match[str]) -> bool:
    """Whether a word for phones stands before it."""
    start = match.start()
    return match.end() - start >= _FEWEST and _LABEL.search(match.string[max(0, start - _BEFORE) : start]) is not None


def _longest(pattern: re.Pattern[str], text: str, position: int = 0) -> Iterator[Span]:
    """Spans of the longest readings that are numbers: what follows a number may look like more of it."""
    for match in pattern.finditer(text, position):
        start, longest = match.span()
        for end in range(longest, start + _FEWEST - 1, -1):
            ends = text[end - 1].isdigit() and (end == longest or not _CONTINUED.match(text, end))
            if ends and _international(text[start:end]):
                yield start, end
                break


def _find(text: str, strict: bool) -> Iterator[Span]:
    if strict:
        yield from _longest(_PLUS, text)
        return
    first = _LONG_ENOUGH.search(text)
    if first is None:
        return
    begin = max(0, first.start() - _LEAD)
    found = [*_longest(_PLUS, text, begin), *_longest(_DOUBLE_ZERO, text, begin)]
    others = [match.span() for pattern in (_NATIONAL, _AMERICAN) for match in pattern.finditer(text, begin)]
    others += [match.span() for match in _BARE.finditer(text, begin) if _named(match)]
    for start, end in others:
        known = any(start < last and first < end for first, last in found)
        if not known and _national(text[start:end]):
            found.append((start, end))
    yield from sorted(found)


def _reserved(text: str) -> bool:
    number = _NOT_DIGIT.sub("", text.replace("(0)", "")).removeprefix("00")
    return number.startswith("999") or is_fictional(number)


DETECTOR = Detector(
    name="phone",
    version=2,
    summary="phone numbers by calling code and length; reserved: +999 and the numbers kept for films and books",
    kind="phone",
    prefilter=r"\+\(?(?:[1-8]|9[^9]|99[^9])[ ./()-]{0,3}[0-9]",
    signs="0123456789",
    hint=r"[0-9][0-9 ()./-]{5,}[0-9]",
    finder=_find,
    reserved=_reserved,
)
