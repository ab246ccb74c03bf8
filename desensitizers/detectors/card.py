"""Payment cards: issuer prefix, a length that issuer uses, and the Luhn digit, so that a time is not a card."""

from __future__ import annotations

import functools
import re

from desensitizers.detectors.base import Detector
from desensitizers.surrogates.kinds import TEST_CARD_PREFIXES, luhn_digit

_CANDIDATE = re.compile(r"[2-689](?<![\w.+-][2-689])\d{3}(?:[ -]?\d){8,15}(?![\w])(?!\.\d)")
_EAGER = re.compile(
    r"[2-689](?<![\w.+-][2-689])\d{3}"
    r"(?:(?:[ -]?\d){8,15}|([./]| {2,3})(?:\d{4}\1\d{4}\1\d{4}|\d{6}\1\d{4,5}))(?![\w])(?![./]\d)"
)
"""Grouped by other signs, too."""
_SEPARATOR = re.compile(r"[ ./-]")
_ISSUERS: tuple[tuple[range, int, frozenset[int]], ...] = (
    # first and last prefix, digits of the prefix, lengths (ISO/IEC 7812 as the schemes publish them)
    (range(4, 5), 1, frozenset({13, 16, 19})),  # Visa
    (range(51, 56), 2, frozenset({16})),  # Mastercard
    (range(2221, 2721), 4, frozenset({16})),
    (range(2200, 2205), 4, frozenset({16, 17, 18, 19})),  # Mir
    (range(2205, 2206), 4, frozenset({16})),  # BORICA
    (range(34, 35), 2, frozenset({15})),  # American Express
    (range(37, 38), 2, frozenset({15})),
    (range(300, 306), 3, frozenset({14, 16})),  # Diners Club
    (range(36, 37), 2, frozenset({14, 16})),
    (range(38, 40), 2, frozenset({14, 16})),
    (range(6011, 6012), 4, frozenset({16, 19})),  # Discover
    (range(644, 650), 3, frozenset({16, 19})),
    (range(65, 66), 2, frozenset({16, 19})),
    (range(3528, 3590), 4, frozenset({16, 19})),  # JCB
    (range(62, 63), 2, frozenset({16, 17, 18, 19})),  # UnionPay
    (range(50, 51), 2, frozenset(range(12, 20))),  # Maestro, Elo, Verve, RuPay, Dankort
    (range(56, 59), 2, frozenset(range(12, 20))),
    (range(63, 64), 2, frozenset(range(12, 20))),
    (range(67, 68), 2, frozenset(range(12, 20))),
    (range(60, 61), 2, frozenset({16})),  # RuPay, Hipercard
    (range(81, 83), 2, frozenset({16})),
    (range(8600, 8601), 4, frozenset({16})),  # UzCard
    (range(9792, 9793), 4, frozenset({16})),  # Troy
    (range(9860, 9861), 4, frozenset({16})),  # Humo
)


def valid(text: str) -> bool:
    """True for a number that a card scheme could have issued."""
    number = _SEPARATOR.sub("", text)
    return len(number) in _lengths(number[:4]) and int(number[-1]) == luhn_digit(number[:-1])


@functools.lru_cache(maxsize=10_000)
def _lengths(start: str) -> frozenset[int]:
    """How long the numbers are that begin with these four digits."""
    found = [sizes for prefixes, n, sizes in _ISSUERS if len(start) >= n and int(start[:n]) in prefixes]
    return frozenset().union(*found)


def _certain(text: str) -> bool:
    """Not the lengths that schemes gave up or that product codes (EAN-13, GTIN-14) have as well."""
    digits = len(_SEPARATOR.sub("", text))
    return 15 <= digits <= 16 and valid(text)


def _reserved(text: str) -> bool:
    return _SEPARATOR.sub("", text).startswith(tuple(TEST_CARD_PREFIXES.values()))


def _prefilter() -> str:
    """Fifteen digits in card grouping that don't begin with a test prefix."""
    shapes = []
    for first in "23456":
        test = TEST_CARD_PREFIXES[first]
        for length in range(1, len(test)):
            same = "[ -]?".join(test[:length])
            shapes.append(rf"\b{same}[ -]?[^{test[length]}\D](?:[ -]?[0-9]){{{14 - length}}}")
    return "|".join([*shapes, r"\b[89](?:[ -]?[0-9]){14}"])


DETECTOR = Detector(
    name="card",
    version=3,
    summary="card numbers by issuer, length and Luhn digit; reserved: the schemes' test prefixes",
    kind="card",
    prefilter=_prefilter(),
    lead=0,
    signs="234568",
    hint="[2-689][0-9]{3}(?:[ ./-]{0,3}[0-9]){8}",
    eager=_EAGER,
    strict=_CANDIDATE,
    valid=valid,
    certain=_certain,
    reserved=_reserved,
)
