"""What is decoded once is kept in the user's cache: private, right again after any damage, removable."""

from __future__ import annotations

import resource
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import Capture
from recorder.capture.verify import failed, verify
from recorder.query import InterruptedQueryError, Session, query
from recorder.query.cache import clear, shrink
from tests.builders import T0, make_capture
from tests.query.schemas import avro, framed, with_schemas

SCHEMA = avro(1, "Order", ("id", "long"), ("city", "string"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BLACKBOX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("recorder.query.known.CACHE_RECORDS", 100)
    monkeypatch.setattr("recorder.query.preparing.QUICK_RECORDS", 100)
    return tmp_path / "cache" / "decoded"


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    records: list[Any] = [
        ("orders", i % 2, T0 + i, f"k{i}", framed(SCHEMA, {"id": i, "city": f"c{i % 7}"})) for i in range(1_000)
    ]
    records += [("orders", 0, T0, None, None), ("orders", 0, T0, "bad", b"\0\0\0\0\x05x")]
    records += [("plain", 0, T0, "k", {"n": 1})] * 200
    return with_schemas(make_capture(tmp_path / "c", records, segment_records=100), SCHEMA)


def files(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.parquet"))


GROUP = "SELECT city, count(*) AS n, sum(id)::bigint AS s FROM orders GROUP BY ALL ORDER BY ALL"


def test_a_query_that_decodes_much_leaves_files_that_answer_the_next(capture: Capture, cache: Path) -> None:
    first = query(capture, GROUP)
    assert first.num_rows == 8
    kept = files(cache)
    assert len(kept) == 11
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in [*kept, cache, cache.parent])
    written = [path.stat().st_ino for path in kept]
    assert query(capture, GROUP).equals(first)
    assert [path.stat().st_ino for path in files(cache)] == written
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_what_is_kept_says_the_same_as_what_is_decoded_anew(
    capture: Capture, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = 'SELECT * FROM orders ORDER BY partition, "offset"'
    records = 'SELECT * FROM records ORDER BY topic, partition, "offset"'
    with Session(capture) as session:
        session.query(GROUP)
        session.query("SELECT count(value_json) FROM records")
        kept = session.query(everything), session.query(records)
    monkeypatch.setattr("recorder.query.known.CACHE_RECORDS", 1 << 60)
    with Session(capture) as session:
        assert session.query(everything).to_pylist() == kept[0].to_pylist()
        assert session.query(records).to_pylist() == kept[1].to_pylist()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM orders",
        "SELECT key, count(*) FROM orders GROUP BY ALL",
        "SELECT id FROM orders LIMIT 5",
        "SELECT value_json->>'$.n', count(*) FROM records WHERE topic = 'plain' GROUP BY ALL",
    ],
)
def test_nothing_is_decoded_that_is_not_asked_for(capture: Capture, cache: Path, sql: str) -> None:
    query(capture, sql)
    assert files(cache) == []


def test_a_query_whose_first_rows_are_wanted_decodes_no_more(
    capture: Capture, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.query.preparing.QUICK_RECORDS", 5_000)
    with Session(capture) as session, session.stream("SELECT id FROM orders", few=True) as result:
        next(result.batches)
    assert files(cache) == []


def test_the_capture_stays_as_it_was(capture: Capture, cache: Path) -> None:
    query(capture, GROUP)
    assert not failed(verify(capture.root))


def test_an_altered_segment_leaves_nothing_in_the_cache(capture: Capture, cache: Path, tmp_path: Path) -> None:
    other = make_capture(tmp_path / "other", [("orders", 0, T0, "k", framed(SCHEMA, {"id": 1, "city": "x"}))] * 100)
    partition = capture.manifest.topic("orders").partitions[0]
    target = capture.root / partition.segments[0].path
    source = other.root / other.manifest.topic("orders").partitions[0].segments[0].path
    target.write_bytes(source.read_bytes())  # type: ignore[union-attr]
    with pytest.raises(Exception, match="altered"):
        query(capture, GROUP)
    assert len(files(cache)) < 11


def test_removed_files_come_back(capture: Capture, cache: Path) -> None:
    with Session(capture) as session:
        first = session.query(GROUP)
        assert clear() > 0
        assert session.query(GROUP).equals(first)
    assert query(capture, GROUP).equals(first)
    assert len(files(cache)) == 11


def test_the_oldest_go_when_there_are_too_many(capture: Capture, cache: Path) -> None:
    query(capture, GROUP)
    size = sum(path.stat().st_size for path in files(cache))
    shrink(cache, size // 2)
    assert 0 < len(files(cache)) < 11
    assert query(capture, GROUP).num_rows == 8


def test_decoding_stops_when_interrupted(capture: Capture, cache: Path) -> None:
    session = Session(capture)
    seen = threading.Event()

    def progress(done: int, total: int) -> None:
        seen.set()
        session.interrupt()

    with pytest.raises(InterruptedQueryError), session, session.stream(GROUP, progress=progress):
        pass
    assert seen.is_set()
    assert 0 < len(files(cache)) < 11
    assert list(cache.glob(".new-*")) == []


@pytest.mark.parametrize("before", ["SELECT 1", "SELECT id FROM orders LIMIT 1"])
def test_without_room_every_query_decodes_what_it_needs(capture: Capture, cache: Path, before: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Session(capture) as session:
        session.query(before)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            rows = [session.query(GROUP), session.query(GROUP)]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(cache.glob("*")) == []
    assert rows == [query(capture, GROUP)] * 2
    assert len(files(cache)) == 11
