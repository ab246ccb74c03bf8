"""Columns of JSON that a query needs are kept in narrow files, and say the same as the records themselves."""

from __future__ import annotations

import json
import resource
import threading
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import Capture
from recorder.capture.verify import failed, verify
from recorder.errors import CaptureError
from recorder.query import InterruptedQueryError, Session, query
from tests.builders import T0, make_capture

MEMBERS: list[Any] = [
    {"id": 1, "who": {"name": "x", "tags": ["a", "b"]}, "amount": 1.5, "ok": True, "mixed": 1, "key": "mine"},
    {"id": 2, "who": {"name": "y", "tags": []}, "amount": 2, "ok": False, "mixed": "s", 'it\'s "odd"/~': 1},
    {"id": None, "who": None, "amount": None},
    {"id": 1.5, "who": "nobody", "amount": "2", "ok": "true", "mixed": {"a": [1]}},
    {"id": 2**70, "who": {"name": 7}, "amount": 1e300, "status": 'café "\\'},
    {},
]
ODD: list[Any] = ["not json", b"\xff\xfe", None, "[1, 2]", '{"id": 3,', '{"id": 1, "id": 2}', '{"amount": NaN}', ""]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BLACKBOX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("recorder.query.known.CACHE_RECORDS", 100)
    return tmp_path / "cache" / "decoded"


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    values = [json.dumps(value) for value in MEMBERS] + ODD
    records = [("my.t", i % 2, T0 + i, f"k{i % 9}", values[i % len(values)]) for i in range(1_000)]
    return make_capture(tmp_path / "c", records, segment_records=100)


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.glob("*.parquet"))


def made_by(cache: Path, capture: Capture, sql: str) -> int:
    before = set(files(cache))
    query(capture, sql)
    return len(set(files(cache)) - before)


GROUP = 'SELECT id, ok, count(*) AS n FROM "my.t" GROUP BY ALL ORDER BY ALL'


@pytest.mark.parametrize(
    "columns",
    [
        ["id"],
        ["amount", "ok", "mixed"],
        ["who"],
        ["id", "who", "amount", "mixed", "status"],
        ["who.name", "who.tags", "key", "timestamp"],
        ["value_key", '"it\'s ""odd""/~"', "status"],
        ["id", "topic", "partition", '"offset"', "timestamp_ms", "timestamp_type", "key_bytes", "leader_epoch"],
    ],
)
def test_what_is_kept_says_the_same_as_the_records(
    capture: Capture, cache: Path, monkeypatch: pytest.MonkeyPatch, columns: list[str]
) -> None:
    sql = f"SELECT {', '.join(columns)}, count(*) AS n FROM my_t GROUP BY ALL ORDER BY ALL"
    first, again = query(capture, sql), query(capture, sql)
    assert len(files(cache)) == 10
    monkeypatch.setattr("recorder.query.known.CACHE_RECORDS", 1 << 60)
    plain = query(capture, sql)
    assert first.equals(plain)
    assert again.equals(plain)
    assert plain.num_rows > 1


def test_a_query_that_needs_less_makes_nothing_and_one_that_needs_more_adds(capture: Capture, cache: Path) -> None:
    assert made_by(cache, capture, GROUP) == 10
    assert made_by(cache, capture, "SELECT count(*) FROM my_t WHERE id = 1") == 0
    assert made_by(cache, capture, 'SELECT max(amount) FROM topics."my.t" WHERE ok') == 10
    assert len(files(cache)) == 10
    assert made_by(cache, capture, GROUP) == 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM my_t",
        "SELECT key, count(*) FROM my_t GROUP BY ALL",
        "SELECT id FROM my_t LIMIT 5",
        "SELECT id FROM my_t WHERE timestamp_ms < 7",
        "SELECT sum(id) FROM my_t WHERE key = 'k1'",
        "SELECT * FROM my_t WHERE id = 1",
        "SELECT my_t FROM my_t",
        "SELECT id, count(value_json) FROM my_t GROUP BY ALL",
    ],
)
def test_nothing_is_kept_for_queries_that_need_the_records_or_few_of_them(
    capture: Capture, cache: Path, sql: str
) -> None:
    query(capture, sql)
    assert files(cache) == []


def test_what_is_there_answers_queries_for_few_records_too(capture: Capture, cache: Path) -> None:
    with Session(capture) as session:
        session.query('SELECT key, id, partition, "offset", count(*) FROM my_t GROUP BY ALL')
        sql = 'SELECT id FROM my_t WHERE partition = 1 AND "offset" = 7'
        assert "READ_PARQUET" in str(session.query(f"EXPLAIN {sql}").to_pylist())
        assert session.query(sql).to_pylist() == query(capture, f"{sql} AND value_bytes IS NOT NULL").to_pylist()


def test_joins_and_subqueries_over_a_kept_topic(capture: Capture, cache: Path) -> None:
    sql = (
        "SELECT a.id, count(*) AS n FROM my_t a JOIN (SELECT DISTINCT id FROM my_t WHERE ok) b USING (id) "
        "GROUP BY ALL ORDER BY ALL"
    )
    with Session(capture) as session:
        first = session.query(sql)
        assert session.query(sql).equals(first)
        assert session.query("SELECT count(*) AS n FROM (SELECT * FROM my_t) WHERE id = 1").to_pylist() == [{"n": 143}]
    assert first.num_rows == 2


def test_two_captures_keep_their_own(tmp_path: Path, capture: Capture, cache: Path) -> None:
    other = make_capture(tmp_path / "d", [("my.t", 0, T0, "k", {"id": 5})] * 200)
    with Session({"one": capture, "two": other}) as session:
        sql = "SELECT (SELECT sum(id) FROM one.my_t) AS a, (SELECT sum(id) FROM two.my_t) AS b"
        first = session.query(sql).to_pylist()
        assert first[0]["b"] == 1_000
        assert session.query(sql).to_pylist() == first
    assert len(files(cache)) == 11


@pytest.mark.parametrize("before", ["SELECT 1", "SELECT id FROM my_t LIMIT 1"])
def test_without_room_the_records_answer(capture: Capture, cache: Path, before: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Session(capture) as session:
        session.query(before)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            rows = session.query(GROUP).to_pylist()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(cache) == []
    assert list(cache.glob(".new-*")) == []
    assert rows == query(capture, GROUP).to_pylist()


def test_an_altered_segment_leaves_nothing_of_it(capture: Capture, cache: Path, tmp_path: Path) -> None:
    other = make_capture(tmp_path / "other", [("my.t", 0, T0, "k", {"id": 9})] * 100)
    target, source = (
        each.root / each.manifest.topics[0].partitions[0].segments[0].path  # type: ignore[operator]
        for each in (capture, other)
    )
    target.write_bytes(source.read_bytes())
    with pytest.raises(CaptureError, match="altered"):
        query(capture, GROUP)
    assert len(files(cache)) < 10


def test_the_capture_stays_as_it_was(capture: Capture, cache: Path) -> None:
    query(capture, GROUP)
    assert not failed(verify(capture.root))


def test_it_stops_when_interrupted(capture: Capture, cache: Path) -> None:
    session = Session(capture)
    seen = threading.Event()

    def progress(done: int, total: int) -> None:
        seen.set()
        session.interrupt()

    with pytest.raises(InterruptedQueryError), session, session.stream(GROUP, progress=progress):
        pass
    assert seen.is_set()
    assert len(files(cache)) < 10
    assert list(cache.glob(".new-*")) == []
