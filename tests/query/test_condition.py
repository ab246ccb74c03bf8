"""Conditions in SQL judge records that have just arrived, and can do nothing else."""

from __future__ import annotations

import pytest

from recorder.errors import UsageError
from recorder.query.condition import Condition
from tests.builders import T0, record, to_batch

BATCH = to_batch(
    [
        record("payments", 0, T0, "k1", {"status": "refused", "cents": 100}, offset=0),
        record("payments", 0, T0, "k2", {"status": "done", "cents": "many"}, [("release", "2.4.0")], offset=1),
        record("payments", 0, 10**18, None, b"\xff\x00", offset=2),
        record("payments", 0, T0, "k4", None, offset=3),
    ]
)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("value_json->>'$.status' = 'refused'", [True, False, False, False]),
        ("header(headers, 'release') = '2.4.0'", [False, True, False, False]),
        ("key is null", [False, False, True, False]),
        ("value_bytes is null -- a tombstone", [False, False, False, True]),
        ('"offset" >= 1 and timestamp_ms > 0', [False, True, True, True]),
        ("\"timestamp\" = '2026-11-03T14:02:00Z'::timestamptz and key like 'k%'", [True, True, False, True]),
    ],
)
def test_an_expression_sees_the_columns_of_a_query(expression: str, holds: list[bool]) -> None:
    assert Condition(expression).holds(BATCH).tolist() == holds


def test_a_record_that_an_expression_fails_on_does_not_match_and_hides_no_other() -> None:
    assert Condition("(value_json->>'$.cents')::int > 50").holds(BATCH).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("status = 'refused'", "status"),
        ("offset > 2", "offset"),
        ("1", "not true or false"),
        ("(select true)", "subquery"),
        ("true) from arrived; drop table x; --", "can't be evaluated"),
        ("pg_sleep(1) is null", "pg_sleep"),
        ("count(*) > 3", "aggregates"),
        ("", "can't be evaluated"),
    ],
)
def test_what_is_no_condition_is_refused_when_it_is_made(expression: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Condition(expression)


def test_a_condition_reads_no_file() -> None:
    with pytest.raises(UsageError):
        Condition("exists (from read_csv('/etc/passwd'))")
