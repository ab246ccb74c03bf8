"""Protobuf messages as the types that desensitizers rewrite by: each field's number, spelling and tags.

Times and durations meet rules as what they show; wrappers stand at their field's own place, and what is inside of a
Struct or Value at the place where its JSON would be.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from desensitizers.cells import Cell
from desensitizers.errors import Refusal, UnfitError
from desensitizers.types import Field, Type
from desensitizers.varint import read, unzigzag, write, zigzag
from recorder.payloads import times
from recorder.payloads.protobuf_types import DURATION, PLAIN_JSON, TIMESTAMP, WRAPPERS, Descriptor, is_map

_FD = FieldDescriptor
_64 = 0xFFFFFFFFFFFFFFFF
_FIXED = {
    _FD.TYPE_FIXED32: "<I", _FD.TYPE_SFIXED32: "<i", _FD.TYPE_FIXED64: "<Q", _FD.TYPE_SFIXED64: "<q",
    _FD.TYPE_FLOAT: "<f", _FD.TYPE_DOUBLE: "<d",
}  # fmt: skip
_NAMES = {value: name[5:].lower() for name, value in vars(_FD).items() if name.startswith("TYPE_")}
_RANGES = {
    _FD.TYPE_INT32: (-(2**31), 2**31), _FD.TYPE_SINT32: (-(2**31), 2**31), _FD.TYPE_UINT32: (0, 2**32),
    _FD.TYPE_INT64: (-(2**63), 2**63), _FD.TYPE_SINT64: (-(2**63), 2**63), _FD.TYPE_UINT64: (0, 2**64),
}  # fmt: skip
_META = 1088
"""Confluent's extension of the options of fields and messages; its tags are field 3."""


def protobuf_type(message: Descriptor) -> Type:
    """The type of a message; types within themselves point back."""
    return _Builder().message(message)


class _Builder:
    def __init__(self) -> None:
        self._known: dict[str, Type] = {}

    def message(self, kind: Descriptor) -> Type:
        full = kind.full_name
        if full not in self._known:
            bare = full in WRAPPERS or full in PLAIN_JSON
            made = self._known[full] = Type("record", full, _tags(kind), bare=bare)
            made.fields = [self._field(field) for field in kind.fields]
        return self._known[full]

    def _field(self, field: FieldDescriptor) -> Field:
        key = None
        inner = field
        if is_map(field):
            key = _scalar(field.message_type.fields_by_name["key"])
            inner = field.message_type.fields_by_name["value"]
        return Field(
            field.name, self._type(inner), _tags(field), field.number, field.is_repeated, field.is_required, key
        )

    def _type(self, field: FieldDescriptor) -> Type:
        kind = field.message_type
        if kind is None:
            return Type("null") if _is_null(field) else _scalar(field)
        if kind.full_name in (TIMESTAMP, DURATION):
            return Type("scalar", kind.full_name, cell=_moment(kind.full_name), wire="sized")
        if field.type == _FD.TYPE_GROUP:
            raise Refusal("", f"can't be decoded: {field.full_name} is a group", undecodable=True)
        return self.message(kind)


def _is_null(field: FieldDescriptor) -> bool:
    return field.enum_type is not None and field.enum_type.full_name == "google.protobuf.NullValue"


def _scalar(field: FieldDescriptor) -> Type:
    kind, name = field.type, _NAMES[field.type]
    if kind == _FD.TYPE_STRING:
        return Type("scalar", cell=Cell("string", "string", bytes.decode, _utf8, b""), wire="sized")
    if kind == _FD.TYPE_BYTES:
        return Type("scalar", cell=Cell("bytes", "bytes", bytes, _binary, b""), wire="sized")
    if kind == _FD.TYPE_BOOL:
        cell = Cell("boolean", "bool", lambda raw: read(raw, 0)[0] != 0, lambda value: b"\1" if value else b"\0", b"\0")
        return Type("scalar", cell=cell)
    if kind == _FD.TYPE_ENUM:
        return Type("scalar", field.enum_type.full_name, cell=_enum(field.enum_type))
    if kind in _FIXED:
        code = struct.Struct(_FIXED[kind])
        real = kind in (_FD.TYPE_FLOAT, _FD.TYPE_DOUBLE)
        cell = Cell("number", name, _real(code) if real else lambda raw: code.unpack(raw)[0], _packed(code, name, real),
                    bytes(code.size))  # fmt: skip
        return Type("scalar", cell=cell, wire="fixed", size=code.size)
    return Type("scalar", cell=_integer(kind, name))


def _integer(kind: int, name: str) -> Cell:
    zigzags = kind in (_FD.TYPE_SINT32, _FD.TYPE_SINT64)
    first, last = _RANGES[kind]
    half = 1 << (31 if kind == _FD.TYPE_INT32 else 63)

    def number(raw: bytes) -> int:
        value = read(raw, 0)[0]
        if zigzags:
            return unzigzag(value)
        if first == 0:
            return value & (last - 1)
        value &= 2 * half - 1
        return value - 2 * half if value >= half else value

    def back(value: Any) -> bytes:
        whole = _whole(value, name)
        if not first <= whole < last:
            raise UnfitError(f"gives a number that doesn't fit {name}")
        return write((zigzag(whole) if zigzags else whole) & _64)

    return Cell("number", name, number, back, b"\0")


def _whole(value: Any, name: str) -> int:
    if isinstance(value, Decimal | float) and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError(f"does not give a whole number, which {name} takes")
    return value


def _real(code: struct.Struct) -> Callable[[bytes], Decimal]:
    def number(raw: bytes) -> Decimal:
        value = code.unpack(raw)[0]
        if value != value or value in (float("inf"), float("-inf")):
            raise UnfitError("is not a number that a rule can work on")
        return Decimal(f"{value:.9g}" if code.size == 4 else repr(value))

    return number


def _packed(code: struct.Struct, name: str, real: bool) -> Callable[[Any], bytes]:
    def back(value: Any) -> bytes:
        try:
            return code.pack(float(value) if real else _whole(value, name))
        except (OverflowError, ValueError, struct.error):
            raise UnfitError(f"gives a number that doesn't fit {name}") from None

    return back


def _enum(kind: Any) -> Cell:
    def name(raw: bytes) -> str:
        number = read(raw, 0)[0] & 0xFFFFFFFF
        number = number - (1 << 32) if number >> 31 else number
        known = kind.values_by_number.get(number)
        return str(number) if known is None else str(known.name)

    def back(value: Any) -> bytes:
        known = kind.values_by_name.get(value)
        if known is None:
            raise UnfitError(f"does not give one of the {len(kind.values)} values")
        return write(known.number & _64)

    samples = tuple(write(value.number & _64) for value in kind.values)
    return Cell("string", f"enum {kind.name}", name, back, samples[0], samples)


def _utf8(value: Any) -> bytes:
    try:
        return str(value).encode()
    except UnicodeEncodeError:
        raise UnfitError("gives half a surrogate pair, which is no text") from None


def _binary(value: Any) -> bytes:
    return bytes(value)


def _moment(full: str) -> Cell:
    """Timestamp and Duration, which are messages of seconds and nanos."""

    def parts(raw: bytes) -> tuple[int, int]:
        found = {1: 0, 2: 0}
        at = 0
        while at < len(raw):
            tag, at = read(raw, at)
            if tag not in (0x08, 0x10):
                raise UnfitError("holds a field that its schema does not know")
            value, at = read(raw, at)
            found[tag >> 3] = value - (1 << 64) if value >> 63 else value
        return found[1], found[2]

    def back(seconds: int, nanos: int) -> bytes:
        out = b"\x08" + write(seconds & _64) if seconds else b""
        return out + (b"\x10" + write(nanos & _64) if nanos else b"")

    def time(raw: bytes) -> str:
        seconds, nanos = parts(raw)
        text = times.stamp(seconds * 10**9 + nanos, "ns") if 0 <= nanos < 10**9 else 0
        if isinstance(text, int):
            raise UnfitError("is a time outside of the years 1 to 9999, which no rule can work on; keep or replace it")
        return text

    def from_time(value: Any) -> bytes:
        try:
            return back(*divmod(times.parse_stamp(value, "ns"), 10**9))
        except ValueError:
            raise UnfitError("does not give a time") from None

    def span(raw: bytes) -> Decimal:
        seconds, nanos = parts(raw)
        return Decimal(seconds * 10**9 + nanos).scaleb(-9)

    def from_span(value: Any) -> bytes:
        try:
            whole = int(Decimal(str(value)).scaleb(9))
        except (InvalidOperation, OverflowError, ValueError):
            raise UnfitError("does not give a duration") from None
        sign = -1 if whole < 0 else 1
        seconds, nanos = divmod(whole * sign, 10**9)
        return back(seconds * sign, nanos * sign)

    if full == TIMESTAMP:
        sample = back(949_322_096, 0)
        return Cell("string", "Timestamp", time, from_time, b"", (sample,), check=parts)
    return Cell("number", "Duration", span, from_span, b"", check=parts)


def _tags(described: Any) -> frozenset[str]:
    """The tags in the options of a field or message, whether the extension is known here or not."""
    raw = described.GetOptions().SerializeToString()
    try:
        found = [item for number, item in _members(raw) if number == _META]
        return frozenset(tag.decode() for meta in found for number, tag in _members(meta) if number == 3)
    except (IndexError, UnicodeDecodeError, Refusal):
        return frozenset()


def _members(raw: bytes) -> list[tuple[int, bytes]]:
    """(number, content) of a message's fields that have a length."""
    found, at = [], 0
    while at < len(raw):
        tag, at = read(raw, at)
        if tag & 7 == 2:
            size, at = read(raw, at)
            found.append((tag >> 3, raw[at : at + size]))
            at += size
        elif tag & 7 == 0:
            _, at = read(raw, at)
        else:
            at += 8 if tag & 7 == 1 else 4
    return found
