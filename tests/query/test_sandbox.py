"""A hostile query or capture reads and writes nothing outside the capture, and changes nothing in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from recorder.errors import BlackboxError, CaptureError, ExitCode, UsageError
from recorder.query import Session, query
from tests.builders import T0, make_capture

secret_in_python = "a variable that a replacement scan would find"


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    root = tmp_path_factory.mktemp("sandbox")
    (root / "secret.csv").write_text("a,b\n1,2\n")
    return make_capture(root / "it's a capture", [("orders", 0, T0, "k", '{"a":1}')])


@pytest.fixture(scope="module")
def session(capture: Capture) -> Iterator[Session]:
    with Session(capture) as opened:
        yield opened


ALLOWED = [
    "SELECT 1",
    "select topic from records",
    "FROM records",
    "WITH a AS (SELECT 1 AS x), b AS MATERIALIZED (FROM a) FROM b",
    "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r WHERE a < 5) FROM r",
    "VALUES (1), (2)",
    "TABLE orders",
    "SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT count(*) FROM records",
    "EXPLAIN (FORMAT json) SELECT 1",
    "EXPLAIN (SELECT 1)",
    "explain /* ü */ analyze -- comment\n select 'ü'",
    "DESCRIBE records",
    "DESCRIBE SELECT 1",
    "SUMMARIZE orders",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "PIVOT (FROM records) ON topic USING count(*)",
    "FROM (PIVOT (SELECT topic, partition FROM records) ON topic USING count(*) GROUP BY partition)",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
    "SELECT value_json->>'$.copy' AS \"update\" FROM records",
    "SELECT list_transform([1, 2], lambda x: x + 1)",
    "SELECT * FROM range(3), unnest([1, 2]), json_each('{\"a\": 1}')",
    "SELECT * FROM records a JOIN orders b USING (key) WHERE EXISTS (FROM orders)",
    "SELECT 1;",
    "-- only a comment before\nSELECT 1",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_reading_statements_run(session: Session, sql: str) -> None:
    session.query(sql)


REFUSED = [
    "COPY records TO '{out}'",
    "COPY (SELECT 1) TO '{segment}'",
    "COPY (PIVOT (FROM records) ON topic) TO '{out}'",
    "WITH x AS (COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)) FROM x",
    "with recursive y as (select 1), x as (copy (select 1) to '{segment}' (use_tmp_file false)) from x",
    "SELECT 1 WHERE EXISTS (WITH x AS (COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)) FROM x)",
    "WITH x AS (COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)) FROM (PIVOT (FROM records) ON topic)",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)) FROM x",
    "EXPLAIN (ANALYZE, FORMAT json) WITH x AS (COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)) FROM x",
    "EXPLAIN (WITH x AS (COPY (SELECT 1) TO '{segment}' (USE_TMP_FILE false)) FROM x)",
    "FROM query('WITH x AS (COPY (SELECT 1) TO ''{segment}'' (USE_TMP_FILE false)) FROM x')",
    "FROM json_execute_serialized_sql('{{}}')",
    "FROM \"JSON_execute_serialized_SQL\"('{{}}')",
    "FROM query('FROM json_execute_serialized_sql(''{{}}'')')",
    "FROM (PIVOT (FROM records) ON topic), json_execute_serialized_sql('{{}}')",
    "SELECT pg_sleep(20)",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TABLE t AS PIVOT (FROM records) ON topic",
    "CREATE OR REPLACE VIEW records AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE SECRET s (TYPE s3)",
    "DROP VIEW records",
    "ALTER VIEW records RENAME TO r",
    "INSERT INTO orders SELECT 1",
    "WITH x AS (INSERT INTO orders VALUES (1) RETURNING *) FROM x",
    "DELETE FROM orders",
    "UPDATE orders SET topic = ''",
    "ATTACH '{out}' AS a",
    "ATTACH ':memory:' AS a",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "UPDATE EXTENSIONS",
    "SET threads = 1",
    "SET enable_external_access = true",
    "RESET threads",
    "SET VARIABLE a = 1",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "CALL enable_logging()",
    "CHECKPOINT",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{out}'",
    "PREPARE p AS SELECT 1",
    "BEGIN",
    "VACUUM",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY records TO '{out}'",
    "",
    "-- nothing",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_other_statements_are_refused_and_change_nothing(capture: Capture, session: Session, sql: str) -> None:
    out = capture.root.parent / "out.csv"
    segment = capture.root / capture.manifest.topics[0].partitions[0].segments[0].path
    before = _digests(capture.root.parent)
    with pytest.raises(UsageError) as raised:
        session.query(sql.format(out=_escape(out), segment=_escape(segment)))
    assert raised.value.exit_code == ExitCode.USAGE
    assert _digests(capture.root.parent) == before


UNREACHABLE = [
    "FROM read_csv('{secret}')",
    "FROM '{secret}'",
    "FROM read_text('{secret}')",
    "FROM read_blob('{secret}')",
    "FROM read_json('{secret}')",
    "FROM read_parquet('{secret}')",
    "FROM read_duckdb('{secret}')",
    "FROM sniff_csv('{secret}')",
    "FROM parquet_metadata('{secret}')",
    "FROM read_text('/etc/passwd')",
    "FROM read_text('{capture}/manifest.json')",
    "FROM read_text('{capture}/records/../../secret.csv')",
    "FROM glob('{capture}/**')",
    "FROM glob('/*')",
    "FROM read_csv('https://example.com/x.csv')",
    "FROM read_parquet('s3://bucket/x')",
    "SELECT getenv('HOME')",
    "FROM secret_in_python",
    "FROM session",
    "FROM enable_logging(storage = 'file', storage_path = '{capture}')",
    "FROM enable_profiling(save_location = '{capture}/x')",
    "FROM arrow_scan(1, 2, 3)",
]


@pytest.mark.parametrize("sql", UNREACHABLE)
def test_nothing_outside_is_reachable(capture: Capture, session: Session, sql: str) -> None:
    secret = capture.root.parent / "secret.csv"
    before = _digests(capture.root.parent)
    with pytest.raises(UsageError):
        session.query(sql.format(secret=_escape(secret), capture=_escape(capture.root)))
    assert _digests(capture.root.parent) == before


def test_a_link_in_a_hostile_capture_is_refused(tmp_path: Path) -> None:
    other = make_capture(tmp_path / "other", [("t", 0, T0, "k", "private")])
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v")])
    path = capture.manifest.topics[0].partitions[0].segments[0].path
    (capture.root / path).unlink()
    (capture.root / path).symlink_to(other.root / path)
    with pytest.raises(CaptureError, match="link"):
        query(capture, "FROM records")


def test_a_capture_reached_through_a_link_is_fine(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v")])
    (tmp_path / "link").symlink_to(capture.root)
    linked = Capture(tmp_path / "link", capture.manifest)
    assert query(linked, "SELECT value FROM t").to_pylist() == [{"value": "v"}]


@pytest.mark.parametrize("damage", ["missing", "cut", "text"])
def test_a_torn_segment_is_named(tmp_path: Path, damage: str) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0 + i, "k", "v") for i in range(10)], segment_records=5)
    path = capture.root / capture.manifest.topics[0].partitions[0].segments[1].path
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-40] if damage == "cut" else b"not parquet")
    with pytest.raises(CaptureError, match=r"(?s)00000000000000000005\.parquet.*verify"):
        query(capture, "SELECT max(value) FROM records")


def test_errors_never_steer_the_terminal(session: Session) -> None:
    with pytest.raises(BlackboxError) as raised:
        session.query("SELECT error(chr(27) || '[2J')")
    assert "\x1b" not in str(raised.value)


def _escape(path: Path) -> str:
    return str(path).replace("'", "''")


def _digests(directory: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.rglob("*") if path.is_file()}
