"""From an original to the byte strings that must not be found.

Six bytes and more are searched anywhere; shorter texts only as whole leaves (between quotes, or as a whole
payload), because three letters turn up by chance. A bare number counts when it stands alone and is so long
that chance would not produce it in that much data. Case doesn't matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from desensitizers import canonical
from desensitizers.errors import UnfitError
from desensitizers.learned import normal

ANYWHERE_FROM = 6
LEAF_FROM = 3
ROW = b"\n"
"""Separates rows and payloads in what is searched, so that a whole payload stands between two of them."""
_SHORTEST_NUMBER = 9
_CHANCE = 0.01
_BYTES_PER_NUMBER = 20
_CANONICAL_FORMS = (canonical.compact, canonical.email)


def shortest_number(originals: int, searched_bytes: int) -> int:
    """Digits from which a bare number is searched: `originals` of them would meet one of the numbers in
    `searched_bytes` by chance less than once in a hundred captures.
    """
    meetings = max(1, originals) * max(1, searched_bytes // _BYTES_PER_NUMBER)
    return max(_SHORTEST_NUMBER, math.ceil(math.log10(meetings / _CHANCE)))


def needles(text: str, number_from: int) -> Iterator[bytes]:
    """What to search for one original; nothing when it can't be told from chance."""
    forms = {normal(text)}
    for function in _CANONICAL_FORMS:
        try:
            forms.add(normal(function(text)))
        except UnfitError:
            continue
    for form in forms:
        if form.isdigit():
            if len(form) >= number_from:
                yield form
        elif len(form) >= ANYWHERE_FROM:
            yield form
        elif len(form) >= LEAF_FROM and any(byte > 127 or chr(byte).isalpha() for byte in form):
            yield b'"' + form + b'"'
            yield ROW + form + ROW


def stands(haystack: bytes, start: int, end: int) -> bool:
    """Whether a hit counts: a number must not be a part of a longer one."""
    if not haystack[start:end].isdigit():
        return True
    before, after = haystack[start - 1 : start], haystack[end : end + 1]
    return not (before.isdigit() or after.isdigit())
