"""Where in many payloads at once a detector could find something that isn't reserved: all but a few drop out here.

A clean copy is full of surrogates that look like what a detector seeks. Each sieve knows those of its detector and
lets everything else through that `Detector.leaks` could find, and maybe more: the detector itself decides. A text with
digits of other scripts always passes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from desensitizers.detectors.iban import BBAN
from desensitizers.proof.lines import PAD, Bytes, Lines, Places, distinct
from desensitizers.surrogates.kinds import EMAIL_HOST, TEST_CARD_PREFIXES

_ZERO = ord("0")
_WORD = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_AT_ONCE = 1 << 17
_CARD_DIGITS = 16
_WIDEST = 2 * _CARD_DIGITS - 1
"""Bytes of so many digits with a separator between each two."""

Marks = npt.NDArray[np.bool_]


def _table(chars: bytes) -> Marks:
    return np.isin(np.arange(256), np.frombuffer(chars, np.uint8))


_IN_WORD, _IN_HOST, _BEFORE_NO_CARD = _table(_WORD), _table(_WORD + b".-"), _table(_WORD + b"_.+-")
_SEPARATOR = _table(b" -")
_OTHER_DIGITS = _table(b"\xd9\xdb\xdf\xe0\xe1\xea\xef\xf0")
"""The first bytes of all decimal digits that aren't ASCII."""
_HOST = np.frombuffer(EMAIL_HOST.encode(), np.uint8)
_COUNTRIES = np.zeros((256, 256), np.bool_)
for _country in BBAN:
    _COUNTRIES[ord(_country[0]), ord(_country[1])] = True
_OPENING = np.zeros((256, 256), np.bool_)
for _second, _third in (b"yJ", b"yA", b"wo", b"w0", b"wk"):
    _OPENING[_second, _third] = True
_TWICE = np.array([sum(divmod(2 * digit, 10)) for digit in range(10)], np.intp)
_TEST_CARDS = np.array([int(prefix) for prefix in TEST_CARD_PREFIXES.values()])


def _email(lines: Lines) -> Places:
    data = lines.array
    at = np.flatnonzero(data == ord("@"))
    ours: Marks = (data[at[:, None] + np.arange(1, len(_HOST) + 1)] == _HOST).all(axis=1)
    found: Places = at[~ours | _IN_HOST[data[at + len(_HOST) + 1]]]
    return found


def _phone(lines: Lines) -> Places:
    data = lines.array
    plus = np.flatnonzero(data == ord("+"))
    first = data[plus + 1]
    plus = plus[((first > _ZERO) & (first <= ord("9"))) | (first == ord("("))]
    ours: Marks = (data[plus[:, None] + np.arange(1, 4)] == ord("9")).all(axis=1)
    found: Places = plus[~ours]
    return found


def _iban(lines: Lines) -> Places:
    data = lines.array
    found = _gathered(data, _national)
    return found[_COUNTRIES[data[found], data[found + 1]]]


def _national(data: Bytes) -> Places:
    """Two capitals and two digits."""
    capital = (data - np.uint8(ord("A"))) < 26
    digit = (data - np.uint8(_ZERO)) < 10
    return np.flatnonzero((capital[:-3] & capital[1:-2]) & (digit[2:-1] & digit[3:]))


def _card(lines: Lines) -> Places:
    """Fifteen or sixteen digits, grouped or not, that pass the Luhn check and don't begin as test cards do."""
    data = lines.array
    other = np.flatnonzero(data >= min(np.flatnonzero(_OTHER_DIGITS)))
    other = other[_OTHER_DIGITS[data[other]]]
    starts = _gathered(data, _grouped)
    first = data[starts]
    starts = starts[(first >= ord("2")) & (first <= ord("9")) & ~_BEFORE_NO_CARD[data[starts - 1]]]
    if not len(starts):
        return other
    window = starts[:, None] + np.arange(_WIDEST)
    digit = (data[window] - np.uint8(_ZERO)) < 10
    if digit[:, :_CARD_DIGITS].all():
        places, real = window[:, :_CARD_DIGITS], digit[:, :_CARD_DIGITS]
    else:
        order = np.argsort(~digit, axis=1, kind="stable")[:, :_CARD_DIGITS]
        places, real = np.take_along_axis(window, order, 1), np.take_along_axis(digit, order, 1)
    return np.append(other, starts[_is_card(data, places, real)])


def _grouped(data: Bytes) -> Places:
    """Where four digits begin, as the first of fifteen bytes at least that are digits and separators."""
    digit = (data - np.uint8(_ZERO)) < 10
    joined = digit | (data == ord(" ")) | (data == ord("-"))
    four = digit
    for step in (1, 2):
        four = four[:-step] & four[step:]
    for step in (1, 2, 4, 7):
        joined = joined[:-step] & joined[step:]
    return np.flatnonzero(joined[1:] & four[1 : len(joined)] & ~digit[: len(joined) - 1]) + 1


def _gathered(data: Bytes, places: Callable[[Bytes], Places]) -> Places:
    """The places in all the data, looked at so many bytes at a time that what is made of them stays in the cache."""
    found = [
        places(data[max(0, start - 1) : start + _AT_ONCE + len(PAD)]) + max(0, start - 1)
        for start in range(0, len(data) - len(PAD), _AT_ONCE)
    ]
    return distinct(np.concatenate(found))


def _is_card(data: Bytes, places: npt.NDArray[np.intp], real: Marks) -> Marks:
    """For the places of sixteen digits each, as far as they are real ones."""
    gaps = np.diff(places, axis=1)
    joined = real[:, 1:] & ((gaps == 1) | ((gaps == 2) & _SEPARATOR[data[places[:, 1:] - 1]]))
    digits = data[places] % np.uint8(_ZERO) % np.uint8(10)
    fifteen: Marks = joined[:, :14].all(axis=1)
    sixteen: Marks = joined.all(axis=1)
    fifteen &= ~_IN_WORD[data[places[:, 14] + 1]]
    sixteen &= ~_IN_WORD[data[places[:, 15] + 1]]
    fifteen &= (digits[:, :15:2].sum(axis=1) + _TWICE[digits[:, 1:15:2]].sum(axis=1)) % 10 == 0
    sixteen &= (digits[:, 1::2].sum(axis=1) + _TWICE[digits[:, ::2]].sum(axis=1)) % 10 == 0
    return (fifteen | sixteen) & ~_test_card(digits)


def _test_card(digits: Bytes) -> Marks:
    return np.isin(digits[:, :6] @ 10 ** np.arange(5, -1, -1), _TEST_CARDS)


def _jwt(lines: Lines) -> Places:
    """A brace, and what may follow one in JSON, in base64."""
    data = lines.array
    places = np.flatnonzero(data[:-2] == ord("e"))
    second = data[places + 1]
    places = places[(second == ord("y")) | (second == ord("w"))]
    found: Places = places[_OPENING[data[places + 1], data[places + 2]]]
    return found


def _any(*marks: bytes) -> Callable[[Lines], Places]:
    def places(lines: Lines) -> Places:
        found = []
        for mark in marks:
            place = lines.data.find(mark)
            while place >= 0:
                found.append(place)
                place = lines.data.find(mark, place + 1)
        return np.array(found, np.intp)

    return places


SIEVES: dict[str, Callable[[Lines], Places]] = {
    "email": _email,
    "phone": _phone,
    "iban": _iban,
    "card": _card,
    "jwt": _jwt,
    "private_key": _any(b"BEGIN ", b"PuTTY-User-Key-File-"),
}
"""By detectors of ours, which find something only in the lines of these places."""
