"""Hypothesis strategies: Avro schemas of every kind with values that fastavro can write under them."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import fastavro
from hypothesis import strategies as st

from recorder.payloads.schemas import Schema

INT = st.integers(-(2**31), 2**31 - 1)
LONG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def _decimals(size: int) -> Any:
    """Two's complement in as few bytes as it takes, as Java and fastavro write it."""
    return st.integers(-(10**size) + 1, 10**size - 1).map(
        lambda number: number.to_bytes((number if number >= 0 else ~number).bit_length() // 8 + 1, "big", signed=True)
    )


LEAVES: list[tuple[Any, Any]] = [
    ("null", st.none()),
    ("boolean", st.booleans()),
    ("int", INT),
    ("long", LONG),
    ("float", st.floats(width=32, allow_nan=False)),
    ("double", st.floats(allow_nan=False)),
    ("bytes", st.binary(max_size=20)),
    ("string", TEXT),
    ({"type": "int", "logicalType": "date"}, INT),
    ({"type": "int", "logicalType": "time-millis"}, INT),
    ({"type": "long", "logicalType": "time-micros"}, LONG),
    ({"type": "long", "logicalType": "timestamp-millis"}, LONG | st.integers(0, 2**41)),
    ({"type": "long", "logicalType": "timestamp-micros"}, LONG | st.integers(0, 2**51)),
    ({"type": "long", "logicalType": "timestamp-nanos"}, LONG),
    ({"type": "long", "logicalType": "local-timestamp-millis"}, LONG | st.integers(0, 2**41)),
    ({"type": "string", "logicalType": "uuid"}, TEXT),
    ({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}, _decimals(12)),
    ({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 10}, _decimals(38)),
    ({"type": "bytes", "logicalType": "decimal", "precision": 50, "scale": 3}, _decimals(50)),
]


@st.composite
def schemas(draw: st.DrawFn, depth: int = 3) -> tuple[Any, st.SearchStrategy[Any]]:
    """(schema, values as fastavro writes them when logical types are off; unions as (name, value))."""
    names = (f"N{number}" for number in itertools.count())
    return _schema(draw, depth, names)


def _schema(draw: st.DrawFn, depth: int, names: Any) -> tuple[Any, st.SearchStrategy[Any]]:
    kind = draw(st.sampled_from(["leaf", "leaf", "record", "array", "map", "optional", "union", "enum", "fixed"]))
    if kind == "leaf" or depth == 0:
        return draw(st.sampled_from(LEAVES))
    if kind == "enum":
        symbols = ["A", "b", "C_3"]
        return {"type": "enum", "name": next(names), "symbols": symbols}, st.sampled_from(symbols)
    if kind == "fixed":
        return {"type": "fixed", "name": next(names), "size": 5}, st.binary(min_size=5, max_size=5)
    if kind == "array":
        items, values = _schema(draw, depth - 1, names)
        return {"type": "array", "items": items}, st.lists(values, max_size=4)
    if kind == "map":
        items, values = _schema(draw, depth - 1, names)
        return {"type": "map", "values": items}, st.dictionaries(TEXT, values, max_size=4)
    if kind == "optional":
        inner, values = draw(st.sampled_from(LEAVES[1:]))
        return ["null", inner], st.none() | values
    if kind == "union":
        name = next(names)
        record = {"type": "record", "name": name, "fields": [{"name": "a", "type": "string"}]}
        branches = ["int", "long", "null", record, "string", "bytes"]
        return branches, st.one_of(
            INT.map(lambda value: ("int", value)),
            LONG.map(lambda value: ("long", value)),
            st.none(),
            TEXT.map(lambda value: (name, {"a": value})),
            TEXT.map(lambda value: ("string", value)),
            st.binary(max_size=5).map(lambda value: ("bytes", value)),
        )
    name = next(names)
    members = [_schema(draw, depth - 1, names) for _ in range(draw(st.integers(0, 4)))]
    fields = [{"name": f"f{index}", "type": inner} for index, (inner, _) in enumerate(members)]
    values = st.fixed_dictionaries({f"f{index}": inner for index, (_, inner) in enumerate(members)})
    return {"type": "record", "name": name, "fields": fields}, values


def without_logical(schema: Any) -> Any:
    """The same schema with bare numbers and bytes."""
    if isinstance(schema, dict):
        return {key: without_logical(item) for key, item in schema.items() if key != "logicalType"}
    return [without_logical(item) for item in schema] if isinstance(schema, list) else schema


def write(schema: Any, value: Any) -> bytes:
    """The body as fastavro writes it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(without_logical(schema)), value)
    return out.getvalue()


def schema_of(schema: Any, id: int | None = None) -> Schema:
    return Schema("avro", json.dumps(schema), id=id)
