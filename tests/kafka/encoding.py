"""Record batches as brokers hold them (message format 2), written by hand after the protocol's description."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pyarrow as pa

NO_PRODUCER = -1


class Raw(NamedTuple):
    """A record of a hand-made batch; header names are bytes."""

    value: bytes | None
    key: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]]
    timestamp_ms: int


def encode_batch(
    records: Sequence[Raw],
    *,
    base_offset: int = 0,
    epoch: int = -1,
    attributes: int = 0,
    producer: int = NO_PRODUCER,
    deltas: Sequence[int] | None = None,
    last_delta: int | None = None,
) -> bytes:
    """`attributes` as the protocol numbers them, the codec in the lowest three bits; `deltas` are the records' offsets
    behind the base, where compaction left holes.
    """
    base = records[0].timestamp_ms if records else 0
    newest = max((record.timestamp_ms for record in records), default=-1)
    deltas = range(len(records)) if deltas is None else deltas
    last_delta = (deltas[-1] if deltas else 0) if last_delta is None else last_delta
    body = b"".join(
        _record(record, record.timestamp_ms - base, delta) for record, delta in zip(records, deltas, strict=True)
    )
    tail = struct.pack(">hiqqqhii", attributes, last_delta, base, newest, producer, -1, -1, len(records))
    tail += CODECS[attributes & 7](body)
    head = struct.pack(">iBI", epoch, 2, crc32c(tail))
    return struct.pack(">qi", base_offset, len(head) + len(tail)) + head + tail


def marker(kind: int, producer: int, base_offset: int) -> bytes:
    """The control batch that ends a transaction: 0 aborts, 1 commits."""
    record = Raw(b"\0\0\0\0\0\0", struct.pack(">hh", 0, kind), (), 0)
    return encode_batch([record], base_offset=base_offset, attributes=0x30, producer=producer)


def seal(batch: bytes) -> bytes:
    """The batch with the length and the checksum that it should have."""
    return (
        batch[:8]
        + struct.pack(">i", len(batch) - 12)
        + batch[12:17]
        + struct.pack(">I", crc32c(batch[21:]))
        + batch[21:]
    )


def varint(number: int) -> bytes:
    zigzag = (number << 1) ^ (number >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def crc32c(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _record(record: Raw, timestamp_delta: int, offset_delta: int) -> bytes:
    content = b"\0" + varint(timestamp_delta) + varint(offset_delta) + _bytes(record.key)
    content += _bytes(record.value) + varint(len(record.headers))
    content += b"".join(_bytes(name) + _bytes(value) for name, value in record.headers)
    return varint(len(content)) + content


def _bytes(content: bytes | None) -> bytes:
    return varint(-1) if content is None else varint(len(content)) + content


def _streamed(codec: str) -> Callable[[bytes], bytes]:
    def pack(body: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(body)
        return bytes(sink.getvalue())

    return pack


def _xerial(body: bytes) -> bytes:
    """Snappy as Java's library frames it, in small blocks."""
    packed = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    for begin in range(0, len(body), 100):
        block = pa.compress(body[begin : begin + 100], codec="snappy", asbytes=True)
        packed += struct.pack(">i", len(block)) + block
    return packed


def _table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = (number >> 1) ^ 0x82F63B78 if number & 1 else number >> 1
        table.append(number)
    return table


_CRC32C = _table()
CODECS: dict[int, Callable[[bytes], bytes]] = {
    0: lambda body: body,
    1: gzip.compress,
    2: _xerial,
    3: _streamed("lz4"),
    4: _streamed("zstd"),
}
