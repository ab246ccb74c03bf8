"""Arrow fields for schemas, with the little that Arrow's types can't say in their metadata.

``json``: text that is JSON already (where a schema recurs, or has no columns to offer). ``omit``: a member that is
absent when null, as a union's branches and a oneof's. ``name``: how it is really called, when names differ only by case
(SQL would take them for one).
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from recorder.payloads.avro_schema import Node

DECIMAL_DIGITS = 38
"""More than this many digits become text: neither Parquet readers nor SQL have such numbers."""

JSON = {b"json": b"1"}
OMIT = {b"omit": b"1"}
_PLAIN = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "fixed": pa.binary(),
    "string": pa.string(),
    "enum": pa.string(),
}


def is_json(field: pa.Field) -> bool:
    return bool(field.metadata) and b"json" in field.metadata


def is_omitted(field: pa.Field) -> bool:
    """Whether null means that there is no such member."""
    return bool(field.metadata) and b"omit" in field.metadata


def real_name(field: pa.Field) -> str:
    name: bytes | None = (field.metadata or {}).get(b"name")
    return field.name if name is None else name.decode()


def json_field(name: str) -> pa.Field:
    return pa.field(name, pa.string(), metadata=JSON)


def struct_of(members: Iterable[pa.Field]) -> pa.DataType:
    """A struct type whose names differ by more than case."""
    taken: set[str] = set()
    named = []
    for member in members:
        name, number = member.name, 1
        while name.lower() in taken:
            number += 1
            name = f"{member.name}_{number}"
        taken.add(name.lower())
        if name != member.name:
            member = member.with_name(name).with_metadata({**(member.metadata or {}), b"name": member.name.encode()})
        named.append(member)
    return pa.struct(named)


def of_avro(node: Node, name: str = "value", above: tuple[Node, ...] = ()) -> pa.Field:
    """The field of an Avro type; a record inside itself is JSON text."""
    if node in above or len(above) > 32:
        return json_field(name)
    if node.kind == "record" and node.logical:
        return pa.field(name, pa.string())  # each value has a scale of its own
    if node.kind == "record":
        members = [of_avro(item, member, (*above, node)) for member, item in node.fields]
        return pa.field(name, struct_of(members)) if members else json_field(name)
    if node.kind == "union":
        branches = [(label, branch) for label, branch in node.branches if branch.kind != "null"]
        if len(branches) <= 1:
            return of_avro(branches[0][1], name, above) if branches else json_field(name)
        members = [of_avro(branch, label, (*above, node)) for label, branch in branches]
        members = [member.with_metadata({**(member.metadata or {}), **OMIT}) for member in members]
        return pa.field(name, struct_of(members))
    if node.kind in ("array", "map"):
        assert node.items is not None
        item = of_avro(node.items, "element" if node.kind == "array" else "value", (*above, node))
        return pa.field(name, pa.list_(item) if node.kind == "array" else pa.map_(pa.string(), item))
    if node.kind == "null":
        return json_field(name)
    return pa.field(name, _logical(node) or _PLAIN[node.kind])


def _logical(node: Node) -> pa.DataType | None:
    if node.logical == "decimal":
        fits = node.precision <= DECIMAL_DIGITS
        return pa.decimal128(node.precision, node.scale) if fits else pa.string()
    if node.logical == "uuid":
        return pa.string()
    if node.logical == "date":
        return pa.date32()
    if node.logical == "time":
        return pa.time32("ms") if node.unit == "ms" else pa.time64(node.unit)
    if node.logical == "timestamp":
        return pa.timestamp(node.unit, "UTC")
    return pa.timestamp(node.unit) if node.logical else None
