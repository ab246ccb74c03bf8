"""What a decoded payload is besides its format: a CloudEvent, a change event, JSON within a string."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from recorder.payloads.json_text import read
from recorder.payloads.reasons import PayloadError
from recorder.payloads.values import Value
from recorder.payloads.wire import Headers

Facet = Literal["cloudevent", "change event", "connect envelope", "json in a string"]

_CHANGE = {"before", "after", "op"}
_OPERATIONS = set("crudtm")
_STRUCTURED = "application/cloudevents"
_REQUIRED = ("id", "source", "specversion", "type")
_LEVELS = 3


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """Attributes (text, as the Kafka binding has them) and data, whichever of the two modes carried them."""

    mode: Literal["binary", "structured"]
    attributes: dict[str, str]
    data: Value


def facets(value: Value, headers: Headers = ()) -> tuple[Facet, ...]:
    """All that hold, in a steady order."""
    found: list[Facet] = []
    if cloud_event(value, headers) is not None:
        found.append("cloudevent")
    if isinstance(value, dict):
        if value.keys() >= {"schema", "payload"} and len(value) == 2:
            found.append("connect envelope")
        if change_of(value) is not None:
            found.append("change event")
    if next(strings_with_json(value), None) is not None:
        found.append("json in a string")
    return tuple(found)


def cloud_event(value: Value, headers: Headers = ()) -> CloudEvent | None:
    """Binary mode: `ce_` headers, the value is the data. Structured mode: the value holds all.

    Without a content type a value counts as structured when it has the four required attributes.
    """
    named = {name: raw.decode(errors="replace") for name, raw in headers if raw is not None}
    attributes = {name[3:]: text for name, text in named.items() if name.startswith("ce_")}
    content_type = named.get("content-type", "")
    if all(name in attributes for name in _REQUIRED):
        if content_type:
            attributes["datacontenttype"] = content_type
        return CloudEvent("binary", attributes, value)
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in _REQUIRED):
        return None
    if content_type and not content_type.startswith((_STRUCTURED, "application/json")):
        return None
    data = value.get("data")
    if isinstance(encoded := value.get("data_base64"), str):
        try:
            data = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            data = encoded
    plain = {name: str(item) for name, item in value.items() if name not in ("data", "data_base64")}
    return CloudEvent("structured", plain, data)


def change_of(value: Value) -> dict[str, Any] | None:
    """The Debezium-like envelope (before, after, op) in a value, or in its `payload`; None when there is none.

    Where a format leaves out what is null (Protobuf), one of before and after is enough beside an operation's letter.
    """
    for candidate in (value, value.get("payload")) if isinstance(value, dict) else ():
        if isinstance(candidate, dict) and isinstance(operation := candidate.get("op"), str):
            there = candidate.keys() & _CHANGE
            if there == _CHANGE or (len(there) == 2 and operation in _OPERATIONS):
                return candidate
    return None


def strings_with_json(value: Value, path: str = "", level: int = 0) -> Iterator[tuple[str, Value]]:
    """(path, tree) of every string, at most three levels down, that is a JSON object or array itself."""
    if isinstance(value, str):
        if value[:1] in ("{", "[") and value[-1:] in ("}", "]"):
            try:
                inner, _ = read(value.encode(errors="replace"))
            except PayloadError:
                return
            yield path, inner
    elif level < _LEVELS:
        children = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
        for name, item in children:
            yield from strings_with_json(item, f"{path}.{name}" if path else str(name), level + 1)
