"""How mail, pages, logs and other systems write a text: quoted-printable, entities, UTF-16 and UTF-32, Windows'
letters, bytes one by one in hex.

Each function gives the rows of a block in which it found such writing, as UTF-8.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

_ENTITY = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_QUOTED = re.compile(rb"=([0-9A-Fa-f]{2})")
_SOFT_BREAKS = re.compile(rb"(?m)^(?:[^\n]{0,200}=\r?\n)+[^\n]*")
_SOFT_BREAK = re.compile(rb"=\r?\n")
_WORDS = re.compile(rb"=\?[\w-]+(?:\*[\w-]*)?\?[qQ]\?([^?\s]*)\?=")
"""RFC 2047: words of a mail's header."""
_CONTROL = bytes(range(9)) + bytes(range(14, 32)) + b"\x7f"
_LETTER = np.array([chr(byte).isalpha() or byte > 127 for byte in range(256)])
_WIDE = 16
"""High bytes of UTF-16 below this are told from data: of Latin, Greek, Cyrillic, Hebrew, Arabic, Indian letters."""
_STEADY = 5
"""Characters in a row with the same high byte, at least."""
_HEX_PAIRS = re.compile(rb"(?<![0-9a-zA-Z])(?:0[xX])?[0-9a-fA-F]{2}(?:(?:[:,; -]|, )(?:0[xX])?[0-9a-fA-F]{2}){5,}")
"""Bytes as ``41:6e:6e:61`` or ``0x41, 0x6e``, as many as are searched."""
_PAIRS_OF_ZEROS = re.compile(rb"\0\0..\0\0..\0\0", re.DOTALL)
_FARTHEST = 6
_AT_ONCE = 1 << 16
"""Bytes looked at at a time: what is made of them stays in the processor's cache."""
_SEPARATORS = bytes(char in b":,; -" for char in range(256))
_NO_PAIR = re.compile(rb"0[xX]|[:,; -]")


def written(block: bytes) -> Iterator[bytes]:
    """All of them."""
    if b"&" in block:
        yield from _rows(row for row in _changed(block, b"&", b";", _entities))
    if b"=" in block:
        yield from _rows(_quoted_printable(block))
    if b"+" in block:
        yield from _rows(_plus(block))
    if b"%" in block and (b"%u" in block or b"%U" in block):
        yield from _rows(row for row in _changed(block, b"%", b"u", _percent_u))
    if _has_pairs(block):
        yield from _rows(_hex_pairs(block))
    if _PAIRS_OF_ZEROS.search(block):
        yield from _rows(_wider(block))
    if not block.isascii() or b"\0" in block:
        yield from _rows(_wide(block))
        yield from _rows(_western(block))


def _rows(rows: Iterator[bytes]) -> list[bytes]:
    found = list(rows)
    return [b"\n".join((b"", *found, b""))] if found else []


def _changed(block: bytes, mark: bytes, other: bytes, decode: Callable[[bytes], bytes]) -> Iterator[bytes]:
    for row in block.split(b"\n"):
        if mark in row and other in row and (plain := decode(row)) != row:
            yield plain


def _entities(row: bytes) -> bytes:
    return _ENTITY.sub(lambda match: html.unescape(match[0].decode()).encode("utf-8", "surrogatepass"), row)


_PERCENT_U = re.compile(rb"%[uU]([0-9a-fA-F]{4})|%([0-9a-fA-F]{2})")


def _percent_u(row: bytes) -> bytes:
    """What JavaScript's ``escape`` wrote: ``%u0141`` and Latin-1."""
    return _PERCENT_U.sub(lambda match: chr(int(match[1] or match[2], 16)).encode("utf-8", "surrogatepass"), row)


def _plus(block: bytes) -> Iterator[bytes]:
    """What a form sent: rows in which letters stand around a plus."""
    data = np.frombuffer(block, np.uint8)
    places = np.flatnonzero(data[1:-1] == ord("+")) + 1
    places = places[_LETTER[data[places - 1]] & _LETTER[data[places + 1]]]
    for begin, end in _around(block, places):
        yield block[begin:end].replace(b"+", b" ")


def _around(block: bytes, places: npt.NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Where the rows that hold these places (in order) begin and end."""
    end = -1
    for place in places.tolist():
        if place >= end:
            begin, end = block.rfind(b"\n", 0, place) + 1, block.find(b"\n", place)
            end = len(block) if end < 0 else end
            yield begin, end


def _quoted_printable(block: bytes) -> Iterator[bytes]:
    """RFC 2045: bytes as ``=C3=BC``, and long lines broken after ``=``."""
    for row in block.split(b"\n"):
        if b"=" in row:
            if _QUOTED.search(row):
                yield _unquoted(row)
            if b"?=" in row:
                yield _WORDS.sub(lambda match: _unquoted(match[1].replace(b"_", b" ")), row)
    if b"=\n" in block or b"=\r\n" in block:
        for match in _SOFT_BREAKS.finditer(block):
            if b" " in match[0] or _QUOTED.search(match[0]):
                yield _unquoted(_SOFT_BREAK.sub(b"", match[0]))


def _unquoted(row: bytes) -> bytes:
    return _QUOTED.sub(lambda match: bytes.fromhex(match[1].decode()), row)


def _wide(block: bytes) -> Iterator[bytes]:
    """UTF-16 at any place: rows in which every second byte is the same small one for a while, and no other is zero."""
    data = np.frombuffer(block, np.uint8)
    if len(data) < 2 * _STEADY or data.min() > _WIDE:
        return
    high = (data[2:] == data[:-2]) & (data[2:] < _WIDE) & (data[1:-1] != 0)
    for step in (2, 4):
        high = high[:-step] & high[step:]
    places = np.flatnonzero(high)
    for begin, end in _around(block, places):
        first = int(places[np.searchsorted(places, begin)])
        for start, code in ((begin + (first - begin + 1) % 2, "utf-16-le"), (begin + (first - begin) % 2, "utf-16-be")):
            yield block[start : end - (end - start) % 2].decode(code, "ignore").encode()


def _has_pairs(block: bytes) -> bool:
    """Whether there may be such bytes: five separators, each as far from the last as that from the one before."""
    for begin in range(0, len(block), _AT_ONCE):
        piece = block[begin : begin + _AT_ONCE + 5 * _FARTHEST]
        separator = np.frombuffer(piece.translate(_SEPARATORS), np.bool_)
        for far in range(3, _FARTHEST + 1) if len(piece) > 5 * _FARTHEST else ():
            two = separator[:-far] & separator[far:]
            if (two[: -3 * far] & two[2 * far : -far] & separator[4 * far :]).any():
                return True
    return False


def _hex_pairs(block: bytes) -> Iterator[bytes]:
    """What such bytes say where it is text: addresses of network cards hardly ever are."""
    for match in _HEX_PAIRS.finditer(block):
        plain = bytes.fromhex(_NO_PAIR.sub(b"", match[0]).decode())
        if plain.translate(None, _CONTROL) == plain:
            yield plain


def _wider(block: bytes) -> Iterator[bytes]:
    """UTF-32 at any place: rows in which two of four bytes are zero for a while, and the others not both."""
    zero = np.frombuffer(block, np.uint8) == 0
    if len(zero) < 4 * _STEADY + 4:
        return
    steady = zero[:-3] & zero[1:-2] & ~(zero[2:-1] & zero[3:])
    for step in (4, 8, 4):
        steady = steady[:-step] & steady[step:]
    for begin, end in _around(block, np.flatnonzero(steady)):
        for start in range(begin, min(begin + 4, end)):
            row = block[start : end - (end - start) % 4]
            for code in ("utf-32-le", "utf-32-be"):
                yield row.decode(code, "ignore").encode("utf-8", "ignore")


def _western(block: bytes) -> Iterator[bytes]:
    """Rows of text that are not UTF-8, as Windows and Latin-1 have them."""
    try:
        block.decode()
    except UnicodeDecodeError:
        pass
    else:
        return
    for row in block.split(b"\n"):
        if row.isascii() or row.translate(None, _CONTROL) != row:
            continue
        try:
            row.decode()
        except UnicodeDecodeError:
            yield row.decode("cp1252", "replace").encode()
