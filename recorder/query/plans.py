"""What DuckDB means to do for a query: its plan, and what that says of how a topic is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import msgspec

STREAMING = {"PROJECTION", "FILTER", "UNION", "READ_PARQUET"}
"""What gives rows as it gets them."""
_LIMITS = {"LIMIT", "STREAMING_LIMIT"}


def explained(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """The plan of a query; None when there is none, for which the query itself will say why."""
    try:
        rows = cursor.execute("explain (format json) " + sql, dict(parameters) if parameters else None).fetchall()
        [plan] = msgspec.json.decode(rows[0][1])
    except (duckdb.Error, msgspec.DecodeError, IndexError, ValueError):
        return None
    return plan if isinstance(plan, dict) else None


def reads_through(node: dict[str, Any], topic: str, aimed: Sequence[str], *, limited: bool) -> bool:
    """Whether a plan reads all records of a topic whose columns' names begin with `topic`."""
    name = str(node.get("name", "")).strip()
    said = node.get("extra_info", {})
    limited = name in _LIMITS or (limited and name in STREAMING)
    if name == "READ_PARQUET" and topic in str(said):
        filters = str(said.get("Filters", ""))
        return not limited and not any(re.search(rf"\b{column}\b", filters) for column in aimed)
    return any(reads_through(child, topic, aimed, limited=limited) for child in node.get("children", []))
