"""Phone numbers of all regions: E.164 (strict); and with 00, in national form, or after a word for it (eager)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Self

from desensitizers.detectors.base import Detector, Found, Span
from desensitizers.detectors.calling_codes import fits
from desensitizers.surrogates.fictional import is_fictional

_GROUPS = r"(?:[ \u00a0./-]{0,2}\(?\d{1,6}\)?){1,7}"
_PLUS = re.compile(rf"[+](?<![\w+.)][+])\(?[1-9]\d{{0,3}}\)?{_GROUPS}(?![\w+])")
_DOUBLE_ZERO = re.compile(rf"0(?<![\w+.,-]0)(?:0|11[ .-])[1-9]\d{{0,3}}{_GROUPS}(?![\w+])")
"""Also with the 011 of North America, when that stands by itself."""
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
_HINT = r"[0-9][0-9 ()./-]{5,}[0-9]"
"""The same in RE2, for ASCII texts."""
_LEAD = 6
"""What may stand before its first digit and belong to it: plus, brackets, spaces."""
_NOT_DIGIT = re.compile(r"\D")
_SIGNS = bytes(byte for byte in range(128) if not chr(byte).isdigit())
_DECIMAL = re.compile(r"\+(?!\d{1,3}\.\d{9})\d+\.\d+")
"""A price or coordinate. With the calling code before the dot and nine digits after it is a number as EPP writes it."""
_CONTINUED = re.compile(r"\w|[.,]\d")
_FEWEST, _MOST = 7, 15
_OTHERS = (
    (_NATIONAL, r"\(0[0-9]|(?:^|[^0-9A-Za-z_+.,:/-])0[1-9]"),
    (_AMERICAN, r"[2-9][0-9]{2}[ .-][0-9]{4}"),
    (_BARE, r"(?i)(?:tel|fon|fax|gsm|msisdn|cell|call|dial|phone|mobil|handy|whatsapp|sms)[^0-9+\n]{0,14}\n?[(0-9]"),
)
"""Patterns, and RE2 without which an ASCII text has nothing for them (a bare number counts behind a word only)."""


def _international(text: str) -> bool:
    if "." in text and _DECIMAL.fullmatch(text):
        return False
    text = text.replace("(0)", "")
    digits = text.encode().translate(None, _SIGNS).decode() if text.isascii() else _NOT_DIGIT.sub("", text)
    number = digits.removeprefix("00")
    number = number.removeprefix("011") if text.startswith("011") else number
    return _FEWEST <= len(number) <= _MOST and fits(number)


def _national(text: str) -> bool:
    number = _NOT_DIGIT.sub("", text)
    return _FEWEST <= len(number) <= 13


def _longest(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    """Spans of the longest readings that are numbers: what follows a number may look like more of it."""
    for match in pattern.finditer(text):
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
    for _row, start, end in _find_all([text], None):
        yield start, end


def _find_all(texts: Sequence[str], column: Any) -> Iterator[Found]:
    """(which text, start, end), ascending in each.

    What stands before a text's first long number and its lead is left out, so that each pattern goes once over the
    little that may be numbers in all texts.
    """
    tails = _Tails.of(texts, _begins(texts, column))
    if not tails.starts:
        return
    found: dict[int, list[Span]] = {}
    for pattern in (_PLUS, _DOUBLE_ZERO):
        for tail, start, end in tails.owned(_longest(pattern, tails.text)):
            found.setdefault(tail, []).append((start, end))
    for pattern, hint in _OTHERS:
        some = tails.hinted(hint) if column is not None else tails
        for tail, start, end in some.owned(match.span() for match in pattern.finditer(some.text)):
            known = found.setdefault(some.numbers[tail], [])
            shift = tails.starts[some.numbers[tail]] - some.starts[tail]
            if any(start + shift < last and first < end + shift for first, last in known):
                continue
            if (pattern is not _BARE or some.named(tail, start, end)) and _national(some.text[start:end]):
                known.append((start + shift, end + shift))
    for tail in sorted(found):
        row, shift = tails.rows[tail], tails.cuts[tail] - tails.starts[tail]
        for start, end in sorted(found[tail]):
            yield row, start + shift, end + shift


def _begins(texts: Sequence[str], column: Any) -> Iterable[tuple[int, int]]:
    """(which text, where its first long number begins) of those that have one."""
    if column is None:
        found = ((row, _LONG_ENOUGH.search(text)) for row, text in enumerate(texts))
        return [(row, match.start()) for row, match in found if match is not None]
    import numpy as np
    import pyarrow.compute as pc

    places = pc.find_substring_regex(column, _HINT).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(places >= 0)
    return zip(rows.tolist(), places[rows].tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class _Tails:
    """Texts from a little before their first long number on, as the lines of one."""

    numbers: list[int]
    """Which of all tails they are."""
    rows: list[int]
    """Of which text each is."""
    cuts: list[int]
    """Where in its own text each starts."""
    begins: list[int]
    """From where on in it a number may begin."""
    pieces: list[str]
    text: str
    starts: list[int]
    """Where in `text` each starts."""

    @classmethod
    def of(cls, texts: Sequence[str], places: Iterable[tuple[int, int]]) -> Self:
        rows, cuts, begins, pieces = [], [], [], []
        for row, place in places:
            begin = max(0, place - _LEAD)
            cut = max(0, begin - _BEFORE)
            rows.append(row)
            cuts.append(cut)
            begins.append(begin - cut)
            pieces.append(texts[row][cut:])
        return cls._made(list(range(len(rows))), rows, cuts, begins, pieces)

    @classmethod
    def _made(cls, numbers: list[int], rows: list[int], cuts: list[int], begins: list[int], pieces: list[str]) -> Self:
        ends = accumulate((len(piece) + 1 for piece in pieces), initial=0)
        return cls(numbers, rows, cuts, begins, pieces, "\n".join(pieces), list(ends)[:-1])

    def hinted(self, hint: str) -> Self:
        """Those (of ASCII texts) that match some RE2."""
        import pyarrow as pa
        import pyarrow.compute as pc

        chosen = pc.indices_nonzero(pc.match_substring_regex(pa.array(self.pieces, pa.string()), hint)).to_pylist()
        rows, cuts, begins = ([of[number] for number in chosen] for of in (self.rows, self.cuts, self.begins))
        return self._made(chosen, rows, cuts, begins, [self.pieces[number] for number in chosen])

    def owned(self, spans: Iterable[Span]) -> Iterator[Found]:
        """(which tail, start, end) of spans that begin where a number may."""
        for start, end in spans:
            tail = bisect_right(self.starts, start) - 1
            if start - self.starts[tail] >= self.begins[tail]:
                yield tail, start, end

    def named(self, tail: int, start: int, end: int) -> bool:
        """Whether a word for phones stands before it."""
        before = max(self.starts[tail], start - _BEFORE)
        return end - start >= _FEWEST and _LABEL.search(self.text[before:start]) is not None


def _reserved(text: str) -> bool:
    number = _NOT_DIGIT.sub("", text.replace("(0)", "")).removeprefix("00")
    return number.startswith("999") or is_fictional(number)


DETECTOR = Detector(
    name="phone",
    version=3,
    summary="phone numbers by calling code and length; reserved: +999 and the numbers kept for films and books",
    kind="phone",
    prefilter=r"\+\(?(?:[1-8]|9[^9]|99[^9])[ ./()-]{0,3}[0-9]",
    signs="0123456789",
    hint=_HINT,
    finder=_find,
    finder_of_all=_find_all,
    reserved=_reserved,
)
