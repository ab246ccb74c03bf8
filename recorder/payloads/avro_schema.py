"""Avro schema text as a tree of nodes, with names resolved; fastavro checks it.

Nodes of a recursive schema point back at themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastavro.schema import SchemaParseException, UnknownType, parse_schema

from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.schemas import TEXT_LIMIT, Schema

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_LOGICAL = {
    "decimal": ("bytes", "fixed"),
    "uuid": ("string", "fixed"),
    "date": ("int",),
    "time-millis": ("int",),
    "time-micros": ("long",),
    **{f"{local}timestamp-{unit}": ("long",) for local in ("", "local-") for unit in ("millis", "micros", "nanos")},
}
_CONNECT = {
    "org.apache.kafka.connect.data.Date": ("int", "date", ""),
    "org.apache.kafka.connect.data.Time": ("int", "time", "ms"),
    "org.apache.kafka.connect.data.Timestamp": ("long", "timestamp", "ms"),
    "io.debezium.time.Date": ("int", "date", ""),
    "io.debezium.time.Time": ("int", "time", "ms"),
    "io.debezium.time.MicroTime": ("long", "time", "us"),
    "io.debezium.time.NanoTime": ("long", "time", "ns"),
    "io.debezium.time.Timestamp": ("long", "local-timestamp", "ms"),
    "io.debezium.time.MicroTimestamp": ("long", "local-timestamp", "us"),
    "io.debezium.time.NanoTimestamp": ("long", "local-timestamp", "ns"),
}
"""Kafka Connect's and Debezium's own names for types: what they stand on, and what they are (Debezium's documentation,
"Temporal types": its timestamps have no zone)."""
_CONNECT_DECIMAL = "org.apache.kafka.connect.data.Decimal"
_CONNECT_PRECISION = 64
"""What Connect's converter takes where nobody says how many digits a decimal has."""
VARIABLE_DECIMAL = "io.debezium.data.VariableScaleDecimal"
UNITS = {"millis": "ms", "micros": "us", "nanos": "ns"}
DECIMAL_DIGITS = 1000
NODES_LIMIT = 100_000


@dataclass(slots=True, eq=False)
class Node:
    """One type. `fields` are a record's, `items` those of an array or map, `branches` a union's with their labels."""

    kind: str
    name: str = ""
    logical: str = ""
    unit: str = ""
    precision: int = 0
    scale: int = 0
    size: int = 0
    symbols: tuple[str, ...] = ()
    fields: list[tuple[str, Node]] = field(default_factory=list)
    items: Node | None = None
    branches: list[tuple[str, Node]] = field(default_factory=list)
    tags: tuple[str, ...] = ()
    """What people marked the type with (``confluent:tags``); `field_tags` are those of a record's fields."""
    field_tags: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def simple(self) -> bool:
        """A union of at most one kind beside null: no need to say which branch a value is of."""
        return sum(branch.kind != "null" for _, branch in self.branches) <= 1


def parse(schema: Schema, referenced: Mapping[str, Schema]) -> Node:
    """The root node of `schema`; `referenced` holds what it refers to, the deepest first.

    Raises PayloadError (schema does not parse, too deep, too large).
    """
    names: dict[str, dict[str, Any]] = {}
    try:
        for other in referenced.values():
            parse_schema(_load(other.text), named_schemas=names)
        root = parse_schema(_load(schema.text), named_schemas=names)
        return _Builder(names).build(root)
    except UnknownType as error:
        raise PayloadError(Reason.MISSING_REFERENCE, f"{schema.title}: type {error.name!r:.100}") from error
    except RecursionError as error:
        raise PayloadError(Reason.TOO_DEEP, f"{schema.title}: schema") from error
    except (SchemaParseException, msgspec.DecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise PayloadError(Reason.BAD_SCHEMA, f"{schema.title}: {str(error) or type(error).__name__:.200}") from error


def _load(text: str) -> Any:
    if len(text) > TEXT_LIMIT:
        raise PayloadError(Reason.TOO_LARGE, f"a schema of {len(text):,} characters")
    try:
        return _without_marks(msgspec.json.decode(text))
    except msgspec.DecodeError:
        if text.strip() in PRIMITIVES:  # registries also hand out the bare name
            return text.strip()
        raise


def _without_marks(schema: Any) -> Any:
    """Without the keys that would make fastavro take the text for one that it has checked already."""
    if isinstance(schema, dict):
        return {key: _without_marks(item) for key, item in schema.items() if not key.startswith("__")}
    return [_without_marks(item) for item in schema] if isinstance(schema, list) else schema


class _Builder:
    def __init__(self, names: dict[str, dict[str, Any]]) -> None:
        self._names = names
        self._known: dict[str, Node] = {}
        self._count = 0

    def build(self, schema: Any) -> Node:
        self._count += 1
        if self._count > NODES_LIMIT:
            raise PayloadError(Reason.TOO_LARGE, f"a schema of more than {NODES_LIMIT:,} types")
        if isinstance(schema, list):
            node = Node("union", branches=[(_label(item), item) for item in map(self.build, schema)])
            if not node.branches:
                raise ValueError("an empty union")
            return node
        if isinstance(schema, str):
            if schema in PRIMITIVES:
                return Node(schema)
            return self._known.get(schema) or self.build(self._names[schema])
        kind = schema["type"]
        if kind in ("record", "error"):
            node = self._known[schema["name"]] = Node("record", schema["name"])
            node.fields = [(item["name"], self.build(item["type"])) for item in schema["fields"]]
            node.tags = tags_of(schema)
            node.field_tags = {item["name"]: tags for item in schema["fields"] if (tags := tags_of(item))}
            if schema.get("connect.name", node.name) == VARIABLE_DECIMAL and _holds_decimal(node):
                node.logical = "variable-decimal"
            return node
        if kind in ("enum", "fixed"):
            node = self._known[schema["name"]] = Node(kind, schema["name"])
            node.symbols, node.size = tuple(map(str, schema.get("symbols", ()))), int(schema.get("size", 0))
            if node.size < 0:
                raise ValueError(f"{node.name} of {node.size} bytes")
            if kind == "fixed":
                _logical(node, schema)
            return node
        if kind == "array":
            return Node("array", items=self.build(schema["items"]))
        if kind == "map":
            return Node("map", items=self.build(schema["values"]))
        node = self.build(kind)
        if kind in PRIMITIVES:
            _logical(node, schema)
        return node


def tags_of(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags in a schema's custom properties: ``"confluent:tags": ["PII"]``, or a property ``tags`` or ``tag``."""
    found: list[str] = []
    for name in ("confluent:tags", "tags", "tag"):
        value = properties.get(name)
        found += [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(dict.fromkeys(tag for tag in found if isinstance(tag, str)))


def _logical(node: Node, schema: dict[str, Any]) -> None:
    """A logical type that does not fit what it stands on counts as none, as Avro says."""
    logical, named = schema.get("logicalType"), schema.get("connect.name")
    if logical is None and isinstance(named, str):
        _connect(node, schema, named)
        return
    if not isinstance(logical, str) or node.kind not in _LOGICAL.get(logical, ()):
        return
    if logical == "decimal":
        precision, scale = schema.get("precision"), schema.get("scale", 0)
        if not isinstance(precision, int) or not isinstance(scale, int):
            return
        if not 0 < precision <= DECIMAL_DIGITS or not 0 <= scale <= precision:
            return
        node.precision, node.scale = precision, scale
    if logical == "uuid" and node.kind == "fixed" and node.size != 16:
        return
    node.logical = "timestamp" if logical.startswith("timestamp") else logical.rsplit("-", 1)[0]
    node.unit = UNITS.get(logical.rsplit("-", 1)[-1], "")


def _connect(node: Node, schema: dict[str, Any], named: str) -> None:
    """Types that only Connect's names tell; others of its names stand for what they are (enums, geometry, text)."""
    kind, logical, unit = _CONNECT.get(named, ("", "", ""))
    if kind == node.kind:
        node.logical, node.unit = logical, unit
    parameters = schema.get("connect.parameters")
    if named == _CONNECT_DECIMAL and isinstance(parameters, dict):
        precision = int(parameters.get("connect.decimal.precision", _CONNECT_PRECISION))
        given = {"logicalType": "decimal", "precision": precision, "scale": int(parameters.get("scale", 0))}
        _logical(node, given)


def _holds_decimal(node: Node) -> bool:
    return sorted((name, item.kind, item.logical) for name, item in node.fields) == [
        ("scale", "int", ""),
        ("value", "bytes", ""),
    ]


def _label(node: Node) -> str:
    return node.name or node.kind
