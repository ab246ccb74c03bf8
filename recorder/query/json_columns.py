"""Typed columns of JSON without a schema, from a sample, as SQL over the JSON text: lazy, column by column.

The narrow files of columns that are kept (`recorder.query.extracting`) are filled by the same SQL.

A value that does not fit its column is null there, never rounded or guessed; `value_json` keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import msgspec

from recorder.query.merging import printable
from recorder.query.views import literal, quoted

COLUMNS_LIMIT = 300
"""More names than that are data: a map, not a record."""
_INNER_LIMIT = 100
_DEPTH_LIMIT = 16


def infer(connection: duckdb.DuckDBPyConnection, texts: list[str]) -> dict[str, Any]:
    """The structure of the JSON objects among `texts`, as DuckDB's `json_group_structure` has it; {} for none."""
    [(text,)] = connection.execute(
        "select json_group_structure(j) from (select try_cast(unnest(?::varchar[]) as json) as j) "
        "where json_type(j) = 'OBJECT'",
        [texts],
    ).fetchall()
    structure = None if text is None else msgspec.json.decode(text)
    return structure if isinstance(structure, dict) and len(structure) <= COLUMNS_LIMIT else {}


@dataclass(frozen=True, slots=True)
class JsonColumn:
    """A typed column of JSON, in three steps of SQL, so that none has to be done twice for a record."""

    pointer: str
    """Where it is in the document. Unlike a path it can name anything."""
    structure: Any

    @property
    def plain(self) -> bool:
        """Whether it is made of the text found at the pointer; of the JSON there otherwise."""
        return isinstance(self.structure, str) and self.structure not in ("JSON", "NULL")

    def found(self, document: str) -> str:
        """What is at the pointer in the text `document`: text or JSON, null where that is not JSON."""
        return f"try({'json_extract_string' if self.plain else 'json_extract'}({document}, {literal(self.pointer)}))"

    def value(self, found: str) -> str:
        """What was found with the texts in it apart, where the column is nested."""
        if not self._nested:
            return found
        return f"try(json_transform({found}, {literal(msgspec.json.encode(_texts(self.structure)).decode())}))"

    def shown(self, value: str) -> str:
        """The column: an expression that names `value` more than once."""
        if self.plain:
            return _scalar(self.structure, value)
        return _nested(self.structure, value, 0) if self._nested else value

    @property
    def _nested(self) -> bool:
        return not isinstance(self.structure, str) and _spellable(self.structure)


def columns_of(structure: dict[str, Any]) -> dict[str, JsonColumn]:
    """The columns of documents of that structure by the names of their members."""
    return {
        name: JsonColumn("/" + name.replace("~", "~0").replace("/", "~1"), inner) for name, inner in structure.items()
    }


def _scalar(kind: str, text: str) -> str:
    if kind in ("BIGINT", "UBIGINT", "HUGEINT"):
        # A cast alone would round 1.5.
        return f"case when try_cast({text} as bigint)::varchar = {text} then try_cast({text} as bigint) end"
    if kind == "BOOLEAN":
        return f"case {text} when 'true' then true when 'false' then false end"
    return f"try_cast({text} as double)" if kind == "DOUBLE" else text


def _nested(structure: Any, value: str, level: int) -> str:
    """The texts in `value` (a struct, a list or text) as what they are."""
    if isinstance(structure, str):
        return f"try_cast({value} as json)" if structure in ("JSON", "NULL") else _scalar(structure, value)
    item = f"e{level}"
    if isinstance(structure, list):
        return f"list_transform({value}, lambda {item}: {_nested(structure[0], item, level + 1)})"
    members = ", ".join(
        f"{quoted(name)} := {_nested(inner, f'struct_extract({value}, {literal(name)})', level)}"
        for name, inner in structure.items()
    )
    return f"case when {value} is not null then struct_pack({members}) end"


def _texts(structure: Any) -> Any:
    if isinstance(structure, str):
        return "VARCHAR"
    if isinstance(structure, list):
        return [_texts(item) for item in structure]
    return {name: _texts(inner) for name, inner in structure.items()}


def _spellable(structure: Any, depth: int = 0) -> bool:
    """Whether SQL has a type for it: names that differ by more than case, not too many, not too deep."""
    if isinstance(structure, str):
        return True
    if depth > _DEPTH_LIMIT or not structure:
        return False
    if isinstance(structure, list):
        return _spellable(structure[0], depth + 1)
    names = {name.lower() for name in structure if printable(name) == name}
    return len(names) == len(structure) <= _INNER_LIMIT and all(
        _spellable(inner, depth + 1) for inner in structure.values()
    )
