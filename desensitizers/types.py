"""A schema as the rewriters need it: what lies where in the bytes, its names and tags, and how scalars are spelled.

Whoever knows the schema language (Avro, Protobuf) makes these; types of a recursive schema point back at themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from desensitizers.cells import Cell
from desensitizers.pathrules import NO_TAGS

Wire = Literal["varint", "sized", "fixed", "packed", "message", "group"]


@dataclass(slots=True, eq=False)
class Type:
    """One type.

    `null` and `scalar` are leaves; `record` has fields, `array` and `map` have items, `union` has branches with their
    labels. In Protobuf a message is a record whose fields have numbers, and arrays and maps are facts of its fields.
    """

    kind: Literal["null", "scalar", "record", "array", "map", "union"]
    name: str = ""
    tags: frozenset[str] = NO_TAGS
    cell: Cell | None = None
    wire: Wire = "varint"
    size: int = 0
    """Bytes of a scalar of fixed width."""
    choices: int = 0
    """For an enum or a boolean: how many values there are."""
    fields: list[Field] = field(default_factory=list)
    items: Type | None = None
    branches: list[tuple[str, Type]] = field(default_factory=list)
    bare: bool = False
    """A record whose fields stand at the record's own place: wrappers, and Struct's inner works."""


@dataclass(slots=True, eq=False)
class Field:
    """A member of a record; all but name, type and tags are Protobuf's."""

    name: str
    type: Type
    tags: frozenset[str] = NO_TAGS
    number: int = 0
    repeated: bool = False
    required: bool = False
    map_key: Type | None = None
    """For a map's field: the type of its keys; `type` is that of its values."""


@dataclass(frozen=True, slots=True)
class Framed:
    """What the first bytes of a payload, or a header, say about it."""

    prefix: int
    """Bytes before the body."""
    format: Literal["avro", "protobuf", "json-schema"]
    schema: str
    """As people call it: ``orders-value v3 (id 7)``."""
    type: Callable[[], Type]
    """The body's type. Raises Refusal when the schema can't be read."""


class Schemas(Protocol):
    """The schemas of a capture. Answers are for all payloads that begin alike."""

    def framed(self, payload: bytes, header: bytes | None) -> Framed | None:
        """What is framed; None for a payload that is no frame at all. `header` is the header that names a schema.

        Raises Refusal for a frame that is torn, and for a schema that is not here.
        """
        ...
