"""From an original to the byte strings that must not be found.

Six bytes and more are searched anywhere; shorter texts only as whole leaves (between quotes, or as a whole
payload), because three letters turn up by chance. A bare number counts when it stands alone and is so long
that chance would not produce it in that much data. Case doesn't matter.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

from desensitizers import canonical
from desensitizers.learned import normal, spelled

ANYWHERE_FROM = 6
LEAF_FROM = 3
ROW = b"\n"
"""Separates rows and payloads in what is searched, so that a whole payload stands between two of them."""
_SHORTEST_NUMBER = 9
_CHANCE = 0.01
_BYTES_PER_NUMBER = 20


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many digits it takes before a find is no chance (less than one chance find in a hundred captures)."""

    number: int
    """For a bare number, against all the numbers in the copy."""
    digits: int
    """For a text whose surrogate has the same form with other digits, against those surrogates."""

    @classmethod
    def of(cls, originals: int, searched_bytes: int) -> Thresholds:
        """For so many different originals in so many bytes."""
        numbers = max(1, searched_bytes // _BYTES_PER_NUMBER)
        return cls(max(_SHORTEST_NUMBER, _digits_for(max(1, originals) * numbers)), _digits_for(max(1, originals) ** 2))


def _digits_for(meetings: int) -> int:
    return math.ceil(math.log10(meetings / _CHANCE)) + 1


def needles(text: str, thresholds: Thresholds, *, keeps_form: bool) -> Iterator[bytes]:
    """What to search for one original; nothing when it can't be told from chance.

    `keeps_form`: its surrogate differs in the digits only, so other people's surrogates look like it.
    """
    forms = spelled(text)
    if any(char in text for char in " -"):
        forms.add(normal(canonical.compact(text)))
    if "@" in text:
        forms |= {normal(form) for form in _addresses(canonical.email(text))}
    for form in forms:
        digits = len(form) - len(form.translate(None, b"0123456789"))
        if keeps_form and digits < thresholds.digits:
            continue
        if digits == len(form):
            if digits >= thresholds.number:
                yield form
        elif len(form) >= ANYWHERE_FROM:
            yield form
        elif len(form) >= LEAF_FROM and any(byte > 127 or chr(byte).isalpha() for byte in form):
            yield b'"' + form + b'"'
            yield ROW + form + ROW


def _addresses(text: str) -> Iterator[str]:
    """An e-mail address, and with its host as the DNS spells it."""
    yield text
    local, _, host = text.rpartition("@")
    if not host.isascii():
        with contextlib.suppress(UnicodeError):  # that is no host then
            yield f"{local}@{host.encode('idna').decode()}"


def stands(haystack: bytes, start: int, end: int) -> bool:
    """Whether a hit counts: a number must not be a part of a longer one."""
    if not haystack[start:end].isdigit():
        return True
    before, after = haystack[start - 1 : start], haystack[end : end + 1]
    return not (before.isdigit() or after.isdigit())
