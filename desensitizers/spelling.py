"""One text, many spellings: wide letters, composed or not, invisible signs, other dashes, spaces and digits.

`tidy` takes such differences away (Unicode's compatibility forms, without what Unicode says may be ignored), so that
who looks for a text finds it however it is spelled. Case stays, but for letters whose case doesn't come back.
"""

from __future__ import annotations

import re
import unicodedata

_IGNORED = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Default_Ignorable_Code_Point of Unicode: soft hyphens, joiners, marks of direction and variants."""
_DASHES, _QUOTES = "\u2010-\u2015\u2212", "\u2018\u2019\u201b\u02bc\u2032\u00b4"
_OTHER = re.compile(rf"[{_IGNORED}]|[{_DASHES}]|[{_QUOTES}]|(?![0-9])\d")
_SIGNS = {**dict.fromkeys(map(chr, [*range(0x2010, 0x2016), 0x2212]), "-"), **dict.fromkeys(_QUOTES, "'")}
_CASELESS = re.compile("i\u0307|[\u0130\u0131\u00df\u1e9e\u03c2]")
_CASES = {"i\u0307": "i", "\u0130": "I", "\u0131": "i", "\u00df": "ss", "\u1e9e": "SS", "\u03c2": "\u03c3"}
_SPACES = re.compile(r"\s+")
_FOLLOWS = re.compile(rf"[{_IGNORED}\u1160-\u11ff\uff9e\uff9f]")
"""What belongs to the letter before it, beside combining marks."""


def tidy(text: str) -> str:
    """The text in its plainest spelling; ASCII stays as it is."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", _OTHER.sub(_sign, text))
    return _CASELESS.sub(lambda match: _CASES[match[0]], plain)


def one_spaced(text: str) -> str:
    """`tidy`, with a single space for every stretch of white space."""
    return _SPACES.sub(" ", tidy(text))


def tidy_with_places(text: str, *, spaces: bool = False) -> tuple[str, list[int]]:
    """`tidy` (or `one_spaced`), and for each character of it, and for its end, where it stands in `text`."""
    out: list[str] = []
    places: list[int] = []
    start = 0
    while start < len(text):
        end = start + 1
        if spaces and text[start].isspace():
            while end < len(text) and text[end].isspace():
                end += 1
            piece = " "
        else:
            while end < len(text) and (unicodedata.combining(text[end]) or _FOLLOWS.match(text[end])):
                end += 1
            piece = tidy(text[start:end])
        out.append(piece)
        places += [start] * len(piece)
        start = end
    return "".join(out), [*places, len(text)]


def span(places: list[int], start: int, end: int) -> tuple[int, int]:
    """Where in the text stands what `tidy_with_places` has between these two, letters taken whole."""
    while end < len(places) - 1 and places[end] == places[end - 1]:
        end += 1
    return places[start], places[end]


def _sign(match: re.Match[str]) -> str:
    char = match[0]
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return _SIGNS.get(char, "")
