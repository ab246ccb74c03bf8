"""Base 128 numbers as Avro and Protobuf write them, and bodies put together again around what was replaced."""

from __future__ import annotations

from collections.abc import Sequence

from desensitizers.errors import Refusal

Edit = tuple[int, int, bytes]
"""Start and end in the body, and what stands there afterwards."""


def malformed(what: str) -> Refusal:
    """The body is not what its schema says."""
    return Refusal("", f"can't be decoded: {what}", undecodable=True)


def read(data: bytes, at: int) -> tuple[int, int]:
    """(unsigned value, place after it). Raises Refusal beyond 64 bits, IndexError at the end."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise malformed("a number of more than 64 bits")
    if value >> 64:
        raise malformed("a number of more than 64 bits")
    return value, at


def write(value: int) -> bytes:
    """An unsigned value in as few bytes as it takes."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> int:
    """0, -1, 1, -2 … as 0, 1, 2, 3 …"""
    return (value << 1) ^ (value >> 63)


def unzigzag(value: int) -> int:
    """The other way round."""
    return (value >> 1) ^ -(value & 1)


def sized(data: bytes) -> bytes:
    """`data` after its length, as Protobuf has it."""
    return write(len(data)) + data


def splice(data: bytes, edits: Sequence[Edit]) -> bytes:
    """`data` with edits, which must be in order and must not overlap."""
    pieces: list[bytes] = []
    last = 0
    for start, end, new in edits:
        pieces.append(data[last:start])
        pieces.append(new)
        last = end
    pieces.append(data[last:])
    return b"".join(pieces)
