"""What compressed streams hold: gzip, zlib, zstd, lz4, bzip2 and xz wherever they begin, and bare deflate.

Broken ones as far as they go; never more than a bound of any of them.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

MAX_INFLATED = 16 << 20
"""Bytes taken from one compressed piece; a bomb is not unpacked whole."""
_GZIP = b"\x1f\x8b"
_ZLIB = re.compile(rb"x[\x01\x5e\x9c\xda]")
_ZSTD, _XZ, _LZ4, _BZIP2 = b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"\x04\x22\x4d\x18", b"1AY&SY"
_ONLY_THERE = b"\xfd"
"""Stands in the first bytes of zstd and xz, and in no text in UTF-8."""
_AFTER_LEVEL = 4
"""Bytes of a bzip2 stream (``BZh9``) before what it can be known by."""
_MIXED = 0x80
_FEWEST = 6
_KINDS = (2, 3, 4, 5)
"""The last bits of a bare deflate stream's first byte: blocks that compress."""
_HEAD = 16
"""First bytes by which a payload is known for text."""
_SOON = 1 << 16
"""Bytes after which most bare streams have ended."""
HEX_BEGINNINGS = frozenset((b"1f8b", b"7801", b"785e", b"789c", b"78da", b"28b5", b"fd37", b"0422", b"425a"))
"""The first two bytes of such streams, in hex."""


def inflated(block: bytes) -> list[bytes]:
    """What the streams in a block hold."""
    if block.isascii():
        return []
    out: list[bytes] = []
    _each(block, _GZIP, lambda data: _inflate(data, 31), out)
    if b"x" in block:
        for match in _ZLIB.finditer(block):
            if (block[match.start()] << 8 | block[match.end() - 1]) % 31 == 0:
                out += _inflate(memoryview(block)[match.start() :], 15)
    if _ONLY_THERE in block:
        _each(block, _ZSTD, lambda data: _arrow(data, "zstd"), out)
        _each(block, _XZ, lambda data: _stream(data, lzma.LZMADecompressor()), out)
    if _LZ4[:1] in block:
        _each(block, _LZ4, lambda data: _arrow(data, "lz4"), out)
    position = block.find(_BZIP2)
    while position >= _AFTER_LEVEL:
        out += _stream(memoryview(block)[position - _AFTER_LEVEL :], bz2.BZ2Decompressor())
        position = block.find(_BZIP2, position + 1)
    return out


def payloads_deflated(block: bytes) -> list[bytes]:
    """The texts that payloads (each between two line ends) hold as bare deflate streams."""
    if block.isascii():
        return []
    data = np.frombuffer(block, np.uint8)
    starts = np.flatnonzero(data == ord("\n")) + 1
    starts = starts[starts < len(data)]
    heads = data[np.minimum(starts[:, None] + np.arange(_HEAD), len(data) - 1)]
    odd = ((heads < 32) & (heads != ord("\n"))) | (heads > 126)
    starts = starts[np.isin(heads[:, 0] & 7, _KINDS) & odd.any(axis=1)]
    found = []
    for start in starts.tolist():
        for most in (_SOON, MAX_INFLATED):
            stream = zlib.decompressobj(-15)
            try:
                plain = stream.decompress(memoryview(block)[start : start + most], MAX_INFLATED)
            except zlib.error:
                break
            if stream.eof:
                found += [plain] if stream.unused_data[:1] in (b"\n", b"") and _is_text(plain) else []
                break
    return found


def _is_text(plain: bytes) -> bool:
    try:
        plain.decode()
    except UnicodeDecodeError:
        return False
    return len(plain) >= _FEWEST


def deflated(data: bytes) -> list[bytes]:
    """The text that a bare deflate stream holds, when `data` is one to its end, as SAML and others send it."""
    if len(data) < _FEWEST or data[0] & 7 not in _KINDS:  # no block of a kind that compresses
        return []
    stream = zlib.decompressobj(-15)
    try:
        plain = stream.decompress(data, MAX_INFLATED)
    except zlib.error:
        return []
    return [plain] if stream.eof and _is_text(plain) else []


def _each(block: bytes, magic: bytes, inflate: Callable[[memoryview], list[bytes]], out: list[bytes]) -> None:
    position = block.find(magic)
    while position >= 0:
        out += inflate(memoryview(block)[position:])
        position = block.find(magic, position + len(magic))


def _inflate(data: memoryview, window: int) -> list[bytes]:
    try:
        plain = zlib.decompressobj(window).decompress(data, MAX_INFLATED)
    except zlib.error:
        return []
    return [plain] if plain else []


def _stream(data: memoryview, stream: Any) -> list[bytes]:
    try:
        plain = stream.decompress(data, MAX_INFLATED)
    except (OSError, EOFError, lzma.LZMAError):
        return []
    return [plain] if plain else []


def _arrow(data: memoryview, codec: str) -> list[bytes]:
    import pyarrow as pa

    out = bytearray()
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
            while len(out) < MAX_INFLATED and (piece := stream.read(1 << 16)):
                out += piece
    except OSError:
        pass  # what came before it broke counts
    return [bytes(out)] if out else []
