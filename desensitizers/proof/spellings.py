"""Rows in their plainest spelling: what is searched in them is, too (see `desensitizers.spelling`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from desensitizers.proof.escapes import unescaped
from desensitizers.spelling import tidy

_ODD_LEADS = (0xCC, 0xCD, 0xD9, 0xDB, 0xE0, 0xE1, 0xEF, 0xF0, 0xF3)
"""First bytes of the UTF-8 of combining marks, other digits, compatible and wide letters, and signs without a shape."""
_ODD_PAIRS = (0xC2A0, 0xC2AD, 0xC2B4, 0xC4B0, 0xC4B1, 0xCABC, 0xE280, 0xE281, 0xE288, 0xE380)
"""The same for two bytes, where the first alone is ordinary: other spaces, dashes, quotes, the Turkish i."""
_ANY = rb"[\x80-\xbf]"
_SIGN = re.compile(
    rb"\xe2[\x80\x81\x88]" + _ANY + rb"|\xc2[\xa0\xad\xb4]|\xc4[\xb0\xb1]|\xca\xbc|[\xd9\xdb]" + _ANY
    + rb"|\xe3\x80\x80|\xef" + _ANY + _ANY + rb"|\xe0" + _ANY + _ANY + rb"|[\xf0\xf3]" + _ANY + _ANY + _ANY
)  # fmt: skip
_COMBINING = (b"\xcc", b"\xcd", b"\xe1", b"\xe3\x82\x99")
_LETTERS = re.compile(
    rb"(?:[A-Za-z]|[\xc3-\xdf]" + _ANY + rb"|[\xe0-\xef]" + _ANY + _ANY + rb")?"
    rb"(?:[\xcc\xcd]" + _ANY + rb"|\xe1" + _ANY + _ANY + rb"|\xe3\x82[\x99\x9a])+"
)  # fmt: skip
_ESCAPED = (b"\\n", b"\\r", b"\\t")
_SPACES = re.compile(rb" {2,}")


def respelled(block: bytes) -> list[bytes]:
    """The rows of a block that can be spelled more plainly, so spelled."""
    rows = [*_spaced(block), *_lettered(block)]
    return [b"\n".join((b"", *rows, b""))] if rows else []


def _spaced(block: bytes) -> Iterator[bytes]:
    """Rows with white space other than single spaces: a text's lines are one there."""
    escaped = [sign for sign in _ESCAPED if sign in block] if b"\\" in block else []
    if not (escaped or b"\t" in block or _two_spaces(block)):
        return
    for row in block.split(b"\n"):
        plain = row.replace(b"\t", b" ")
        for sign in escaped:
            plain = plain.replace(sign, b" ")
        if b"  " in plain:
            plain = _SPACES.sub(b" ", plain)
        if plain != row:
            yield unescaped(plain) if b"\\" in plain else plain


def _two_spaces(block: bytes) -> bool:
    space = np.frombuffer(block, np.uint8) == ord(" ")
    return bool((space[1:] & space[:-1]).any())


def _lettered(block: bytes) -> Iterator[bytes]:
    """Rows with letters and signs that Unicode takes for others."""
    if block.isascii():
        return
    data = np.frombuffer(block, np.uint8)
    places = np.flatnonzero(_LEADS[data[:-1]])
    places = places[_ODD[data[places].astype(np.uint16) << 8 | data[places + 1]]]
    rows = []
    end = -1
    for place in places.tolist():
        if place >= end:
            begin, end = block.rfind(b"\n", 0, place) + 1, block.find(b"\n", place)
            end = len(block) if end < 0 else end
            rows.append(block[begin:end])
    before = b"\n".join(rows)
    plain = _SIGN.sub(_plain, before)
    if any(lead in plain for lead in _COMBINING):
        plain = _LETTERS.sub(_plain, plain)
    if plain != before:
        yield _SPACES.sub(b" ", plain) if _two_spaces(plain) else plain


def _plain(match: re.Match[bytes]) -> bytes:
    return _tidied(match[0])


@lru_cache(maxsize=10_000)
def _tidied(word: bytes) -> bytes:
    return tidy(word.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _odd() -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Which bytes may be the first of something odd, and which pairs of bytes are."""
    leads, pairs = np.zeros(256, np.bool_), np.zeros(1 << 16, np.bool_)
    for lead in _ODD_LEADS:
        leads[lead] = True
        pairs[lead << 8 | 0x80 : lead << 8 | 0xC0] = True
    for pair in _ODD_PAIRS:
        leads[pair >> 8] = pairs[pair] = True
    return leads, pairs


_LEADS, _ODD = _odd()
