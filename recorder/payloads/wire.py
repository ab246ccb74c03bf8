"""Confluent's wire format: which schema a payload was written with, said in a prefix or in a header.

Prefix: byte 0, id (4 bytes, big-endian), for Protobuf message indexes. Header `__key_schema_id`/`__value_schema_id`:
byte 1 and the schema's 16-byte GUID (or byte 0 and an id), for Protobuf message indexes; the payload is then bare.
Message indexes: zigzag varints, count then indexes; a single 0 byte stands for [0], the first message.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from recorder.payloads import spread
from recorder.payloads.reasons import PayloadError, Reason, Side
from recorder.payloads.spread import Ints

HEADER_NAMES: dict[Side, str] = {"key": "__key_schema_id", "value": "__value_schema_id"}
PREFIX_SIZE = 5
INDEXES_LIMIT = 64

Headers = Iterable[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Frame:
    """Which schema: by `id` or by `guid`; `indexes` is the raw message index bytes (Protobuf), kept as written."""

    id: int | None = None
    guid: str | None = None
    indexes: bytes = b""
    in_header: bool = False

    @property
    def key(self) -> int | str:
        """What `SchemaBook.find` takes."""
        return self.guid if self.id is None and self.guid is not None else (self.id or 0)

    def write(self) -> bytes:
        """The prefix, or the header's value."""
        start = b"\0" + struct.pack(">I", self.id) if self.id is not None else b"\1" + uuid.UUID(self.guid).bytes
        return start + self.indexes


def split(payload: bytes) -> tuple[Frame | None, bytes]:
    """The frame in the prefix and what follows (for Protobuf beginning with its message indexes).

    No magic byte, or too short for an id: (None, payload). Whether the id is one is for the schema book to say.
    """
    if len(payload) < PREFIX_SIZE or payload[0] != 0:
        return None, payload
    return Frame(id=int.from_bytes(payload[1:5], "big")), payload[5:]


def from_headers(headers: Headers, side: Side) -> Frame | None:
    """The frame in the headers (the last of that name counts), None when there is none.

    Raises PayloadError (truncated frame) for one that makes no sense.
    """
    name = HEADER_NAMES[side]
    content: bytes | None = None
    for header, value in headers:
        if header == name and value is not None:
            content = value
    return None if content is None else read_header(content)


def read_header(content: bytes) -> Frame:
    """A header's value as a frame. Raises PayloadError (truncated frame)."""
    if content[:1] == b"\1" and len(content) >= 17:
        return Frame(guid=str(uuid.UUID(bytes=content[1:17])), indexes=content[17:], in_header=True)
    if content[:1] == b"\0" and len(content) >= PREFIX_SIZE:
        return Frame(id=int.from_bytes(content[1:5], "big"), indexes=content[5:], in_header=True)
    raise PayloadError(Reason.TRUNCATED_FRAME, f"schema header of {len(content)} bytes: {content[:20].hex()}")


def take_indexes(frame: Frame, body: bytes) -> tuple[Frame, bytes]:
    """For Protobuf: move the message indexes at the start of `body` into the frame.

    Raises PayloadError (truncated frame) when they end too early, are negative or too many.
    """
    if frame.in_header:
        read_indexes(frame.indexes or b"\0")
        return frame, body
    _, end = read_indexes(body)
    return replace(frame, indexes=body[:end]), body[end:]


def read_indexes(data: bytes) -> tuple[tuple[int, ...], int]:
    """(message indexes, number of bytes they took). Raises PayloadError (truncated frame)."""
    count, at = _zigzag(data, 0)
    if count == 0:
        return (0,), at
    if not 0 < count <= INDEXES_LIMIT:
        raise PayloadError(Reason.TRUNCATED_FRAME, f"{count} message indexes")
    indexes = []
    for _ in range(count):
        index, at = _zigzag(data, at)
        if index < 0:
            raise PayloadError(Reason.TRUNCATED_FRAME, f"message index {index}")
        indexes.append(index)
    return tuple(indexes), at


def write_indexes(indexes: tuple[int, ...]) -> bytes:
    """The short form for the first message, else count and indexes."""
    if indexes == (0,):
        return b"\0"
    return b"".join(_write_zigzag(number) for number in (len(indexes), *indexes))


def rewrite(payload: bytes, new_id: int) -> bytes:
    """The payload with another schema id in its prefix; all else (message indexes too) stays byte for byte.

    Raises PayloadError (truncated frame) when there is no frame.
    """
    if len(payload) < PREFIX_SIZE or payload[0] != 0:
        raise PayloadError(Reason.TRUNCATED_FRAME, f"no schema id in the first bytes: {payload[:5].hex() or 'none'}")
    return b"\0" + struct.pack(">I", new_id) + payload[PREFIX_SIZE:]


def rewrite_header(content: bytes, new: int | str) -> bytes:
    """A header's value naming another schema, by id or GUID. Raises PayloadError (truncated frame)."""
    frame = read_header(content)
    if isinstance(new, int):
        return replace(frame, id=new, guid=None).write()
    return replace(frame, id=None, guid=new).write()


def ids_of(payloads: pa.Array) -> tuple[Ints, Ints, Ints]:
    """For a binary column: (schema id in the prefix or -1, start of each payload in its data buffer, its end)."""
    starts, ends = spread.spans(payloads)
    ids = np.full(len(payloads), -1, dtype=np.int64)
    data = spread.data_of(payloads)
    framed = np.flatnonzero(ends - starts >= PREFIX_SIZE)
    if len(framed):
        at = starts[framed]
        framed, at = framed[data[at] == 0], at[data[at] == 0]
        ids[framed] = (
            (data[at + 1].astype(np.int64) << 24)
            | (data[at + 2].astype(np.int64) << 16)
            | (data[at + 3].astype(np.int64) << 8)
            | data[at + 4]
        )
    return ids, starts, ends


def indexes_of(payloads: pa.Array, starts: Ints, ends: Ints) -> list[tuple[bytes, Ints]]:
    """For bodies in a binary column: (raw message indexes, positions of the bodies that begin so).

    What makes no sense comes as it is, for `read_indexes` to refuse.
    """
    data = spread.data_of(payloads)
    if not len(data):
        return [(b"", np.arange(len(starts)))]
    last = len(data) - 1
    first = np.where(ends > starts, data[np.minimum(starts, last)], 255)
    second = np.where(ends > starts + 1, data[np.minimum(starts + 1, last)], 255)
    # Nearly all are the short form or one index below 64: told apart without looking at each.
    kind = np.where(first == 0, 0, np.where((first == 2) & (second < 0x80), second.astype(np.int64) + 1, -1))
    found = [
        (b"\0" if code == 0 else bytes((2, code - 1)), np.flatnonzero(kind == code))
        for code in np.unique(kind[kind >= 0]).tolist()
    ]
    others: dict[bytes, list[int]] = {}
    for at in np.flatnonzero(kind < 0).tolist():
        head = data[starts[at] : min(ends[at], starts[at] + 5 * (INDEXES_LIMIT + 1))].tobytes()
        try:
            head = head[: read_indexes(head)[1]]
        except PayloadError:
            head = head[:INDEXES_LIMIT]
        others.setdefault(head, []).append(at)
    return found + [(head, np.array(places)) for head, places in others.items()]


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 35:
        if at >= len(data):
            raise PayloadError(Reason.TRUNCATED_FRAME, "message indexes end too early")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise PayloadError(Reason.TRUNCATED_FRAME, "a message index of more than 32 bits")


def _write_zigzag(number: int) -> bytes:
    value = (number << 1) ^ (number >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
