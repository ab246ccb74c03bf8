"""The questions that are asked again and again have answers ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.query import Session
from recorder.query.canned import CANNED
from tests.builders import T0, make_capture, record
from tests.query.schemas import avro, framed, with_schemas

ONE = avro(1, "Paid", ("id", "string"))
TWO = avro(2, "Paid", ("id", "string"), ("fee", ["null", "int"]), version=2)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    records: list[Any] = [
        record("orders", 0, T0, "pay-1", {"specversion": "1.0", "id": "e1", "n": 1}),
        record("orders", 0, T0 + 900, "pay-2", {"specversion": "1.0", "id": "e2", "n": 1}),
        record("orders", 0, T0 + 500, "pay-1", {"specversion": "1.0", "id": "e1", "n": 2}),
        record("orders", 0, T0 + 2_000, "pay-2", None),
        record("orders", 0, T0 + 2_100, "pay-3", "{cut", offset=9),
        record("paid", 0, T0 + 700, "x", framed(ONE, {"id": "pay-1"})),
        record("paid", 0, T0 + 800, "x", framed(ONE, {"id": "pay-1"})),
        record("paid", 0, T0 + 1_000, "y", framed(TWO, {"id": "pay-2", "fee": None}), [("trace", "pay-9")]),
        record("keys", 0, T0, "a", {"n": 1}),
    ]
    capture = with_schemas(make_capture(tmp_path_factory.mktemp("canned") / "c", records), ONE, TWO)
    with Session(capture) as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT records, keys FROM by_second('orders')", [(3, 2), (2, 2)]),
        ("SELECT key, records, tombstones FROM keys WHERE topic = 'orders' ORDER BY 1",
         [("pay-1", 2, 0), ("pay-2", 2, 1), ("pay-3", 1, 0)]),
        ("SELECT topic, first_offset, last_offset, missing, reason FROM gaps", [("orders", 4, 8, 5, "compacted")]),
        ("SELECT same, topic, what, records FROM duplicates ORDER BY ALL",
         [("id", "orders", "e1", 2), ("key and value", "paid", "x", 2)]),
        ('SELECT topic, "offset", late_ms FROM late', [("orders", 2, 400)]),
        ("SELECT topic, side, reason, records, first_offset FROM decode_errors",
         [("orders", "value", "malformed", 1, 9)]),
        ("SELECT topic, \"offset\", before_id, schema_id FROM schema_changes", [("paid", 2, 1, 2)]),
        ("WITH ids AS (SELECT 1) SELECT id, latency_ms FROM latency('paid', 'orders', 'id') ORDER BY id",
         [("pay-1", None), ("pay-2", None)]),
        ("SELECT id, latency_ms FROM latency('orders', 'orders', 'key') ORDER BY id",
         [("pay-1", 0), ("pay-2", 0), ("pay-3", 0)]),
        ('SELECT topic, "offset", found_in FROM trace(\'pay-1\')',
         [("orders", 0, "key"), ("orders", 2, "key"), ("paid", 0, "value"), ("paid", 1, "value")]),
        ("SELECT topic, found_in FROM trace('pay-9')", [("paid", "header")]),
        ("SELECT key, value_json->>'n' AS n FROM state_at('orders', '2026-11-03T14:02:01Z') ORDER BY 1",
         [("pay-1", "2"), ("pay-2", "1")]),
        ("SELECT key FROM state_at('orders', '2026-11-03T14:03:00Z') ORDER BY 1", [("pay-1",), ("pay-3",)]),
        ("SELECT key, n FROM topics.keys", [("a", 1)]),
    ],
)  # fmt: skip
def test_answers(session: Session, sql: str, expected: list[tuple[Any, ...]]) -> None:
    assert [tuple(row.values()) for row in session.query(sql).to_pylist()] == expected


@pytest.mark.parametrize("canned", CANNED, ids=lambda canned: canned.name)
def test_the_example_runs(session: Session, canned: Any) -> None:
    session.query(canned.example)


def test_several_captures_in_one_query(tmp_path: Path) -> None:
    before = make_capture(tmp_path / "b", [("t", 0, T0, "k", {"n": 1}), ("t", 0, T0, "gone", {"n": 1})])
    after = make_capture(tmp_path / "a", [("t", 0, T0, "k", {"n": 2})])
    with Session({"before": before, "after": after}) as session:
        sql = "SELECT b.key, b.n AS was, a.n AS is FROM before.t b LEFT JOIN after.t a USING (key) ORDER BY 1"
        assert [tuple(row.values()) for row in session.query(sql).to_pylist()] == [("gone", 1, None), ("k", 1, 2)]
        assert session.query("SELECT count(*) AS n FROM before.records").to_pylist() == [{"n": 2}]
        assert session.query("SELECT count(*) AS n FROM after.trace('k')").to_pylist() == [{"n": 1}]
