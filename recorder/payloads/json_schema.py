"""JSON with a JSON Schema: the schema gives the columns their types; the payload stays the JSON text that it is.

What violates the schema is in doubt, and readable; what does not fit its column is null there, and whole in the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

import msgspec
import pyarrow as pa

from recorder.payloads import fields, json_text
from recorder.payloads.codec import Column, Format
from recorder.payloads.json_validation import follow, validator
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.rows import to_array
from recorder.payloads.schemas import TEXT_LIMIT, Schema
from recorder.payloads.values import to_json

_SCALARS = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
_PYTHON: dict[pa.DataType, Any] = {
    pa.string(): str | None,
    pa.int64(): Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,
    pa.float64(): float | None,
    pa.bool_(): bool | None,
}
DEPTH = 32


class JsonSchemaCodec(json_text.JsonCodec):
    """JSON whose columns a schema describes."""

    format: Format = "json-schema"

    def __init__(self, schema: Schema, referenced: Mapping[str, Schema]) -> None:
        """Raises PayloadError when the schema does not parse."""
        root, documents = _documents(schema, referenced)
        self._field = _field_of(schema, root, documents)
        self.fits = validator(root, documents)
        self._plain = _is_plain(self._field)
        self._checked = _checked(self._field)

    def field(self) -> pa.Field:
        return self._field

    def column(self, bodies: pa.Array) -> Column:
        if fields.is_json(self._field):
            return super().column(bodies)
        values: list[Any] = []
        reasons: list[str | None] = []
        for body in bodies.to_pylist():
            value, reason = None, None
            if body is not None:
                try:
                    value, reason = self.decode(body)
                    value = msgspec.convert(value, self._checked)
                except PayloadError as error:
                    reason = error.reason
                except (msgspec.ValidationError, RecursionError):
                    value, reason = _trimmed(value, self._field), reason or Reason.MISMATCH
                value = value if self._plain else _shaped(value, self._field)
            values.append(value)
            reasons.append(reason)
        return Column(*to_array(values, reasons, self._field.type))


def _documents(schema: Schema, referenced: Mapping[str, Schema]) -> tuple[Any, dict[str, Any]]:
    """(the schema, all that it refers to by name), parsed. Raises PayloadError."""
    try:
        documents = {name: _load(other.text) for name, other in referenced.items()}
        root = _load(schema.text)
    except RecursionError as error:
        raise PayloadError(Reason.TOO_DEEP, f"{schema.title}: schema") from error
    except ValueError as error:
        raise PayloadError(Reason.BAD_SCHEMA, f"{schema.title}: {error!s:.200}") from error
    if not isinstance(root, dict | bool):
        raise PayloadError(Reason.BAD_SCHEMA, f"{schema.title}: neither an object nor a boolean")
    return root, documents


def _field_of(schema: Schema, root: Any, documents: dict[str, Any]) -> pa.Field:
    """The field of a JSON Schema; what has no one type is JSON text. Raises PayloadError."""
    try:
        return _Builder(documents).field("value", root, root, ())
    except RecursionError as error:
        raise PayloadError(Reason.TOO_DEEP, f"{schema.title}: schema") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise PayloadError(Reason.BAD_SCHEMA, f"{schema.title}: {error!s:.200}") from error


def _load(text: str) -> Any:
    if len(text) > TEXT_LIMIT:
        raise PayloadError(Reason.TOO_LARGE, f"a schema of {len(text):,} characters")
    return msgspec.json.decode(text)


class _Builder:
    def __init__(self, documents: dict[str, Any]) -> None:
        self._documents = documents
        self._count = 0

    def field(self, name: str, schema: Any, root: Any, above: tuple[int, ...]) -> pa.Field:
        self._count += 1
        schema, root = self._resolved(schema, root)
        if not isinstance(schema, dict) or id(schema) in above or len(above) > DEPTH or self._count > 10_000:
            return fields.json_field(name)
        above = (*above, id(schema))
        choices = [item for item in schema.get("oneOf") or schema.get("anyOf") or () if item != {"type": "null"}]
        if len(choices) == 1:
            return self.field(name, choices[0], root, above)
        kind = schema.get("type")
        if isinstance(kind, list):
            kinds = [item for item in kind if item != "null"]
            kind = kinds[0] if len(kinds) == 1 else None
        if choices or not isinstance(kind, str):
            return fields.json_field(name)
        if kind in _SCALARS:
            return pa.field(name, _SCALARS[kind])
        if kind == "array" and isinstance(schema.get("items"), dict):
            return pa.field(name, pa.list_(self.field("element", schema["items"], root, above)))
        if kind == "object":
            return self._object(name, schema, root, above)
        return fields.json_field(name)

    def _object(self, name: str, schema: dict[str, Any], root: Any, above: tuple[int, ...]) -> pa.Field:
        members, others = schema.get("properties"), schema.get("additionalProperties")
        if isinstance(members, dict) and members:
            return pa.field(name, fields.struct_of(self.field(key, item, root, above) for key, item in members.items()))
        if isinstance(others, dict):
            return pa.field(name, pa.map_(pa.string(), self.field("value", others, root, above)))
        return fields.json_field(name)

    def _resolved(self, schema: Any, root: Any) -> tuple[Any, Any]:
        """Follow `$ref` within the document and to what it refers to by name; never to a place on the net."""
        for _ in range(DEPTH):
            target = schema.get("$ref") if isinstance(schema, dict) else None
            if not isinstance(target, str):
                return schema, root
            schema, root = follow(target, root, self._documents)
        return None, root


def _is_plain(field: pa.Field) -> bool:
    """Whether parsed JSON is what the type takes: no maps, no JSON text, no renamed members inside."""
    kind = field.type
    if fields.is_json(field) or pa.types.is_map(kind) or fields.real_name(field) != field.name:
        return False
    if pa.types.is_struct(kind):
        return all(map(_is_plain, kind))
    return not pa.types.is_list(kind) or _is_plain(kind.value_field)


def _checked(field: pa.Field) -> Any:
    """The type that msgspec checks parsed JSON against: Arrow would cut 1.5 to 1 without a word."""
    kind = field.type
    if fields.is_json(field):
        return Any
    if pa.types.is_struct(kind):
        members = {fields.real_name(member): _checked(member) for member in kind}
        return TypedDict("Object", members, total=False) | None  # type: ignore[operator]
    if pa.types.is_map(kind):
        return dict[str, _checked(kind.item_field)] | None  # type: ignore[misc]
    if pa.types.is_list(kind):
        return list[_checked(kind.value_field)] | None  # type: ignore[misc]
    return _PYTHON[kind]


def _shaped(value: Any, field: pa.Field) -> Any:
    """Parsed JSON as the type takes it."""
    if fields.is_json(field):
        return None if value is None else to_json(value)
    kind = field.type
    if pa.types.is_struct(kind) and isinstance(value, dict):
        return {member.name: _shaped(value.get(fields.real_name(member)), member) for member in kind}
    if pa.types.is_map(kind) and isinstance(value, dict):
        return [(name, _shaped(item, kind.item_field)) for name, item in value.items()]
    if pa.types.is_list(kind) and isinstance(value, list):
        return [_shaped(item, kind.value_field) for item in value]
    return value


def _trimmed(value: Any, field: pa.Field) -> Any:
    """What fits of a value that does not fit as a whole, under the same names."""
    kind = field.type
    if fields.is_json(field):
        return value
    if pa.types.is_map(kind) and isinstance(value, dict):
        return {name: _trimmed(item, kind.item_field) for name, item in value.items()}
    if pa.types.is_struct(kind) and isinstance(value, dict):
        names = {fields.real_name(member): member for member in kind}
        return {name: _trimmed(item, names[name]) for name, item in value.items() if name in names}
    if pa.types.is_list(kind) and isinstance(value, list):
        return [_trimmed(item, kind.value_field) for item in value]
    try:
        return msgspec.convert(value, _checked(field))
    except msgspec.ValidationError:
        return None
