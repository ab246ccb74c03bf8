"""Columns of several schemas as one set of columns, merged by name, and values brought into it.

A number or time that got wider in a later schema takes the wider type, as long as no value is lost; a member that
changed its type otherwise is two columns at the top (`amount` and `amount_string`) and JSON text further down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from recorder.payloads import fields
from recorder.payloads.json_column import json_text

COLUMNS_LIMIT = 1_000
_DIGITS = {pa.int32(): 10, pa.int64(): 19, pa.uint32(): 10}


def merge_columns(schemas: Iterable[pa.Field]) -> tuple[pa.Field, ...]:
    """The members of all fields, the newest schema's first; a field that is no struct is one column, `decoded`."""
    found: dict[str, list[pa.Field]] = {}
    for field in schemas:
        for member in map(_normal, _members(field)):
            versions = found.setdefault(fields.real_name(member), [])
            for place, known in enumerate(versions):
                if (both := _lossless(known, member)) is not None:
                    versions[place] = both
                    break
            else:
                versions.append(member)
    columns: list[pa.Field] = []
    for name, versions in found.items():
        columns.append(_named(versions[0], name))
        columns += [_named(other, f"{name}_{_word(other)}") for other in versions[1:]]
    return tuple(columns[:COLUMNS_LIMIT])


def _normal(field: pa.Field) -> pa.Field:
    """The field with times in microseconds, as SQL has them, and inner names that SQL can tell apart."""
    kind = field.type
    if fields.is_json(field):
        return field
    if pa.types.is_timestamp(kind):
        return field.with_type(pa.timestamp("us", kind.tz))
    if pa.types.is_time(kind):
        return field.with_type(pa.time64("us"))
    if pa.types.is_struct(kind):
        if not len(kind):
            return fields.json_field(field.name).with_metadata({**(field.metadata or {}), **fields.JSON})
        return field.with_type(fields.struct_of(_printable(_normal(member)) for member in kind))
    if pa.types.is_list(kind):
        return field.with_type(pa.list_(_normal(kind.value_field)))
    return field.with_type(pa.map_(pa.string(), _normal(kind.item_field))) if pa.types.is_map(kind) else field


def _printable(member: pa.Field) -> pa.Field:
    name = printable(member.name)
    if name == member.name:
        return member
    return member.with_name(name).with_metadata({b"name": member.name.encode(), **(member.metadata or {})})


def printable(name: str) -> str:
    """A name that SQL can spell: not empty, no control characters."""
    return "".join(c if c.isprintable() else "_" for c in name) or "_"


def align(values: pa.Array, field: pa.Field, columns: Sequence[pa.Field]) -> pa.StructArray:
    """Values of one schema's `field` as a struct with all of `columns`, null in those that it has no part in."""
    given: dict[str, tuple[pa.Array, pa.Field]] = {}
    members = _members(field)
    parts = values.flatten() if _is_columns(field) else [values]
    for member, part in zip(members, parts, strict=True):
        given[fields.real_name(member)] = (part, member)
    arrays = []
    for column in columns:
        part, member = given.get(_source(column), (None, None))
        if part is None or member is None or _merged(column, _normal(member)) is None:
            arrays.append(pa.nulls(len(values), column.type))
        else:
            arrays.append(_fit(part, member, column))
    return pa.StructArray.from_arrays(arrays, fields=list(plain_fields(columns)), mask=values.is_null())


def plain_fields(columns: Sequence[pa.Field]) -> list[pa.Field]:
    """The columns under names that can't collide with anything: c0, c1, …"""
    return [pa.field(f"c{place}", column.type) for place, column in enumerate(columns)]


def _members(field: pa.Field) -> list[pa.Field]:
    return list(field.type) if _is_columns(field) else [field.with_name("decoded")]


def _is_columns(field: pa.Field) -> bool:
    return pa.types.is_struct(field.type) and not fields.is_json(field)


def _named(field: pa.Field, name: str) -> pa.Field:
    """The column `name`, that remembers what the member is really called."""
    kept = {b"json": b"1"} if fields.is_json(field) else {}
    return pa.field(name, field.type, metadata={**kept, b"name": fields.real_name(field).encode()})


def _source(column: pa.Field) -> str:
    return fields.real_name(column)


def _merged(known: pa.Field, other: pa.Field) -> pa.DataType | None:
    """`known`'s type when values of `other` fit into it."""
    both = _lossless(known, other)
    return known.type if both is not None and both.type == known.type else None


def _lossless(one: pa.Field, other: pa.Field) -> pa.Field | None:
    """A field that holds both without loss; None when there is none."""
    if fields.is_json(one) or fields.is_json(other):
        return one if fields.is_json(one) and fields.is_json(other) else None
    left, right = one.type, other.type
    if left == right:
        return one
    if pa.types.is_struct(left) and pa.types.is_struct(right):
        return one.with_type(_structs(left, right))
    if pa.types.is_list(left) and pa.types.is_list(right):
        return one.with_type(pa.list_(_inner(left.value_field, right.value_field)))
    if pa.types.is_map(left) and pa.types.is_map(right):
        return one.with_type(pa.map_(pa.string(), _inner(left.item_field, right.item_field)))
    wider = _wider(left, right) or _wider(right, left)
    return None if wider is None else one.with_type(wider)


def _structs(left: pa.StructType, right: pa.StructType) -> pa.DataType:
    members = {fields.real_name(member): member for member in left}
    for member in right:
        name = fields.real_name(member)
        members[name] = _inner(members[name], member) if name in members else member
    return fields.struct_of(_printable(_real(member)) for member in members.values())


def _real(member: pa.Field) -> pa.Field:
    """The member under its own name."""
    metadata = {name: text for name, text in (member.metadata or {}).items() if name != b"name"}
    return member.with_name(fields.real_name(member)).with_metadata(metadata or None)


def _inner(one: pa.Field, other: pa.Field) -> pa.Field:
    return _lossless(one, other) or fields.json_field(one.name).with_metadata({**(one.metadata or {}), **fields.JSON})


def _wider(narrow: pa.DataType, wide: pa.DataType) -> pa.DataType | None:
    """`wide`, or a type wider than both, when it can hold every value of `narrow`."""
    if narrow in (pa.int32(), pa.uint32()) and wide in (pa.int64(), pa.float64()):
        return wide
    if narrow == pa.float32() and wide == pa.float64():
        return wide
    if pa.types.is_decimal(wide):
        scale, whole = wide.scale, wide.precision - wide.scale
        if pa.types.is_decimal(narrow):
            scale, whole = max(scale, narrow.scale), max(whole, narrow.precision - narrow.scale)
        elif narrow in _DIGITS:
            whole = max(whole, _DIGITS[narrow])
        else:
            return None
        return pa.decimal128(whole + scale, scale) if whole + scale <= fields.DECIMAL_DIGITS else None
    if pa.types.is_timestamp(narrow) and pa.types.is_timestamp(wide) and narrow.tz == wide.tz:
        return max(narrow, wide, key=lambda kind: ("s", "ms", "us", "ns").index(kind.unit))
    if pa.types.is_time(narrow) and pa.types.is_time64(wide):
        return wide
    return None


def _fit(values: pa.Array, field: pa.Field, target: pa.Field) -> pa.Array:
    kind = target.type
    if fields.is_json(target):
        return json_text(values, field)
    if values.type == kind:
        return values
    if pa.types.is_struct(kind):
        given = {
            fields.real_name(member): (part, member) for part, member in zip(values.flatten(), field.type, strict=True)
        }
        parts = []
        for member in kind:
            part, source = given.get(fields.real_name(member), (None, None))
            parts.append(pa.nulls(len(values), member.type) if part is None else _fit(part, source, member))
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=values.is_null())
    if pa.types.is_list(kind):
        items = _fit(values.values, field.type.value_field, kind.value_field)
        return pa.ListArray.from_arrays(values.offsets, items, type=kind, mask=values.is_null())
    if pa.types.is_map(kind):
        items = _fit(values.items, field.type.item_field, kind.item_field)
        # Arrow's maps take no mask beside offsets: an offset that is null says the same.
        offsets = pa.concat_arrays([values.offsets[:-1], values.offsets[-1:]]).to_numpy()
        nulls = values.is_null().to_numpy(zero_copy_only=False)
        marked = pa.array(offsets, pa.int32(), mask=[*nulls, False])
        return pa.MapArray.from_arrays(marked, values.keys, items, type=kind)
    return values.cast(kind, safe=False)


def _word(field: pa.Field) -> str:
    """A type's word for a column's suffix."""
    if fields.is_json(field):
        return "json"
    kind = field.type
    if pa.types.is_nested(kind):
        return "struct" if pa.types.is_struct(kind) else "map" if pa.types.is_map(kind) else "list"
    return str(kind).partition("[")[0].partition("(")[0]
