"""Protobuf messages as trees, and trees put into messages.

Fields go by their names in the schema. Unset fields that know that they are unset (messages, `optional`, oneofs) are
absent; others stand with their default. Timestamps are RFC 3339 text, durations decimal seconds, wrappers their value,
Struct and Value plain JSON; an enum's unknown number is its digits.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from recorder.payloads import times
from recorder.payloads.protobuf_types import (
    DURATION,
    PLAIN_JSON,
    TIMESTAMP,
    WRAPPERS,
    Descriptor,
    FieldDescriptor,
    is_map,
)
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.values import DEPTH_LIMIT, number

_FLOATS = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)


def tree(message: Message, depth: int) -> Any:
    """A message as a tree. Raises PayloadError (too deep)."""
    if depth > DEPTH_LIMIT:
        raise PayloadError(Reason.TOO_DEEP, f"more than {DEPTH_LIMIT} levels")
    special = _special(message)
    if special is not None:
        return special(message)
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if is_map(field):
            inner = field.message_type.fields_by_name["value"]
            found[field.name] = {key_text(name): _leaf(inner, value[name], depth) for name in value}
        elif field.is_repeated:
            found[field.name] = [_leaf(field, item, depth) for item in value]
        else:
            found[field.name] = _leaf(field, value, depth)
    return found


def _leaf(field: FieldDescriptor, value: Any, depth: int) -> Any:
    if field.message_type is not None:
        return tree(value, depth + 1)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return str(value) if known is None else known.name
    return value


def key_text(name: Any) -> str:
    """A map's key as a JSON object's name."""
    return ("true" if name else "false") if isinstance(name, bool) else str(name)


def _special(message: Message) -> Callable[[Any], Any] | None:
    name = message.DESCRIPTOR.full_name
    if not name.startswith("google.protobuf."):
        return None
    if name == TIMESTAMP:
        return _timestamp
    if name == DURATION:
        return duration
    if name in WRAPPERS:
        return lambda wrapper: wrapper.value
    if name in PLAIN_JSON:
        return _json
    return None


def _timestamp(message: Any) -> Any:
    if 0 <= message.nanos < 10**9:
        text = times.stamp(message.seconds * 10**9 + message.nanos, "ns")
        if isinstance(text, str):
            return text
    return {"seconds": message.seconds, "nanos": message.nanos}


def duration(message: Any) -> Any:
    """Decimal seconds; raw parts when they contradict each other."""
    seconds, nanos = message.seconds, message.nanos
    if abs(nanos) >= 10**9 or seconds * nanos < 0:
        return {"seconds": seconds, "nanos": nanos}
    return Decimal(seconds * 10**9 + nanos).scaleb(-9)


def _json(message: Any) -> Any:
    """Struct, ListValue and Value: an unset Value is absent, which JSON can only say as null."""
    name = message.DESCRIPTOR.name
    if name == "Struct":
        return {key: _json(message.fields[key]) for key in message.fields}
    if name == "ListValue":
        return [_json(item) for item in message.values]
    kind = message.WhichOneof("kind")
    if kind in (None, "null_value"):
        return None
    value = getattr(message, kind)
    return _json(value) if kind in ("struct_value", "list_value") else value


def fill(message: Any, value: Any) -> None:
    """Make `message` say what the tree says; what the tree doesn't know stays.

    Raises ValueError, TypeError, KeyError or AttributeError when it can't.
    """
    name = message.DESCRIPTOR.full_name
    if name in PLAIN_JSON:
        if _json(message) != value:
            message.Clear()
            json_format.ParseDict(value, message)
        return
    if name in WRAPPERS:
        message.value = number(value) if name.endswith(("DoubleValue", "FloatValue")) else value
        return
    if name in (TIMESTAMP, DURATION) and not isinstance(value, dict):
        whole = times.parse_stamp(value, "ns") if name == TIMESTAMP else _nanoseconds(value)
        sign = -1 if name == DURATION and whole < 0 else 1
        seconds, nanos = divmod(whole * sign, 10**9)
        _set(message, "seconds", seconds * sign)
        _set(message, "nanos", nanos * sign)
        return
    if not isinstance(value, dict):
        raise ValueError(f"{name} can't hold {value!r:.60}")
    fields = message.DESCRIPTOR.fields_by_name
    if unknown := value.keys() - fields.keys():
        raise ValueError(f"{name} has no field {sorted(unknown)[0]!r:.60}")
    for known in message.DESCRIPTOR.fields:
        item = value.get(known.name)
        if item is not None or (known.name in value and _holds_null(known)):
            _fill_field(message, known, item)
        else:
            message.ClearField(known.name)


def _fill_field(message: Any, field: FieldDescriptor, value: Any) -> None:
    if is_map(field):
        _fill_map(getattr(message, field.name), field, value)
    elif field.is_repeated:
        there = getattr(message, field.name)
        if field.message_type is None:
            there[:] = [_scalar(field, item) for item in value]
            return
        if len(there) != len(value):
            del there[:]
            for _ in value:
                there.add()
        for inner, item in zip(there, value, strict=True):
            fill(inner, item)
    elif field.message_type is not None:
        inner = getattr(message, field.name)
        inner.SetInParent()
        fill(inner, value)
    else:
        _set(message, field.name, _scalar(field, value))


def _nanoseconds(value: Any) -> int:
    seconds = Decimal(value)
    if not seconds.is_finite() or seconds.adjusted() > 18:
        raise ValueError(f"no duration: {value!r:.60}")
    return int(seconds.scaleb(9))


def _holds_null(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and not field.is_repeated and kind.full_name == "google.protobuf.Value"


def _set(message: Any, name: str, value: Any) -> None:
    setattr(message, name, value)


def _fill_map(there: Any, field: FieldDescriptor, value: Any) -> None:
    named: Descriptor = field.message_type
    key, inner = named.fields_by_name["key"], named.fields_by_name["value"]
    wanted = {_key_of(key, name): item for name, item in value.items()}
    for name in [name for name in there if name not in wanted]:
        del there[name]
    for name, item in wanted.items():
        if inner.message_type is not None:
            fill(there[name], item)
        else:
            there[name] = _scalar(inner, item)


def _key_of(field: FieldDescriptor, name: str) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return name
    return name == "true" if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else int(name)


def _scalar(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type is not None and isinstance(value, str):
        known = field.enum_type.values_by_name.get(value)
        return int(value) if known is None else known.number
    if field.cpp_type in _FLOATS:
        return number(value)
    return value
