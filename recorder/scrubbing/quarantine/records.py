"""What a quarantine holds: whole records, each with the first reason why no clean copy may hold it, and counts of them.

The counts name topics, kinds of places and causes, nothing that a record brought along.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from desensitizers.errors import Cause
from desensitizers.sink import Withheld
from recorder.errors import CaptureError

_LENGTH = struct.Struct("<I")
Kind = Literal["key", "value", "headers"]
Tally = Counter[tuple[str, str, str]]
"""(topic, kind of place, cause) -> records"""


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A record (see FORMAT.md 8), and why it is here."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    timestamp_type: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    leader_epoch: int | None
    in_prologue: bool
    place: str
    """key, value or the header's name."""
    path: str
    cause: Cause
    reason: str

    @property
    def counted_as(self) -> tuple[str, str, str]:
        return self.topic, kind_of(self.place), self.cause

    def row(self) -> dict[str, Any]:
        """As a row of RECORD_SCHEMA."""
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "timestamp_ms": self.timestamp_ms,
            "timestamp_type": self.timestamp_type,
            "key": self.key,
            "value": self.value,
            "headers": [{"key": name, "value": value} for name, value in self.headers],
            "leader_epoch": self.leader_epoch,
        }


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Records of a topic that were withheld for one cause at one kind of place."""

    topic: str
    place: Kind
    cause: Cause
    records: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody may know of a quarantine."""

    records: int
    lines: tuple[Line, ...]


def held(row: Mapping[str, Any], why: Withheld, *, in_prologue: bool) -> Held:
    """A record as a row of RECORD_SCHEMA."""
    return Held(
        **{name: row[name] for name in ("topic", "partition", "offset", "timestamp_ms", "timestamp_type")},
        key=row["key"],
        value=row["value"],
        headers=tuple((one["key"], one["value"]) for one in row["headers"] or ()),
        leader_epoch=row["leader_epoch"],
        in_prologue=in_prologue,
        place=why.place,
        path=why.path,
        cause=why.cause,
        reason=why.reason,
    )


def kind_of(place: str) -> Kind:
    """A header's name may be data; which kind of place it is never is."""
    return "headers" if place.startswith("header ") else "key" if place == "key" else "value"


def summary_of(tally: Tally) -> Summary:
    """Sorted by topic, place and cause."""
    lines = tuple(
        Line(topic=topic, place=place, cause=cause, records=records)  # type: ignore[arg-type]
        for (topic, place, cause), records in sorted(tally.items())
    )
    return Summary(records=tally.total(), lines=lines)


def framed(item: bytes) -> bytes:
    """An item of the stream: its length, and itself."""
    return _LENGTH.pack(len(item)) + item


def items(pieces: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The items of a stream that comes in pieces. Raises CaptureError when it ends within one."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        at = 0
        while len(buffer) - at >= _LENGTH.size:
            stop = at + _LENGTH.size + _LENGTH.unpack_from(buffer, at)[0]
            if stop > len(buffer):
                break
            yield bytes(buffer[at + _LENGTH.size : stop])
            at = stop
        del buffer[:at]
    if buffer:
        raise CaptureError(f"{where} ends within a record: it was not written by this program.")
