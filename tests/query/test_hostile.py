"""Whatever a query says and whatever a capture's names say: nothing outside is read or written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.capture.reader import Capture
from recorder.errors import BlackboxError
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.query import Session, query
from recorder.query.cache import clear
from tests.builders import T0, make_capture, record
from tests.conftest import examples
from tests.query.schemas import avro, framed, with_schemas

CANARY = "canary-5f1c"
"""What lies in every file outside, and must be in no answer."""

# Parts of statements; {out} is a path that must not come to be, {secret} one that must not be read, {segment} one
# that must not change.
SOURCES = [
    "read_csv('{secret}')", "read_csv_auto('{secret}', header = false)", "read_text('{secret}')",
    "read_blob('{secret}')", "read_json('{secret}')", "read_ndjson_objects('{secret}')", "read_parquet('{secret}')",
    "parquet_scan('{secret}')", "parquet_metadata('{secret}')", "sniff_csv('{secret}')", "glob('{around}/*')",
    "glob('{around}/**')", "'{secret}'", '"{secret}"', "read_text(['{segment}', '{secret}'])",
    "read_text('{around}/*.csv')", "read_csv('https://example.com/{canary}.csv')", "read_parquet('s3://bucket/x')",
    "read_text(getenv('HOME') || '/.profile')", "query('FROM read_text(''{secret}'')')",
    "query_table('{secret}')", "json_execute_serialized_sql('{{}}')", "duckdb_secrets()", "read_duckdb('{secret}')",
]  # fmt: skip
STATEMENTS = [
    "COPY (SELECT 42) TO '{out}'", "COPY records TO '{out}' (FORMAT parquet)", "COPY (SELECT 1) TO '{segment}'",
    "COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)", "COPY (SELECT 1) TO '{shelf}/x.parquet'",
    "COPY (SELECT 1) TO '{around}/d' (FORMAT csv, PARTITION_BY (x))", "EXPORT DATABASE '{out}'",
    "ATTACH '{out}' AS a", "ATTACH '{secret}' AS a (READ_ONLY)", "INSTALL httpfs", "LOAD httpfs", "LOAD '{secret}'",
    "INSTALL '{secret}'", "SET enable_external_access = true", "SET GLOBAL allowed_directories = ['/']",
    "SET lock_configuration = false", "RESET lock_configuration", "SET temp_directory = '{out}'",
    "SET enable_progress_bar = true", "PRAGMA enable_profiling = 'json'", "PRAGMA profiling_output = '{out}'",
    "CREATE SECRET s (TYPE s3)", "CREATE PERSISTENT SECRET s (TYPE s3)", "CREATE TABLE t AS FROM read_text('{secret}')",
    "CREATE MACRO m() AS TABLE FROM read_text('{secret}')", "PREPARE p AS FROM read_text('{secret}')", "EXECUTE p",
    "CALL enable_logging(storage = 'file', storage_path = '{out}')", "IMPORT DATABASE '{around}'",
    "CREATE FUNCTION f() AS TABLE FROM glob('/*')", "SET VARIABLE x = (SELECT content FROM read_text('{secret}'))",
    "SELECT getenv('HOME')", "SELECT getvariable('x')", "VACUUM", "CHECKPOINT", "USE system",
]  # fmt: skip
WRAPPERS = [
    "{}", "({})", "WITH x AS ({}) FROM x", "WITH x AS MATERIALIZED ({}) SELECT * FROM x", "SELECT * FROM ({}) AS y",
    "SELECT 1 WHERE EXISTS ({})", "SELECT ({})", "EXPLAIN {}", "EXPLAIN ANALYZE {}", "DESCRIBE {}", "SUMMARIZE {}",
    "PIVOT ({}) ON 1", "FROM (PIVOT (FROM records) ON topic), ({}) AS z", "SELECT 1; {}", "{}; SELECT 1",
    "/* a */ {} -- b", "-- a\n{}", "/* ; */ {} /* unclosed", "SELECT 1 UNION ALL {}", "{} UNION ALL BY NAME SELECT 1",
    "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL {}) FROM r", "BEGIN; {}; COMMIT", "PREPARE p AS {}",
    "CREATE VIEW v AS {}",
    "FROM records SELECT [x FOR x IN ({})]", "SELECT * FROM records, LATERAL ({}) AS l", "VALUES (({}))",
    "WITH a AS (WITH b AS ({}) FROM b) FROM a, records", "FROM query($${}$$)",
    "SELECT list_transform([1], lambda q: ({}))",
]  # fmt: skip
NAMES = st.one_of(
    st.sampled_from([
        "'; COPY (SELECT 1) TO '{out}'; --", '"; ATTACH \'{out}\'; --', "../../../../{out}", "..", "a/../b", "{secret}",
        "records", "topics", "main", "memory", "read_text('{secret}')", "$$", "$out", "{{}}", "%00", "*", "?", "[a]",
        "\x00", "\x1b[2J", "\u202e", "a\nb", "a;b", "sys.path", "a'b", 'a"b', "a\\b", "select", "NULL", "é", "🎯", " ",
        "http://example.com/x", "c:\\x", "~", "-o", "--", "/*", "aux", "T", "t", "TABLE x",
    ]),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40),
)  # fmt: skip
TOPICS = st.one_of(
    st.text("abcXYZ019._-", min_size=1, max_size=30),
    st.sampled_from(["...", "..a", "a..", "-", "_", "records", "main", "gaps", "memory", "SELECT", "--x", "a.b"]),
).filter(lambda name: name not in (".", ".."))


class Outside:
    """A directory with a capture in it, a secret beside, and everything watched."""

    def __init__(self, around: Path) -> None:
        self.around = around
        self.secret, self.out = around / "secret.csv", around / "out"
        self.secret.write_text(f"{CANARY},1\n")

    def fill(self, text: str, capture: Capture | None = None) -> str:
        """The text with the names of what is watched."""
        names = {"secret": self.secret, "out": self.out, "around": self.around, "canary": CANARY, "shelf": "?"}
        if capture is not None:
            names["segment"] = capture.root / capture.manifest.topics[0].partitions[0].segments[0].path
            names["shelf"] = next(iter((self.around / "cache" / "decoded").glob("blackbox-sql-*")), "?")
        for name, path in names.items():
            text = text.replace(f"{{{name}}}", str(path))
        return text

    def state(self) -> dict[str, str]:
        """Every file there is, but for the cache, and what it holds."""
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
            for path in self.around.rglob("*")
            if self.around / "cache" not in path.parents
        }


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        around = Path(os.path.realpath(directory))
        patch.setenv("BLACKBOX_CACHE_DIR", str(around / "cache"))
        patch.setenv("HOME", str(around))
        (around / ".profile").write_text(CANARY)
        patch.chdir(around)
        yield Outside(around)


@pytest.fixture(scope="module")
def session(outside: Outside) -> Iterator[Session]:
    capture = make_capture(outside.around / "c", [("orders", 0, T0, "k", '{"a":1}')])
    with Session(capture) as opened:
        yield opened


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    core=st.one_of(st.sampled_from(SOURCES).map("SELECT * FROM {}".format), st.sampled_from(STATEMENTS)),
    wrappers=st.lists(st.sampled_from(WRAPPERS), max_size=3),
    upper=st.booleans(),
)
def test_no_query_reads_or_writes_outside(
    outside: Outside, session: Session, core: str, wrappers: list[str], upper: bool
) -> None:
    sql = core
    for wrapper in wrappers:
        sql = wrapper.replace("{}", sql)
    sql = outside.fill(sql.replace("SELECT", "sElEcT") if upper else sql, session.capture)
    before = outside.state()
    try:
        answer = str(session.query(sql).to_pylist())
    except BlackboxError as error:
        answer = str(error)
    # A query's own words may come back in a message; what lies in the files may not.
    assert f"{CANARY}," not in answer.replace(sql, "")
    assert outside.state() == before
    assert not outside.out.exists()
    assert session.query("SELECT current_setting('lock_configuration') AS a").to_pylist() == [{"a": True}]


@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(topics=st.lists(TOPICS, min_size=1, max_size=3, unique=True), names=st.lists(NAMES, min_size=3, max_size=3))
def test_no_name_in_a_capture_reaches_outside(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, topics: list[str], names: list[str]
) -> None:
    monkeypatch.setattr("recorder.query.known.CACHE_RECORDS", 1)
    monkeypatch.setattr("recorder.query.preparing.QUICK_RECORDS", 0)
    column, header, title = map(outside.fill, names)
    schema = Schema(
        "json",
        json.dumps({"title": title, "type": "object", "properties": {column: {"type": "string"}}}),
        id=1,
        subjects=(SubjectVersion(title, 1),),
    )
    with tempfile.TemporaryDirectory(dir=outside.around) as place:
        rows = [
            record(topic, 0, T0, f"k{column}", value, ((header, column.encode()),))
            for topic in topics
            for value in (
                json.dumps({column: header, title: {column: 1}}).encode(),
                b"\0\0\0\0\x01" + json.dumps({column: "x"}).encode(),
            )
        ]
        capture = with_schemas(make_capture(Path(place) / "c", rows), schema)
        before = outside.state()
        with Session(capture) as session:
            assert session.query("SELECT count(value_json) AS n FROM records").to_pylist() == [{"n": 2 * len(topics)}]
            for topic in topics:
                if sum(topic.lower() == other.lower() for other in topics) == 1:  # SQL takes the others for one
                    rows = session.query(f'SELECT * FROM topics."{topic}"').to_pylist()
                    assert [row["topic"] for row in rows] == [topic] * 2
            for canned in ("gaps", "keys", "duplicates", "late", "decode_errors", "schema_changes"):
                session.query(f"FROM {canned}")
            if "\0" not in column:
                session.query("FROM trace($id)", {"id": column})
            assert {row["h"] for row in session.query("SELECT headers[1].key AS h FROM records").to_pylist()} == {
                header
            }
        assert outside.state() == before
        assert all(
            path.parent == outside.around / "cache" / "decoded" and path.suffix == ".parquet"
            for path in (outside.around / "cache").rglob("*")
            if path.is_file()
        )


ORDER = avro(1, "Order", ("id", "long"))
COUNT = "SELECT count(*) AS n, sum(id)::bigint AS s FROM orders"


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Capture, Path]:
    """A capture whose decoded file is in the cache, and the path of that."""
    monkeypatch.setenv("BLACKBOX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("recorder.query.known.CACHE_RECORDS", 1)
    monkeypatch.setattr("recorder.query.preparing.QUICK_RECORDS", 0)
    rows = [("orders", 0, T0 + i, "k", framed(ORDER, {"id": i})) for i in range(10)]
    capture = with_schemas(make_capture(tmp_path / "c", rows), ORDER)
    assert query(capture, COUNT).to_pylist() == [{"n": 10, "s": 45}]
    (kept,) = (tmp_path / "cache" / "decoded").glob("*.parquet")
    return capture, kept


def test_a_link_planted_in_the_cache_is_not_followed(planted: tuple[Capture, Path], tmp_path: Path) -> None:
    capture, kept = planted
    other = tmp_path / "other.parquet"
    kept.rename(other)
    before = other.read_bytes()
    other.write_bytes(before)
    kept.symlink_to(other)
    (kept.parent / ".new-x").symlink_to(tmp_path / "made")
    assert query(capture, COUNT).to_pylist() == [{"n": 10, "s": 45}]
    assert not kept.is_symlink()
    assert other.read_bytes() == before
    assert not (tmp_path / "made").exists()
    kept.unlink()
    kept.symlink_to(other)
    clear()
    assert other.read_bytes() == before
    assert not kept.is_symlink()


def test_a_cache_that_is_a_link_is_not_written_through(planted: tuple[Capture, Path], tmp_path: Path) -> None:
    capture, kept = planted
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in kept.parent.iterdir():
        path.unlink()
    kept.parent.rmdir()
    kept.parent.symlink_to(elsewhere)
    assert query(capture, COUNT).to_pylist() == [{"n": 10, "s": 45}]
    assert list(elsewhere.iterdir()) == []
