"""Protobuf bodies to Arrow, many messages in lockstep, for messages as all usual writers write them.

Fields in ascending order, singular ones once, no field that the schema lacks: a body that is any different (or
malformed) is only marked as failed, and for the library to read. So nothing here has to know all of Protobuf's rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf import message_factory
from google.protobuf.message import DecodeError

from recorder.payloads import fields, spread
from recorder.payloads.lockstep import Lockstep, unzigzag
from recorder.payloads.protobuf_types import (
    DURATION,
    TIMESTAMP,
    WRAPPERS,
    Descriptor,
    FieldDescriptor,
    durations,
    enum_names,
    is_map,
    scalar_type,
    timestamps,
)
from recorder.payloads.protobuf_values import tree
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.spread import Bools, Ints, offsets_of, repeats
from recorder.payloads.values import to_json

FEW = 16
_VARINT, _WIDE, _SIZED, _NARROW = 0, 1, 2, 5
_FD = FieldDescriptor
_FIXED = {
    _FD.TYPE_DOUBLE: "<f8", _FD.TYPE_FIXED64: "<u8", _FD.TYPE_SFIXED64: "<i8",
    _FD.TYPE_FLOAT: "<f4", _FD.TYPE_FIXED32: "<u4", _FD.TYPE_SFIXED32: "<i4",
}  # fmt: skip

Numbers = npt.NDArray[Any]
Messages = Callable[[Lockstep], pa.Array]
"""Reads whole messages: one value for each cursor, which then stands at its end."""
Member = Callable[[Lockstep, Ints], pa.Array]
"""Reads a field: (cursors, the tag that comes next for each, moved on in place) to one value for each cursor."""
Values = Callable[[Lockstep, Ints], pa.Array]
"""Reads one value behind its tag for each of some rows."""


def messages(kind: Descriptor, field: pa.Field) -> Messages:
    """A reader of messages of a type, for the field that `protobuf_columns` gave it."""
    if kind.full_name == TIMESTAMP:
        return _of_parts(kind, lambda state, seconds, nanos: _timestamps(state, seconds, nanos))
    if kind.full_name == DURATION:
        return _of_parts(kind, lambda state, seconds, nanos: _durations(state, seconds, nanos))
    if kind.full_name in WRAPPERS:
        return lambda state: _members(state, kind, [_singular(kind.fields_by_name["value"], field, presence=False)])[0]
    if fields.is_json(field):
        return _json(kind)
    readers = [_member(inner, member) for inner, member in zip(kind.fields, field.type, strict=True)]

    def read(state: Lockstep) -> pa.Array:
        columns = _members(state, kind, readers)
        return pa.StructArray.from_arrays(columns, fields=list(field.type))

    return read


def _members(state: Lockstep, kind: Descriptor, readers: list[Member]) -> list[pa.Array]:
    every = np.arange(len(state.at))
    tags = _next_tags(state, every)
    columns: list[pa.Array] = [None] * len(readers)
    for place in sorted(range(len(readers)), key=lambda place: kind.fields[place].number):
        columns[place] = readers[place](state, tags)
    state.fail(every, tags != -1, Reason.MALFORMED)
    for group in kind.oneofs:
        if len(group.fields) > 1 and len(readers) == len(kind.fields):
            said = sum(spread.valid(columns[member.index]).astype(np.int8) for member in group.fields)
            state.fail(every, np.asarray(said) > 1, Reason.MALFORMED)
    return columns


def _next_tags(state: Lockstep, rows: Ints) -> Ints:
    """The tag that comes next, -1 at the end."""
    tags = np.full(len(rows), -1, np.int64)
    more = state.at[rows] < state.end[rows]
    if more.all():
        tags[:] = state.varints(rows, 5)
    elif more.any():
        tags[more] = state.varints(rows[more], 5)
    tags[state.failed[rows]] = -1
    return tags


def _member(field: FieldDescriptor, member: pa.Field) -> Member:
    if is_map(field):
        return _map(field, member)
    if field.is_repeated:
        return _list(field, member)
    return _singular(field, member, presence=field.has_presence)


def _singular(field: FieldDescriptor, member: pa.Field, *, presence: bool) -> Member:
    tag, values = field.number << 3 | _wire_type(field), _values(field, member)
    default = None if presence else _default(field, member)

    def read(state: Lockstep, tags: Ints) -> pa.Array:
        where = tags == tag
        rows = np.flatnonzero(where)
        found = values(state, rows) if len(rows) else pa.array([], member.type)
        tags[rows] = _next_tags(state, rows)
        if len(rows) == len(where):
            return found
        found = spread.scatter(found, where)
        return found if default is None else found.fill_null(default)

    return read


def _list(field: FieldDescriptor, member: pa.Field) -> Member:
    item = member.type.value_field
    plain, packed = field.number << 3 | _wire_type(field), field.number << 3 | _SIZED
    values = _values(field, item)

    def read(state: Lockstep, tags: Ints) -> pa.Array:
        pieces, owners = _repeated(state, tags, plain, values, item.type)
        if packed != plain:
            rows = np.flatnonzero(tags == packed)
            if len(rows):
                more, whose = _packed(state, rows, values, item.type)
                pieces, owners = pieces + more, owners + whose
                tags[rows] = _next_tags(state, rows)
        flat, owner = repeats(pieces, owners)
        return pa.ListArray.from_arrays(offsets_of(owner, len(tags)), flat, type=member.type)

    return read


def _repeated(
    state: Lockstep, tags: Ints, tag: int, values: Values, kind: pa.DataType
) -> tuple[list[pa.Array], list[Ints]]:
    pieces, owners = [pa.array([], kind)], [np.zeros(0, np.int64)]
    while len(rows := np.flatnonzero(tags == tag)):
        if len(rows) < FEW:
            _leave(state, rows)
            tags[rows] = -1
            break
        pieces.append(values(state, rows))
        owners.append(rows)
        tags[rows] = _next_tags(state, rows)
    return pieces, owners


def _packed(state: Lockstep, rows: Ints, values: Values, kind: pa.DataType) -> tuple[list[pa.Array], list[Ints]]:
    lengths = _lengths(state, rows)
    start = state.take(rows, lengths)
    inner = state.inside(start, start + lengths)
    pieces, owners = [pa.array([], kind)], [np.zeros(0, np.int64)]
    while len(active := np.flatnonzero(inner.at < inner.end)):
        if len(active) < FEW:
            _leave(inner, active)
            break
        pieces.append(values(inner, active))
        owners.append(rows[active])
    _tell(inner, state, rows)
    return pieces, owners


def _map(field: FieldDescriptor, member: pa.Field) -> Member:
    entry = field.message_type
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    key_field = pa.field("key", scalar_type(key))
    item = member.type.item_field
    sure = value.message_type is None
    readers = [_singular(key, key_field, presence=False), _singular(value, item, presence=not sure)]
    both = pa.struct([pa.field("key", key_field.type), pa.field("value", item.type)])
    tag = field.number << 3 | _SIZED

    def values(state: Lockstep, rows: Ints) -> pa.Array:
        lengths = _lengths(state, rows)
        start = state.take(rows, lengths)
        inner = state.inside(start, start + lengths)
        columns = _members(inner, entry, readers)
        if value.message_type is not None:  # an empty message is not null: the library knows
            inner.fail(np.arange(len(rows)), ~spread.valid(columns[1]), Reason.MALFORMED)
        _tell(inner, state, rows)
        return pa.StructArray.from_arrays(columns, fields=list(both))

    def read(state: Lockstep, tags: Ints) -> pa.Array:
        flat, owner = repeats(*_repeated(state, tags, tag, values, both))
        names, items = flat.field(0), flat.field(1)
        if key.cpp_type != _FD.CPPTYPE_STRING:
            names = names.cast(pa.string())
        again = ~spread.last_of_each(owner, names)
        _leave(state, owner[again])
        return pa.MapArray.from_arrays(offsets_of(owner, len(tags)), names, items, type=member.type)

    return read


def _values(field: FieldDescriptor, member: pa.Field) -> Values:
    if field.message_type is not None:
        return _inner(messages(field.message_type, member))
    if field.type == _FD.TYPE_STRING:
        return _strings
    if field.type == _FD.TYPE_BYTES:
        return lambda state, rows: state.cut(rows, _lengths(state, rows))
    if field.enum_type is not None:
        return _enums(field)
    return lambda state, rows: pa.array(_numbers(field.type, state, rows), member.type)


def _inner(read: Messages) -> Values:
    def values(state: Lockstep, rows: Ints) -> pa.Array:
        lengths = _lengths(state, rows)
        start = state.take(rows, lengths)
        inner = state.inside(start, start + lengths)
        found = read(inner)
        _tell(inner, state, rows)
        return found

    return values


def _strings(state: Lockstep, rows: Ints) -> pa.Array:
    raw = state.cut(rows, _lengths(state, rows))
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        texts = [value.decode(errors="replace") for value in raw.to_pylist()]
        _leave(state, rows[np.array(["�" in text for text in texts], bool)])
        return pa.array(texts, pa.string())


def _enums(field: FieldDescriptor) -> Values:
    known = np.array([value.number for value in field.enum_type.values])

    def values(state: Lockstep, rows: Ints) -> pa.Array:
        numbers = _numbers(_FD.TYPE_INT32, state, rows)
        if field.enum_type.is_closed:  # others are no values then, but unknown fields
            _leave(state, rows[~np.isin(numbers, known)])
        return enum_names(field, numbers)

    return values


def _numbers(kind: int, state: Lockstep, rows: Ints) -> Numbers:
    if code := _FIXED.get(kind):
        wide: Numbers = state.fixed(rows, int(code[2])).view(code)[:, 0]
        return wide
    value = state.varints(rows)
    if kind == _FD.TYPE_BOOL:
        return np.asarray(value != 0)
    if kind == _FD.TYPE_INT32:
        return np.asarray(value.astype(np.uint32).view(np.int32))
    if kind == _FD.TYPE_UINT32:
        return value.astype(np.uint32)
    if kind == _FD.TYPE_SINT32:
        return unzigzag(value & np.uint64(0xFFFFFFFF)).astype(np.int32)
    if kind == _FD.TYPE_SINT64:
        return unzigzag(value)
    return value if kind == _FD.TYPE_UINT64 else value.view(np.int64)


def _lengths(state: Lockstep, rows: Ints) -> Ints:
    """Lengths in bytes; those beyond the end fail."""
    value = state.varints(rows).astype(np.int64)
    state.fail(rows, (value < 0) | (value > state.end[rows] - state.at[rows]), Reason.TRUNCATED)
    value[state.failed[rows]] = 0
    return value


def _wire_type(field: FieldDescriptor) -> int:
    if field.type == _FD.TYPE_GROUP:
        return 7  # none: the library reads those
    if field.message_type is not None or field.type in (_FD.TYPE_STRING, _FD.TYPE_BYTES):
        return _SIZED
    code = _FIXED.get(field.type)
    return _VARINT if code is None else (_WIDE if code[2] == "8" else _NARROW)


def _default(field: FieldDescriptor, member: pa.Field) -> pa.Scalar:
    if field.enum_type is not None:
        return pa.scalar(enum_names(field, np.zeros(1, np.int32))[0].as_py())
    empty: Any = {_FD.TYPE_STRING: "", _FD.TYPE_BYTES: b"", _FD.TYPE_BOOL: False}.get(field.type, 0)
    return pa.scalar(empty, member.type)


def _of_parts(kind: Descriptor, make: Callable[[Lockstep, Ints, Ints], pa.Array]) -> Messages:
    """Timestamps and durations: seconds and nanos."""
    readers = [_singular(field, pa.field(field.name, scalar_type(field)), presence=False) for field in kind.fields]

    def read(state: Lockstep) -> pa.Array:
        seconds, nanos = _members(state, kind, readers)
        return make(state, np.asarray(seconds), np.asarray(nanos).astype(np.int64))

    return read


def _timestamps(state: Lockstep, seconds: Ints, nanos: Ints) -> pa.Array:
    values, wrong = timestamps(seconds, nanos)
    state.doubt(np.arange(len(seconds)), wrong, Reason.OUT_OF_RANGE)
    return values


def _durations(state: Lockstep, seconds: Ints, nanos: Ints) -> pa.Array:
    values, wrong = durations(seconds, nanos)
    state.doubt(np.arange(len(seconds)), wrong, Reason.OUT_OF_RANGE)
    return values


def _json(kind: Descriptor) -> Messages:
    made = message_factory.GetMessageClass(kind)

    def read(state: Lockstep) -> pa.Array:
        every = np.arange(len(state.at))
        texts: list[str | None] = []
        failed = np.zeros(len(every), bool)
        for row, body in enumerate(state.cut(every, state.end - state.at).to_pylist()):
            try:
                texts.append(to_json(tree(made.FromString(body), 0)))
            except (DecodeError, UnicodeDecodeError, PayloadError):
                texts.append(None)
                failed[row] = True
        _leave(state, every[failed])
        return pa.array(texts, pa.string())

    return read


def _leave(state: Lockstep, rows: Ints) -> None:
    """For the library to read."""
    state.fail(rows, np.ones(len(rows), bool), Reason.MALFORMED)


def _tell(inner: Lockstep, state: Lockstep, rows: Ints) -> None:
    """What was found within messages, said of the messages around them."""
    state.fail(rows, inner.failed, Reason.MALFORMED)
    odd: Bools = (inner.reason != 0) & ~inner.failed
    state.doubt(rows, odd, Reason.OUT_OF_RANGE)
