"""Arrow types for Protobuf's, and the well-known types that are more than their fields."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf.descriptor import FieldDescriptor as FieldDescriptor

from recorder.payloads import fields
from recorder.payloads.spread import Bools, Ints

Descriptor: TypeAlias = Any
WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
PLAIN_JSON = frozenset({"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"})
TIMESTAMP = "google.protobuf.Timestamp"
DURATION = "google.protobuf.Duration"
_SCALARS = {
    FieldDescriptor.CPPTYPE_INT32: pa.int32(),
    FieldDescriptor.CPPTYPE_INT64: pa.int64(),
    FieldDescriptor.CPPTYPE_UINT32: pa.uint32(),
    FieldDescriptor.CPPTYPE_UINT64: pa.uint64(),
    FieldDescriptor.CPPTYPE_FLOAT: pa.float32(),
    FieldDescriptor.CPPTYPE_DOUBLE: pa.float64(),
    FieldDescriptor.CPPTYPE_BOOL: pa.bool_(),
    FieldDescriptor.CPPTYPE_ENUM: pa.string(),
}
_TIMESTAMP_TYPE = pa.timestamp("ns", "UTC")
_DURATION_TYPE = pa.decimal128(28, 9)
_NS_SECONDS = 9_223_372_036
"""Seconds around 1970 that a nanosecond timestamp can hold."""


def message_field(kind: Descriptor, name: str, above: tuple[str, ...] = ()) -> pa.Field:
    """The field of a message type; a message inside itself is JSON text."""
    full = kind.full_name
    if full == TIMESTAMP:
        return pa.field(name, _TIMESTAMP_TYPE)
    if full == DURATION:
        return pa.field(name, _DURATION_TYPE)
    if full in WRAPPERS:
        return pa.field(name, scalar_type(kind.fields_by_name["value"]))
    if full in PLAIN_JSON or full in above or not kind.fields or len(above) > 32:
        return fields.json_field(name)
    return pa.field(name, fields.struct_of([_field(field, (*above, full)) for field in kind.fields]))


def _field(field: FieldDescriptor, above: tuple[str, ...]) -> pa.Field:
    if is_map(field):
        inner = _inner(field.message_type.fields_by_name["value"], "value", above)
        return pa.field(field.name, pa.map_(pa.string(), inner))
    if field.is_repeated:
        return pa.field(field.name, pa.list_(_inner(field, "element", above)))
    found = _inner(field, field.name, above)
    return found.with_metadata({**(found.metadata or {}), **fields.OMIT}) if field.has_presence else found


def _inner(field: FieldDescriptor, name: str, above: tuple[str, ...]) -> pa.Field:
    if field.message_type is not None:
        return message_field(field.message_type, name, above)
    return pa.field(name, scalar_type(field))


def scalar_type(field: FieldDescriptor) -> pa.DataType:
    """Of a field that is no message."""
    if field.type == FieldDescriptor.TYPE_BYTES:
        return pa.binary()
    return _SCALARS.get(field.cpp_type, pa.string())


def is_map(field: FieldDescriptor) -> bool:
    """A map is a repeated message of key and value."""
    kind = field.message_type
    return kind is not None and kind.GetOptions().map_entry


def enum_names(field: FieldDescriptor, numbers: npt.ArrayLike) -> pa.Array:
    """Names of an enum's numbers; a number without a name as its digits."""
    known = field.enum_type.values_by_number
    distinct, places = np.unique(np.asarray(numbers, np.int32), return_inverse=True)
    names = [known[number].name if number in known else str(number) for number in distinct.tolist()]
    return pa.array(names, pa.string()).take(pa.array(places))


def timestamps(seconds: Ints, nanos: Ints) -> tuple[pa.Array, Bools]:
    """(timestamps, which of them don't fit and are null)."""
    wrong = (seconds <= -_NS_SECONDS) | (seconds >= _NS_SECONDS) | (nanos < 0) | (nanos >= 10**9)
    values = np.where(wrong, 0, seconds) * 10**9 + np.where(wrong, 0, nanos)
    return pa.array(values, _TIMESTAMP_TYPE, mask=wrong), wrong


def durations(seconds: Ints, nanos: Ints) -> tuple[pa.Array, Bools]:
    """(decimal seconds, which of them don't fit and are null)."""
    wrong = (np.abs(nanos) >= 10**9) | (np.sign(seconds) * np.sign(nanos) < 0)
    wrong |= (seconds <= -_NS_SECONDS) | (seconds >= _NS_SECONDS)
    values = np.where(wrong, 0, seconds) * 10**9 + np.where(wrong, 0, nanos)
    wide = np.stack([values, values >> 63], axis=1)  # little-endian: low half, then the sign
    valid = pa.array(~wrong).buffers()[1]
    return pa.Array.from_buffers(_DURATION_TYPE, len(values), [valid, pa.py_buffer(wide)]), wrong
