"""JSON Schemas as types: which fields there are, of which one type, and what they are tagged.

Only what a schema says plainly is taken: a place of several types, or of none, is left to each record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from desensitizers.cells import Cell
from desensitizers.errors import UnfitError
from desensitizers.types import Field, Type
from recorder.payloads.avro_schema import tags_of
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.schemas import Schema

_DEPTH = 32


def json_type(schema: Schema, referenced: Mapping[str, Schema]) -> Type:
    """The type of a schema's root. Raises PayloadError."""
    try:
        documents = {name: json.loads(other.text) for name, other in referenced.items()}
        root = json.loads(schema.text)
        return _Builder(documents).build(root, root)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PayloadError(Reason.BAD_SCHEMA, f"{schema.title}: {error!s:.200}") from error


class _Builder:
    def __init__(self, documents: Mapping[str, Any]) -> None:
        self._documents = documents
        self._known: dict[int, Type] = {}

    def build(self, schema: Any, root: Any) -> Type:
        tags = frozenset(tags_of(schema)) if isinstance(schema, dict) else frozenset()
        schema, root = self._resolved(schema, root)
        if not isinstance(schema, dict):
            return Type("union", tags=tags)
        if id(schema) in self._known:
            return self._known[id(schema)]
        made = self._known[id(schema)] = Type("union", tags=tags | frozenset(tags_of(schema)))
        kinds = schema.get("type")
        kinds = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind not in ("null", None)]
        others = [one for name in ("oneOf", "anyOf", "allOf") for one in schema.get(name) or ()]
        if "properties" in schema or kinds == ["object"]:
            made.kind = "record"
            members = schema.get("properties") or {}
            made.fields = [Field(name, self.build(inner, root)) for name, inner in members.items()]
        elif kinds == ["array"] and isinstance(schema.get("items"), dict):
            made.kind, made.items = "array", self.build(schema["items"], root)
        elif len(kinds) == 1 and not others and kinds[0] in ("string", "number", "integer", "boolean"):
            made.kind, made.cell = "scalar", _cell(kinds[0], schema)
        made.branches = [(str(number), self.build(one, root)) for number, one in enumerate(others)]
        return made

    def _resolved(self, schema: Any, root: Any) -> tuple[Any, Any]:
        """Follows `$ref` within the document and to what it refers to by name; never to a place on the net."""
        for _ in range(_DEPTH):
            target = schema.get("$ref") if isinstance(schema, dict) else None
            if not isinstance(target, str):
                return schema, root
            document, _, path = target.partition("#")
            root = self._documents.get(document) if document else root
            schema = root
            for part in filter(None, path.split("/")):
                key = part.replace("~1", "/").replace("~0", "~")
                schema = schema.get(key) if isinstance(schema, dict) else None
        return None, root


def _cell(kind: str, schema: Mapping[str, Any]) -> Cell:
    allowed = schema["enum"] if isinstance(schema.get("enum"), list) else [schema["const"]] if "const" in schema else []

    def back(value: Any) -> bytes:
        plain = float(value) if isinstance(value, Decimal) else value
        if allowed and plain not in allowed:
            raise UnfitError(f"does not give one of the {len(allowed)} values")
        if kind == "integer" and plain != int(plain):
            raise UnfitError("does not give a whole number")
        return json.dumps(plain).encode()

    name = {"string": "string", "boolean": "boolean"}.get(kind, "number")
    samples = tuple(json.dumps(value).encode() for value in allowed if value is not None)
    title = f"{kind} of {len(allowed)} values" if allowed else kind
    return Cell(name, title, _read, back, b'""' if name == "string" else b"0", samples)  # type: ignore[arg-type]


def _read(raw: bytes) -> Any:
    value = json.loads(raw)
    return Decimal(str(value)) if isinstance(value, float) else value
