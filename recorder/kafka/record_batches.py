"""Kafka's record batches as they lie in a log, taken apart into columns: no Python object per field.

The layout is that of the protocol's "Record Batch" (magic 2, Kafka 0.11 and later). Only the place where each record
begins is found one by one, because it hangs on the length of the one before; all else is done for all of them at once.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from crc32c import crc32c

HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_AT, _CHECKED_FROM = 12, 21
"""The batch's length counts from behind itself; the checksum covers what comes behind it."""
_COMPRESSION, _APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_ABORT_MARKER = 0
_XERIAL = b"\x82SNAPPY\x00"
_MARGIN = bytes(16)
"""Behind all records, so that a varint that is cut off may be read without looking where they end."""
_PIECE_BYTES = 4 << 20
MOST_BYTES = 1 << 30
"""A batch that claims to hold more is refused: offsets in Arrow's binary columns are 32 bits."""

Ints = npt.NDArray[np.int64]


class BatchError(Exception):
    """These bytes are not what this reads: damaged, of an older format, or compressed in an unknown way."""


class Batch(NamedTuple):
    """A batch's header, and where the batch lies in the bytes that it came in."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int
    begin: int
    end: int

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & _CONTROL)


@dataclass(frozen=True, slots=True)
class Records:
    """Records of one partition in offset order, column by column, n of each; payloads are binary, null where null."""

    offsets: Ints
    timestamps: Ints
    """Epoch ms; −1 for none."""
    timestamp_types: npt.NDArray[np.int8]
    """1 create, 2 append, as clients number them."""
    keys: pa.BinaryArray
    values: pa.BinaryArray
    header_ends: npt.NDArray[np.int32]
    """n + 1 borders in the next two: those of record i lie between i and i + 1."""
    header_names: pa.BinaryArray
    header_values: pa.BinaryArray
    leader_epochs: npt.NDArray[np.int32]


def split(data: memoryview) -> list[Batch]:
    """The batches that lie whole in `data`; brokers cut the last one off where their answer is full."""
    batches = []
    begin, size = 0, len(data)
    while begin + HEADER.size <= size:
        fields = HEADER.unpack_from(data, begin)
        end = begin + _LENGTH_AT + fields[1]
        if fields[3] != 2:
            raise BatchError(f"a record batch of format {fields[3]}")
        if fields[1] < HEADER.size - _LENGTH_AT or fields[-1] < 0:
            raise BatchError("a record batch of an impossible size")
        if end > size:
            break
        batches.append(Batch._make((*fields, begin, end)))
        begin = end
    return batches


def committed(batches: Iterable[Batch], data: memoryview, aborted: Sequence[tuple[int, int]]) -> Iterator[Batch]:
    """Without what aborted transactions wrote. `aborted`: producer and first offset of each, as the broker listed them.

    A producer's batches are aborted from a listed offset on until its next marker of an abort, as Kafka's own consumer
    has it.
    """
    waiting = sorted(aborted, key=lambda one: one[1], reverse=True)
    undone: set[int] = set()
    for batch in batches:
        while waiting and waiting[-1][1] < batch.next_offset:
            undone.add(waiting.pop()[0])
        if batch.is_control:
            if batch.producer_id in undone and _marker(batch, data) == _ABORT_MARKER:
                undone.discard(batch.producer_id)
        elif not (batch.attributes & _TRANSACTIONAL and batch.producer_id in undone):
            yield batch


def read_batches(batches: Sequence[Batch], data: memoryview, at: int) -> Records:
    """Their records from offset `at` on; control batches hold none. Raises BatchError."""
    batches = [batch for batch in batches if not batch.is_control and batch.records]
    bodies: list[bytes | memoryview] = []
    ends: list[int] = []
    size = 0
    for batch in batches:
        for piece in _body(batch, data):
            bodies.append(piece)
            size += len(piece)
            if size > MOST_BYTES:
                raise BatchError("record batches that hold more than 1 GiB")
        ends.append(size)
    joined = b"".join([*bodies, _MARGIN])
    counts = np.array([batch.records for batch in batches], np.int64)
    return _columns(batches, counts, joined, _begins(batches, ends, joined), at)


def _columns(batches: Sequence[Batch], counts: Ints, joined: bytes, begins: Ints, at: int) -> Records:
    size = len(joined) - len(_MARGIN)
    cursor = _Cursor(np.frombuffer(joined, np.uint8), begins + 1, size)
    timestamps = _per_record(batches, counts, "base_timestamp") + cursor.varint()
    offsets = _per_record(batches, counts, "base_offset") + cursor.varint()
    keys, values = cursor.bytes(), cursor.bytes()
    header_counts = cursor.varint()
    names, contents = _headers(cursor, header_counts)
    if (cursor.at[:-1] >= begins[1:]).any() or (cursor.at > size).any():
        raise BatchError("a record that is longer than it says")
    attributes = _per_record(batches, counts, "attributes")
    appended = (attributes & _APPEND_TIME).astype(bool)
    timestamps = np.where(appended, _per_record(batches, counts, "max_timestamp"), timestamps)
    types = np.where(appended, 2, 1).astype(np.int8)
    epochs = _per_record(batches, counts, "leader_epoch").astype(np.int32)
    ends = np.concatenate(([0], np.cumsum(header_counts))).astype(np.int32)
    buffer = pa.py_buffer(joined)
    first = int(np.searchsorted(offsets, at))  # a batch is sent whole, also when its middle was asked for
    if first:
        keys, values = keys.tail(first), values.tail(first)
        names, contents = names.tail(int(ends[first])), contents.tail(int(ends[first]))
    return Records(
        offsets=offsets[first:],
        timestamps=timestamps[first:],
        timestamp_types=types[first:],
        keys=keys.take(buffer),
        values=values.take(buffer),
        header_ends=ends[first:] - ends[first],
        header_names=names.take(buffer),
        header_values=contents.take(buffer),
        leader_epochs=epochs[first:],
    )


@dataclass(frozen=True, slots=True)
class _Spans:
    """Where n byte strings lie, one behind the other with other bytes between; length −1 for null."""

    starts: Ints
    lengths: Ints

    def tail(self, first: int) -> _Spans:
        return _Spans(self.starts[first:], self.lengths[first:])

    def take(self, buffer: pa.Buffer) -> pa.BinaryArray:
        count = len(self.starts)
        if not count:
            return pa.array([], pa.binary())
        # Strings and what lies between them as one array over the very bytes: every other one of it is taken.
        borders = np.empty(2 * count, np.int32)
        borders[0::2] = self.starts
        borders[1::2] = self.starts + np.maximum(self.lengths, 0)
        strewn = pa.Array.from_buffers(pa.binary(), 2 * count - 1, [None, pa.py_buffer(borders), buffer])
        missing = self.lengths < 0
        wanted = pa.array(np.arange(0, 2 * count, 2), mask=missing if missing.any() else None)
        return strewn.take(wanted)


class _Cursor:
    """Reads the same field of every record, and moves on in all of them."""

    def __init__(self, data: npt.NDArray[np.uint8], at: Ints, size: int) -> None:
        self._data, self.at, self._size = data, at, size

    def varint(self) -> Ints:
        """Zigzag varints, up to 64 bits."""
        values, self.at = self._varints(self.at)
        return values

    def bytes(self) -> _Spans:
        spans, self.at = self._spans(self.at)
        return spans

    def _spans(self, at: Ints) -> tuple[_Spans, Ints]:
        lengths, at = self._varints(at)
        after = at + np.maximum(lengths, 0)
        if (lengths < -1).any() or (after > self._size).any():
            raise BatchError("a record whose fields are longer than it")
        return _Spans(at, lengths), after

    def spans_of(self, rows: npt.NDArray[np.intp]) -> _Spans:
        """As `bytes`, of some of the records."""
        spans, self.at[rows] = self._spans(self.at[rows])
        return spans

    def _varints(self, at: Ints) -> tuple[Ints, Ints]:
        found = self._data[at]
        values = (found & 0x7F).astype(np.uint64)
        at = at + 1
        more = np.flatnonzero(found & 0x80)
        shift = 7
        while len(more):
            if shift > 63:
                raise BatchError("a number that does not end")
            found = self._data[np.minimum(at[more], self._size)]
            values[more] |= (found & 0x7F).astype(np.uint64) << np.uint64(shift)
            at[more] += 1
            more = more[(found & 0x80) != 0]
            shift += 7
        return (values >> np.uint64(1)).astype(np.int64) ^ -(values & np.uint64(1)).astype(np.int64), at


def _headers(cursor: _Cursor, counts: Ints) -> tuple[_Spans, _Spans]:
    """Names and values of all headers, record by record; the h-th of all records at once."""
    if (counts < 0).any():
        raise BatchError("a record with fewer than no headers")
    most, total = int(counts.max(initial=0)), int(counts.sum())
    if total > cursor._size:
        raise BatchError("a record with more headers than bytes")
    if most and (counts == most).all():  # as producers do: the same of all of them
        pairs = [(cursor.bytes(), cursor.bytes()) for _ in range(most)]
        return _woven([name for name, _ in pairs]), _woven([value for _, value in pairs])
    places = np.cumsum(counts) - counts
    spans = np.zeros((4, total), np.int64)
    for number in range(most):
        rows = np.flatnonzero(counts > number)
        name, value = cursor.spans_of(rows), cursor.spans_of(rows)
        spans[:, places[rows] + number] = name.starts, name.lengths, value.starts, value.lengths
    return _Spans(spans[0], spans[1]), _Spans(spans[2], spans[3])


def _woven(spans: Sequence[_Spans]) -> _Spans:
    return _Spans(
        np.stack([one.starts for one in spans], 1).ravel(), np.stack([one.lengths for one in spans], 1).ravel()
    )


def _begins(batches: Sequence[Batch], ends: Sequence[int], joined: bytes) -> Ints:
    """Where each record begins, behind its length."""
    begins: list[int] = []
    add = begins.append
    at = 0
    try:
        for batch, end in zip(batches, ends, strict=True):
            for _ in range(batch.records):
                length = joined[at]
                at += 1
                if length > 0x7F:
                    more = joined[at]
                    at += 1
                    length = length & 0x7F | (more & 0x7F) << 7
                    shift = 14
                    while more > 0x7F:
                        more = joined[at]
                        at += 1
                        length |= (more & 0x7F) << shift
                        shift += 7
                add(at)
                at += length >> 1  # zigzag; a negative one is odd, and ends beyond its batch
            if at != end:
                raise BatchError("records that don't fill their batch")
    except IndexError:
        raise BatchError("records that are longer than their batch") from None
    return np.array(begins, np.int64)


def _per_record(batches: Sequence[Batch], counts: Ints, field: str) -> Ints:
    return np.repeat(np.array([getattr(batch, field) for batch in batches], np.int64), counts)


def _marker(batch: Batch, data: memoryview) -> int:
    """What a control batch says: its record's key holds a version and a type, 16 bits each."""
    records = read_batches([batch._replace(attributes=batch.attributes & ~_CONTROL)], data, 0)
    key = records.keys[0].as_py() or b""
    return int.from_bytes(key[2:4], "big") if len(key) >= 4 else -1


def _body(batch: Batch, data: memoryview) -> Iterable[bytes | memoryview]:
    """The batch's records, unpacked, in pieces."""
    if crc32c(data[batch.begin + _CHECKED_FROM : batch.end]) != batch.crc:
        raise BatchError(f"a record batch at offset {batch.base_offset} whose checksum is wrong")
    body = data[batch.begin + HEADER.size : batch.end]
    unpack = _UNPACK.get(batch.attributes & _COMPRESSION)
    if unpack is None:
        raise BatchError("a record batch that is compressed in an unknown way")
    try:
        yield from unpack(body)
    except (pa.ArrowException, OSError, zlib.error, struct.error) as error:
        raise BatchError(f"a record batch at offset {batch.base_offset} that can't be unpacked: {error}") from None


def _gunzip(body: memoryview) -> Iterator[bytes]:
    packed: bytes | memoryview = body
    while packed:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while not unpacker.eof:
            piece = unpacker.decompress(packed, _PIECE_BYTES)
            if not piece and not unpacker.eof:
                raise BatchError("a record batch whose gzip ends too early")
            yield piece
            packed = unpacker.unconsumed_tail
        packed = unpacker.unused_data


def _stream(codec: str) -> Callable[[memoryview], Iterator[bytes]]:
    def unpack(body: memoryview) -> Iterator[bytes]:
        with pa.CompressedInputStream(pa.BufferReader(body), codec) as stream:
            # What is asked for is allocated: about what is expected, so that most come in one piece.
            while piece := stream.read(min(4 * len(body) + 4096, _PIECE_BYTES)):
                yield piece

    return unpack


def _snappy(body: memoryview) -> Iterator[bytes | memoryview]:
    """As Java's library writes it, in blocks behind a header of its own, or plain, as others do."""
    if body[: len(_XERIAL)] != _XERIAL:
        yield _unsnap(body)
        return
    at = 16
    while at < len(body):
        (size,) = struct.unpack_from(">i", body, at)
        if size < 0:
            raise BatchError("a snappy block of an impossible size")
        yield _unsnap(body[at + 4 : at + 4 + size])
        at += 4 + size


def _unsnap(block: memoryview) -> memoryview:
    """Raw snappy begins with the size of what it holds, as a varint."""
    size = shift = 0
    for byte in block[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > MOST_BYTES:
        raise BatchError("a record batch that holds more than 1 GiB")
    return memoryview(pa.decompress(block, size, "snappy"))


_UNPACK: dict[int, Callable[[memoryview], Iterable[bytes | memoryview]]] = {
    0: lambda body: (body,),
    1: _gunzip,
    2: _snappy,
    3: _stream("lz4"),
    4: _stream("zstd"),
}
