"""What a result's types become where Arrow, or what reads Arrow, has no place for them: text, inside others JSON."""

from __future__ import annotations

import re

import duckdb
import pyarrow as pa

from recorder.query.views import quoted

_FOREIGN = re.compile(r"INTERVAL|BIT\b|BIGNUM|VARIANT|UNION|TIME WITH TIME ZONE|TIME_NS|TIMESTAMP_NS|GEOMETRY")


def without_foreign_types(relation: duckdb.DuckDBPyRelation) -> tuple[duckdb.DuckDBPyRelation, list[str]]:
    """The relation with columns that Arrow can hold, and their types."""
    types = [str(kind) for kind in relation.types]
    if any(_FOREIGN.search(kind) for kind in types):
        relation = relation.project(_projection(relation.columns, types))
        types = [str(kind) for kind in relation.types]
    return relation, types


def marked(schema: pa.Schema, types: list[str]) -> pa.Schema:
    """A result's schema with each name once and JSON marked as JSON."""
    taken: set[str] = set()
    fields = []
    for field, kind in zip(schema, types, strict=True):
        name, number = field.name, 0
        while name in taken:
            number += 1
            name = f"{field.name}_{number}"
        taken.add(name)
        is_json = kind == "JSON" and field.type == pa.string()
        fields.append(pa.field(name, pa.json_() if is_json else field.type))
    return pa.schema(fields)


def _projection(names: list[str], types: list[str]) -> str:
    """All columns by position, foreign types as text or, nested, as JSON."""
    columns = []
    for position, (name, kind) in enumerate(zip(names, types, strict=True), start=1):
        if not _FOREIGN.search(kind):
            columns.append(f"#{position}")
        elif kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "VARIANT")):
            columns.append(f"to_json(#{position}) as {quoted(name)}")
        else:
            columns.append(f"cast(#{position} as varchar) as {quoted(name)}")
    return ", ".join(columns)
