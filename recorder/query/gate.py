"""Which statements may run: those that only read. Decided on DuckDB's own parse, before anything is executed.

The type that DuckDB reports for a statement is not enough: `WITH x AS (COPY … TO …) FROM x` is a SELECT to it, and
`EXPLAIN ANALYZE` runs what it explains. So the syntax tree is searched for everything that is not a query.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb
import msgspec

from recorder.errors import UsageError

ALLOWED = "SELECT, FROM, WITH, VALUES, PIVOT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN"

_QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_DENIED_FUNCTIONS = {
    # These run SQL that is given as text or as a tree, past this gate.
    "query",
    "query_table",
    "json_execute_serialized_sql",
    # These sleep where no interrupt reaches them.
    "pg_sleep",
    "sleep_ms",
}
_WRITING = (
    "alter attach call copy create delete drop execute export import insert install load merge prepare set "
    "truncate update"
)
_NOT_IN_PIVOT = re.compile(rf"\b({'|'.join([*_WRITING.split(), *_DENIED_FUNCTIONS])})\b", re.IGNORECASE)
_OPTIONS_OF_EXPLAIN = {"analyze", "format", "verbose"}


def check(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The syntax tree of `sql`, None where there is none.

    UsageError unless it is one statement that only reads; duckdb.Error when it can't be parsed.
    """
    try:
        statements = connection.extract_statements(sql)
        kinds = [statement.type.name for statement in statements]
    except ValueError:  # a statement so new that the Python client has no name for its type
        raise _refusal("this statement") from None
    if not kinds:
        raise UsageError('The query is empty: write for example "SELECT topic, count(*) FROM records GROUP BY ALL".')
    if len(kinds) > 1:
        raise UsageError(f"One statement at a time: these are {len(kinds)}.")
    kind = kinds[0]
    if kind == "EXPLAIN":
        check(connection, _explained(sql))
    elif kind == "MULTI":
        _check_pivot(sql)
    elif kind == "SELECT":
        return _check_tree(connection, sql)
    else:
        raise _refusal(kind.replace("_", " "))
    return None


def _check_tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    [(text,)] = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
    tree: dict[str, Any] = msgspec.json.decode(text)
    if tree["error"]:
        # DuckDB can't show this tree: judge it as strictly as the other case where there is none.
        _check_pivot(sql)
        return None
    for node in nodes(tree["statements"]):
        kind, function = node.get("type"), node.get("function_name")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _QUERY_NODES:
            raise _refusal(kind.split("_", maxsplit=1)[0])
        if isinstance(function, str) and function.lower() in _DENIED_FUNCTIONS:
            raise _refusal(f"the function {function.lower()}")
    return tree["statements"]


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All nodes of a syntax tree."""
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            yield node
            waiting += node.values()


def names_only(tree: Any, columns: Collection[str]) -> bool:
    """Whether a statement surely names no columns of tables but these: none by `*`, a pattern, as a row or as shared.

    False for one without a tree.
    """
    if tree is None:
        return False
    tables: set[str] = set()
    named: list[list[str]] = []
    for node in nodes(tree):
        kind = node.get("type")
        if kind in ("STAR", "PIVOT") or node.get("ref_type") == "NATURAL":
            return False
        if kind == "BASE_TABLE":
            tables.add((node.get("alias") or node["table_name"]).lower())
        elif kind == "COLUMN_REF":
            named.append([name.lower() for name in node["column_names"]])
    return all(names[-1] in columns and (len(names) == 1 or names[0] in tables) for names in named)


def _check_pivot(sql: str) -> None:
    """PIVOT over unknown values is several statements and has no tree: refuse every word that could write."""
    if found := _NOT_IN_PIVOT.search(sql):
        raise _refusal(f"{found.group(1).upper()} in a PIVOT")


def _explained(sql: str) -> str:
    """The statement that an EXPLAIN explains."""
    raw = sql.encode()
    starts = [start for start, kind in duckdb.tokenize(sql) if kind != duckdb.token_type.comment]
    words = [
        (start, raw[start:end].split()[0].lower().decode())
        for start, end in zip(starts, [*starts[1:], len(raw)], strict=True)
    ]
    at = 1
    while at < len(words) and words[at][1] in _OPTIONS_OF_EXPLAIN:
        at += 1
    if at + 1 < len(words) and words[at][1] == "(" and words[at + 1][1] in _OPTIONS_OF_EXPLAIN:
        at = next((index + 1 for index in range(at, len(words)) if words[index][1] == ")"), len(words))
    if at >= len(words):
        raise _refusal("this EXPLAIN")
    return raw[words[at][0] :].decode()


def _refusal(what: str) -> UsageError:
    advice = "; write results with -o FILE instead" if what in {"COPY", "EXPORT"} else ""
    return UsageError(f"SQL may only read a capture: {what} is refused. Use {ALLOWED}{advice}.")
