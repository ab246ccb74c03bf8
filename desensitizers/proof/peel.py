"""Encodings taken off: what a text holds once JSON escapes, URL encoding, base64, hex and compression are undone.

Works on whole blocks of rows at once. Peels again what it peeled, a few layers deep, within bounds.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import numpy.typing as npt

DEPTH = 4
MAX_INFLATED = 16 << 20
"""Bytes taken from one compressed piece; a bomb is not unpacked whole."""
_SHORTEST_RUN, _SHORTEST_HEX = 8, 12
_ESCAPE = re.compile(rb'\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|(["\\/bfnrt]))')
_SIMPLE = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_RUN_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_IN_RUN = np.isin(np.arange(256), np.frombuffer(_RUN_CHARS, np.uint8))
_LETTER = np.isin(np.arange(256), np.frombuffer(_RUN_CHARS[:52], np.uint8))
_CAPITAL = np.isin(np.arange(256), np.frombuffer(_RUN_CHARS[:26], np.uint8))
_HEXADECIMAL = np.isin(np.arange(256), np.frombuffer(b"0123456789abcdefABCDEF", np.uint8))
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_GZIP, _ZLIB = b"\x1f\x8b", (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


def layers(block: bytes, depth: int = DEPTH) -> list[bytes]:
    """`block` and every layer found below it, each to be searched by itself."""
    out = [block]
    if depth:
        for below in _below(block):
            out += layers(below, depth - 1)
    return out


def _below(block: bytes) -> list[bytes]:
    found: list[bytes] = []
    if b"\\" in block:
        found += _changed(block, b"\\", lambda rows: _ESCAPE.sub(_unescape, rows))
    if b"%" in block:
        found += _changed(block, b"%", unquote_to_bytes)
        if b"+" in block:
            found += _changed(block, b"%", lambda rows: unquote_to_bytes(rows.replace(b"+", b" ")))
    pieces = [*_decoded_runs(block), *_inflated(block)]
    if pieces:
        found.append(b"\n" + b"\n".join(pieces) + b"\n")
    return found


def _changed(block: bytes, mark: bytes, decode: Callable[[bytes], bytes]) -> list[bytes]:
    """The decoded rows of the block that carry the mark, when decoding changes them."""
    rows = b"\n".join([b"", *(row for row in block.split(b"\n") if mark in row), b""])
    plain = decode(rows)
    return [plain] if plain != rows else []


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[3]:
        return _SIMPLE.get(match[3], match[3])
    first = int(match[1], 16)
    if match[2] and 0xD800 <= first < 0xDC00:
        code = 0x10000 + ((first - 0xD800) << 10) + (int(match[2], 16) - 0xDC00)
        return chr(code).encode()
    text = chr(first).encode("utf-8", "surrogatepass")
    return text + (chr(int(match[2], 16)).encode("utf-8", "surrogatepass") if match[2] else b"")


def _decoded_runs(block: bytes) -> list[bytes]:
    """Base64 (plain and URL-safe, at every alignment) and hex, where it is not plainly something else."""
    mixed, hexadecimal = _runs(block)
    out = [piece for run in mixed for piece in _base64(run)]
    for run in hexadecimal:
        if len(run) % 2 == 0:
            plain = binascii.unhexlify(run)
            if _is_text(plain):  # hashes and ids in hex hardly ever are
                out.append(plain)
    return out


def _runs(block: bytes) -> tuple[set[bytes], set[bytes]]:
    """Stretches of base64's letters that could hold six bytes, and of hex.

    What base64 makes is told from words by mixed case (after the first letter), else by digits among letters in whole
    groups of four. What looks like one word, one number or hex stays unpeeled as base64: six bytes do once in 1,500.
    """
    data = np.frombuffer(block, np.uint8)
    inside = np.zeros(len(block) + 2, np.int8)
    inside[1:-1] = _IN_RUN[data]
    edges = np.flatnonzero(np.diff(inside))
    starts, ends = edges[::2], edges[1::2]
    long = ends - starts >= _SHORTEST_RUN
    starts, ends = starts[long], ends[long]
    letters, capitals, hexadecimals = (_counts(table[data]) for table in (_LETTER, _CAPITAL, _HEXADECIMAL))
    inner = capitals[ends] - capitals[starts + 1]
    lettered = letters[ends] - letters[starts]
    mixed = (inner > 0) & (lettered > capitals[ends] - capitals[starts])
    all_hex = hexadecimals[ends] - hexadecimals[starts] == ends - starts
    in_hex = all_hex & (ends - starts >= _SHORTEST_HEX) & (lettered > 0)
    mixed |= _grouped(data, starts, ends) & (lettered > 0) & (lettered < ends - starts) & ~all_hex
    return _slices(block, starts[mixed], ends[mixed]), _slices(block, starts[in_hex], ends[in_hex])


def _grouped(
    data: npt.NDArray[np.uint8], starts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Which stretches are whole groups of four with their padding, in the plain alphabet: ids have - or _."""
    after = np.concatenate((data, np.zeros(2, np.uint8)))
    padding = (after[ends] == ord("=")).astype(np.intp) * (1 + (after[ends + 1] == ord("=")))
    dashes = _counts((data == ord("-")) | (data == ord("_")))
    grouped: npt.NDArray[np.bool_] = ((ends - starts + padding) % 4 == 0) & (dashes[ends] == dashes[starts])
    return grouped


def _counts(marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """How many marks stand before each place."""
    out = np.zeros(len(marks) + 1, np.int32)
    np.cumsum(marks, out=out[1:])
    return out


def _slices(block: bytes, starts: Any, ends: Any) -> set[bytes]:
    return {block[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)}


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _base64(run: bytes) -> list[bytes]:
    run = run.translate(_URLSAFE)
    out = []
    for skip in range(4):
        text = run[skip:]
        text = text[: len(text) - (len(text) % 4 == 1)]
        plain = base64.b64decode(text + b"=" * (-len(text) % 4))
        out.append(plain)
        if skip == 0:
            out += _inflated(plain)
    return out


def _inflated(block: bytes) -> list[bytes]:
    """What gzip and zlib streams in the block hold; broken ones as far as they go."""
    out = []
    position = block.find(_GZIP)
    while position >= 0:
        out += _inflate(memoryview(block)[position:], 31)
        position = block.find(_GZIP, position + 2)
    if block.startswith(_ZLIB):
        out += _inflate(block, 15)
    return out


def _inflate(data: bytes | memoryview, window: int) -> list[bytes]:
    try:
        plain = zlib.decompressobj(window).decompress(data, MAX_INFLATED)
    except zlib.error:
        return []
    return [plain] if plain else []
