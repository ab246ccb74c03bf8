"""Protobuf bodies to Arrow: the library parses each message, then every field is taken from all messages at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, compress
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf.message import DecodeError, Message

from recorder.payloads import fields, protobuf_lockstep, spread
from recorder.payloads.codec import Column
from recorder.payloads.lockstep import Lockstep, reason_names
from recorder.payloads.protobuf_types import (
    DURATION,
    TIMESTAMP,
    WRAPPERS,
    Descriptor,
    FieldDescriptor,
    durations,
    enum_names,
    is_map,
    message_field,
    timestamps,
)
from recorder.payloads.protobuf_values import key_text, tree
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.spread import Bools
from recorder.payloads.values import to_json

TOGETHER = 16_384
"""Bodies in one lockstep: few enough for the processor's caches."""

Rows = npt.NDArray[np.int64]
Read = Callable[[Sequence[Any], Rows, set[int]], pa.Array]
"""(messages or values, the row of each, rows in doubt to add to) to an array of as many."""


class Plan:
    """How to read the bodies of one message type; `field` says what comes out."""

    def __init__(self, kind: type[Message]) -> None:
        self._class = kind
        self.field = message_field(kind.DESCRIPTOR, "value", ())
        self._read = _message(kind.DESCRIPTOR, self.field)
        self._together = protobuf_lockstep.messages(kind.DESCRIPTOR, self.field)

    def read(self, bodies: pa.Array) -> Column:
        """A binary column to Arrow: null where a body is null or unreadable."""
        if len(bodies) < protobuf_lockstep.FEW:
            return self._by_library(bodies)
        parts = [self._mixed(bodies.slice(start, TOGETHER)) for start in range(0, len(bodies), TOGETHER)]
        return Column(*(pa.concat_arrays(list(part)) for part in zip(*parts, strict=True)))

    def _mixed(self, bodies: pa.Array) -> Column:
        """In lockstep what can be, by the library the rest."""
        state = Lockstep(spread.data_of(bodies), *spread.spans(bodies))
        state.fail(np.arange(len(bodies)), ~spread.valid(bodies), Reason.MALFORMED)
        values = self._together(state)
        odd = state.failed
        reasons = reason_names(state.reason)
        if not odd.any():
            return Column(values, reasons)
        rest = self._by_library(bodies.filter(pa.array(odd)))
        plain = pa.array(~odd)
        return Column(
            spread.merge(values.filter(plain), rest.values, odd), spread.merge(reasons.filter(plain), rest.reasons, odd)
        )

    def _by_library(self, bodies: pa.Array) -> Column:
        parse = self._class.FromString
        raw = bodies.to_pylist()
        reasons: list[str | None] = [None] * len(raw)
        messages: list[Any] = []
        rows: list[int] = []
        for row, body in enumerate(raw):
            if body is not None:
                try:
                    messages.append(parse(body))
                    rows.append(row)
                except (DecodeError, UnicodeDecodeError):
                    reasons[row] = str(Reason.MALFORMED)
        doubts: set[int] = set()
        try:
            values = self._read(messages, np.array(rows, np.int64), doubts)
        except (UnicodeDecodeError, PayloadError):
            values = self._each(messages, rows, reasons, doubts)
        for row in doubts:
            reasons[row] = str(Reason.OUT_OF_RANGE)
        good = np.zeros(len(raw), bool)
        good[rows] = True
        return Column(spread.scatter(values, good), pa.array(reasons, pa.string()))

    def _each(
        self, messages: Sequence[Any], rows: Sequence[int], reasons: list[str | None], doubts: set[int]
    ) -> pa.Array:
        """One by one, where some can't be read."""
        parts = []
        for message, row in zip(messages, rows, strict=True):
            part = pa.nulls(1, self.field.type)
            try:
                part = self._read([message], np.array([row]), doubts)
            except UnicodeDecodeError:
                reasons[row] = str(Reason.INVALID_UTF8)
            except PayloadError as error:
                reasons[row] = str(error.reason)
            parts.append(part)
        return pa.concat_arrays(parts)


def _message(kind: Descriptor, field: pa.Field) -> Read:
    """Reads messages of a type."""
    full = kind.full_name
    if full == TIMESTAMP:
        return _timestamps
    if full == DURATION:
        return _durations
    if full in WRAPPERS:
        return _scalars("value", field.type)
    if fields.is_json(field):
        return lambda messages, rows, doubts: pa.array([to_json(tree(item, 0)) for item in messages], pa.string())
    readers = [_member(inner, member) for inner, member in zip(kind.fields, field.type, strict=True)]
    return lambda messages, rows, doubts: pa.StructArray.from_arrays(
        [read(messages, rows, doubts) for read in readers], fields=list(field.type)
    )


def _member(field: FieldDescriptor, member: pa.Field) -> Read:
    """Reads one field of messages."""
    if is_map(field):
        return _map(field, member)
    if field.is_repeated:
        return _list(field, member)
    if field.message_type is not None:
        return _optional(field, _message(field.message_type, member))
    read = _enums(field) if field.enum_type is not None else _scalars(field.name, member.type)
    return _optional_scalar(field, read) if field.has_presence else read


def _scalars(name: str, kind: pa.DataType) -> Read:
    take = attrgetter(name)
    return lambda messages, rows, doubts: pa.array(list(map(take, messages)), kind)


def _enums(field: FieldDescriptor) -> Read:
    take = attrgetter(field.name)
    return lambda messages, rows, doubts: enum_names(field, list(map(take, messages)))


def _present(field: FieldDescriptor, messages: Sequence[Any]) -> Bools:
    return np.fromiter(map(methodcaller("HasField", field.name), messages), bool, len(messages))


def _optional(field: FieldDescriptor, read: Read) -> Read:
    take = attrgetter(field.name)

    def inner(messages: Sequence[Any], rows: Rows, doubts: set[int]) -> pa.Array:
        there = _present(field, messages)
        return spread.scatter(read(list(map(take, compress(messages, there))), rows[there], doubts), there)

    return inner


def _optional_scalar(field: FieldDescriptor, read: Read) -> Read:
    def inner(messages: Sequence[Any], rows: Rows, doubts: set[int]) -> pa.Array:
        return spread.keep(read(messages, rows, doubts), _present(field, messages))

    return inner


def _list(field: FieldDescriptor, member: pa.Field) -> Read:
    take, items = attrgetter(field.name), _items(field, member.type.value_field)

    def inner(messages: Sequence[Any], rows: Rows, doubts: set[int]) -> pa.Array:
        lists = list(map(take, messages))
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        flat = items(list(chain.from_iterable(lists)), np.repeat(rows, lengths), doubts)
        return pa.ListArray.from_arrays(_offsets(lengths), flat, type=member.type)

    return inner


def _map(field: FieldDescriptor, member: pa.Field) -> Read:
    take, items = attrgetter(field.name), _items(field.message_type.fields_by_name["value"], member.type.item_field)

    def inner(messages: Sequence[Any], rows: Rows, doubts: set[int]) -> pa.Array:
        maps = list(map(take, messages))
        lengths = np.fromiter(map(len, maps), np.int64, len(maps))
        names = list(chain.from_iterable(maps))
        flat = [there[name] for there in maps for name in there]
        keys = pa.array(list(map(key_text, names)), pa.string())
        values = items(flat, np.repeat(rows, lengths), doubts)
        return pa.MapArray.from_arrays(_offsets(lengths), keys, values, type=member.type)

    return inner


def _items(field: FieldDescriptor, member: pa.Field) -> Read:
    """Reads values that are out of their list or map."""
    if field.message_type is not None:
        return _message(field.message_type, member)
    if field.enum_type is not None:
        return lambda values, rows, doubts: enum_names(field, values)
    return lambda values, rows, doubts: pa.array(values, member.type)


def _timestamps(messages: Sequence[Any], rows: Rows, doubts: set[int]) -> pa.Array:
    values, wrong = timestamps(*_parts(messages))
    doubts.update(rows[wrong].tolist())
    return values


def _durations(messages: Sequence[Any], rows: Rows, doubts: set[int]) -> pa.Array:
    values, wrong = durations(*_parts(messages))
    doubts.update(rows[wrong].tolist())
    return values


def _parts(messages: Sequence[Any]) -> tuple[Rows, Rows]:
    count = len(messages)
    seconds = np.fromiter(map(attrgetter("seconds"), messages), np.int64, count)
    return seconds, np.fromiter(map(attrgetter("nanos"), messages), np.int64, count)


def _offsets(lengths: Rows) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
