"""`blackbox sql` as a person or a script runs it."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from recorder.payloads.protobuf_schema import descriptor_set, message_class
from recorder.payloads.schemas import Schema
from tests.builders import T0, make_capture
from tests.cli.running import Ran, run
from tests.conftest import wait_until

PROGRAM = "from recorder.cli.main import main; main()"
Blackbox = Callable[..., Ran]


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    records = [("orders", 0, T0 + i, f"k{i}", {"i": i}) for i in range(1_500)]
    return make_capture(tmp_path_factory.mktemp("sql") / "c", records)


@pytest.fixture
def blackbox(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Blackbox:
    def sql(*arguments: str | Path, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        return run(capsys, "sql", *arguments)

    return sql


def test_a_table_says_when_it_is_cut(blackbox: Blackbox, capture: Capture) -> None:
    done = blackbox(capture.root, "SELECT key FROM orders")
    assert done.code == 0
    assert "k999" in done.out
    assert "k1000" not in done.out
    assert "first 1,000 rows" in done.err
    assert blackbox(capture.root, "SELECT key FROM orders", "--limit", "0").out.count("k") >= 1_500


def test_machine_formats_are_never_cut_unless_asked(blackbox: Blackbox, capture: Capture) -> None:
    lines = blackbox(capture.root, "SELECT value_json FROM orders", "--format", "ndjson").out.splitlines()
    assert [json.loads(line)["value_json"]["i"] for line in lines] == list(range(1_500))
    done = blackbox(capture.root, "-", "--format", "json", "--limit", "2", stdin="SELECT key FROM orders")
    assert json.loads(done.out) == [{"key": "k0"}, {"key": "k1"}]


def test_a_statement_from_a_file_to_a_file(blackbox: Blackbox, capture: Capture, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("-- how many\nSELECT count(*) AS n FROM records;\n")
    done = blackbox(capture.root, "-f", tmp_path / "q.sql", "-o", tmp_path / "n.json")
    assert (done.code, done.out) == (0, "")
    assert json.loads((tmp_path / "n.json").read_text()) == [{"n": 1_500}]
    assert blackbox(capture.root, "SELECT 1", "-o", tmp_path / "n.json").code == 2


def test_wrong_sql_is_a_usage_error_with_the_place(blackbox: Blackbox, capture: Capture) -> None:
    done = blackbox(capture.root, "SELEC 1")
    assert (done.code, done.out) == (2, "")
    assert "^" in done.err
    assert "Traceback" not in done.err
    assert blackbox(capture.root, "DROP VIEW records").code == 2
    assert blackbox(capture.root).code == 2


def test_parameters_plans_lists_and_several_captures(blackbox: Blackbox, capture: Capture) -> None:
    sql = "SELECT i FROM orders WHERE key = $key"
    assert json.loads(blackbox(capture.root, sql, "--param", "key=k7", "--format", "json").out) == [{"i": 7}]
    assert "READ_PARQUET" in blackbox(capture.root, sql, "--param", "key=k7", "--explain").out
    assert "state_at(topic, instant)" in blackbox(capture.root, "--list").out
    both = "SELECT count(*) AS n FROM a.orders JOIN b.orders USING (key)"
    done = blackbox(f"a={capture.root}", f"b={capture.root}", both, "--format", "json")
    assert (json.loads(done.out), done.err) == ([{"n": 1_500}], "")
    assert blackbox(capture.root, sql, "--param", "key").code == 2
    assert blackbox(f"a={capture.root}", f"A={capture.root}", both).code == 2


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "table"])
def test_a_reader_that_leaves_is_no_error(capture: Capture, form: str) -> None:
    sql = "SELECT repeat('x', 1000) FROM range(2000)"
    command = [sys.executable, "-c", PROGRAM, "sql", str(capture.root), sql, "--format", form, "--limit", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_at_once_and_leaves_nothing(capture: Capture, tmp_path: Path, number: int) -> None:
    sql = "SELECT a.range + b.range AS x FROM range(100000000000) a, range(1000) b WHERE x < 0 OR a.range < 100"
    (tmp_path / "spill").mkdir()
    command = [sys.executable, "-c", PROGRAM, "sql", str(capture.root), sql, "-o", str(tmp_path / "x.csv")]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "spill")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            wait_until((tmp_path / "x.csv.tmp").exists, what="the query has begun to give rows", seconds=60)
            os.kill(process.pid, number)
            _, complaint = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert list(tmp_path.rglob("*")) == [tmp_path / "spill"]


def test_a_long_query_shows_a_bar_on_a_terminal_and_goes_at_once(capture: Capture) -> None:
    ours, theirs = pty.openpty()
    sql = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range + b.range = 7"
    command = [sys.executable, "-c", PROGRAM, "sql", str(capture.root), sql]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while b"running" not in shown:
                shown += os.read(ours, 4096)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(ours)


PROTO = (
    'syntax = "proto3"; package shop; message Other { string x = 1; } message Order { string id = 1; int64 cents = 2; }'
)


def _descriptors(proto: Path) -> Path:
    path = proto.with_suffix(".desc")
    path.write_bytes(descriptor_set(Schema("protobuf", PROTO), {}).SerializeToString())
    return path


@pytest.mark.parametrize("form", ["text", "descriptors"])
def test_somebody_says_what_a_topics_payloads_are(blackbox: Blackbox, tmp_path: Path, form: str) -> None:
    proto = tmp_path / "order.proto"
    proto.write_text(PROTO)
    schema = proto if form == "text" else _descriptors(proto)
    order = message_class(Schema("protobuf", PROTO, message="shop.Order"), {})
    rows = [("orders", 0, T0 + i, b"\0\0\0%c" % i, order(id=f"o{i}", cents=i).SerializeToString()) for i in range(1, 9)]
    capture = make_capture(tmp_path / "c", rows)
    said = ["--value-format", f"orders=protobuf:{schema}#shop.Order", "--key-format", "orders=int"]
    sql = "SELECT max(id) AS id, sum(cents)::int AS cents, max(key_decoded) AS k, max(value_json) AS j FROM orders"
    done = blackbox(capture.root, sql, *said, "--format", "json")
    assert done.err == ""
    assert json.loads(done.out) == [{"id": "o8", "cents": 36, "k": 8, "j": {"id": "o8", "cents": 8}}]


def test_a_format_nobody_knows_is_a_usage_error(blackbox: Blackbox, capture: Capture) -> None:
    done = blackbox(capture.root, "SELECT 1", "--value-format", "orders=xml")
    assert (done.code, done.out) == (2, "")
    assert "'xml' is no format" in done.err
