"""A statement's syntax tree tells whether it asks for no more than the columns that all topics have."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from recorder.query import Session
from recorder.query.gate import check, names_only
from recorder.query.views import PLAIN_COLUMNS
from tests.builders import T0, make_capture


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "offset", KEY FROM payments WHERE timestamp_ms > 5 ORDER BY partition',
        "SELECT count(*) FROM payments GROUP BY key",
        "SELECT p.key, header(p.headers, 'x') FROM topics.payments p JOIN other USING (key)",
        "SELECT payments.value_json->>'$.status' FROM payments",
    ],
)
def test_these_ask_for_plain_columns_only(sql: str) -> None:
    assert names_only(check(duckdb.connect(), sql), PLAIN_COLUMNS)


@pytest.mark.parametrize(
    "sql",
    [
        "FROM payments",
        "SELECT status FROM payments",
        "SELECT key FROM payments WHERE status = 'x'",
        "SELECT p FROM payments p",
        "SELECT p.* FROM payments p",
        "SELECT columns('k.*') FROM payments",
        "SELECT key FROM payments NATURAL JOIN other",
        "SELECT lines.key FROM payments",  # a member of the column lines
        "SELECT key, (SELECT max(cents) FROM payments) FROM payments",
        "DESCRIBE payments",
        "SUMMARIZE payments",
        "PIVOT payments ON key USING count(*)",
        "EXPLAIN SELECT key FROM payments",
    ],
)
def test_these_may_ask_for_more(sql: str) -> None:
    assert not names_only(check(duckdb.connect(), sql), PLAIN_COLUMNS)


def test_plain_and_typed_columns_are_there_under_every_name_in_any_order(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("my.orders", 0, T0, "k", {"n": 7, "timestamp": 1})])
    with Session(capture) as session:
        for name in ("my_orders", '"my.orders"', 'topics."my.orders"'):
            assert session.query(f"SELECT key FROM {name}").to_pylist() == [{"key": "k"}]
        for name in ("my_orders", '"my.orders"', 'topics."my.orders"'):
            sql = f"SELECT key, n, value_timestamp AS t FROM {name}"
            assert session.query(sql).to_pylist() == [{"key": "k", "n": 7, "t": 1}]
            assert session.query(f"SELECT key FROM {name}").to_pylist() == [{"key": "k"}]
