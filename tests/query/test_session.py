"""Queries on one session: errors that help, interrupts, threads, bounded results."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from recorder.capture.reader import Capture
from recorder.errors import BlackboxError, ExitCode, UsageError
from recorder.query import InterruptedQueryError, Session
from tests.builders import T0, make_capture

ENDLESS = "SELECT count(*) FROM range(100000000000) a, range(1000) b"


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    records = [("payments.dlq", i % 2, T0 + i, f"k{i}", {"i": i}) for i in range(100)]
    return make_capture(tmp_path_factory.mktemp("session") / "c", records)


@pytest.fixture(scope="module")
def session(capture: Capture) -> Iterator[Session]:
    with Session(capture) as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", r'syntax error at or near "SELEC"[\s\S]*\^'),
        ("SELECT foo FROM records", r'"foo" not found[\s\S]*Candidate bindings'),
        ("SELECT 'a'::int", "Could not convert"),
        ("FROM payments.dlq", r'needs double quotes: FROM "payments.dlq"'),
        ("SELECT offset FROM records", r'"offset" needs double quotes'),
        ("FROM nowhere", "nowhere does not exist"),
        ("SELECT $a", "parameters: a"),
    ],
)
def test_errors_say_what_and_where(session: Session, sql: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        session.query(sql)


def test_parameters_fill_names(session: Session) -> None:
    assert session.query("SELECT $a || '!' AS a", {"a": "it's"}).to_pylist() == [{"a": "it's!"}]


def test_interrupt_stops_a_query_from_another_thread(session: Session) -> None:
    running = threading.Event()

    def endless() -> None:
        running.set()
        session.query(ENDLESS)

    with ThreadPoolExecutor() as pool:
        future = pool.submit(endless)
        running.wait()
        while not future.done():
            session.interrupt()
        with pytest.raises(InterruptedQueryError) as raised:
            future.result()
    assert raised.value.exit_code == ExitCode.INTERRUPTED
    assert session.query("SELECT 1 AS a").to_pylist() == [{"a": 1}]


def test_a_long_query_says_how_far_it_is(session: Session) -> None:
    heard: list[float] = []

    def hear(percent: float) -> None:
        heard.append(percent)
        session.interrupt()

    with pytest.raises(InterruptedQueryError), session.stream(ENDLESS, running=hear):
        pass
    assert all(0 <= percent <= 100 for percent in heard)
    assert heard


def test_threads_share_a_session(session: Session) -> None:
    def count(i: int) -> int:
        [row] = session.query(
            'SELECT count(*) AS n FROM "payments.dlq" WHERE timestamp_ms < $t', {"t": T0 + i}
        ).to_pylist()
        return int(row["n"])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(count, range(100))) == list(range(100))


def test_two_streams_at_once(session: Session) -> None:
    with session.stream("FROM range(10_000)") as one, session.stream("FROM range(10_000)") as two:
        assert next(one.batches).num_rows == next(two.batches).num_rows == 2_000


def test_leaving_a_stream_early_frees_it(session: Session) -> None:
    with session.stream("FROM range(1_000_000_000)") as result:
        assert next(result.batches).num_rows == 2_000
    assert session.query("SELECT 1 AS a").num_rows == 1


def test_an_error_in_the_middle_of_a_stream_is_an_error(session: Session) -> None:
    sql = "SELECT CASE WHEN range < 500_000 THEN range ELSE error('late') END AS a FROM range(1_000_000)"
    with pytest.raises(BlackboxError, match="late"), session.stream(sql) as result:
        for _ in result.batches:
            pass


def test_names_are_unique_and_json_is_marked(session: Session) -> None:
    table = session.query("SELECT 1 AS a, 2 AS a, 3 AS a_1, '{}'::json AS j")
    assert table.schema.names == ["a", "a_1", "a_1_1", "j"]
    assert table.schema.field("j").type == pa.json_()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("INTERVAL 90 SECOND", "00:01:30"),
        ("[INTERVAL 1 DAY]", '["1 day"]'),
        ("'101'::bit", "101"),
        (
            "12345678901234567890123456789012345678901234567890::bignum",
            "12345678901234567890123456789012345678901234567890",
        ),
        ("union_value(n := 1)", "1"),
        ("TIMESTAMP_NS '2026-01-01 00:00:00.123456789'", "2026-01-01 00:00:00.123456789"),
        ("TIMETZ '10:00:00+02'", "10:00:00+02"),
    ],
)
def test_types_without_a_place_in_arrow_become_text(session: Session, expression: str, value: str) -> None:
    assert session.query(f"SELECT {expression} AS a").to_pylist() == [{"a": value}]


def test_sorting_more_than_memory_spills_and_leaves_nothing(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.query.sandbox.MEMORY_LIMIT", "60MiB")
    with Session(capture) as small:
        spill = small._spill.path
        hashes = "SELECT range, hash(range) AS h FROM range(6_000_000) ORDER BY h LIMIT 5_000_000"
        assert small.query(f"SELECT count(*) AS n, max(h) FROM ({hashes})").to_pylist()[0]["n"] == 5_000_000
        assert spill.stat().st_mode & 0o077 == 0
    assert not spill.exists()


def test_a_query_beyond_all_limits_fails_with_a_sentence(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorder.query.sandbox.MEMORY_LIMIT", "20MiB")
    with Session(capture) as small, pytest.raises(BlackboxError, match="ask for less at once"):
        small.query("SELECT string_agg(range::varchar || repeat('x', 100), '') FROM range(10_000_000)")
