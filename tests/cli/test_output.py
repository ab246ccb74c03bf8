"""What programs read from stdout parses, and what people read does not steer their terminal."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import Capture
from recorder.capture.schema import Record
from tests.builders import T0, make_capture, record
from tests.cli.running import Ran, run

BLACKBOX = [sys.executable, "-c", "from recorder.cli.main import main; main()"]
ROWS = [
    record("orders", 0, T0, "k,1", 'say "hi"\nthere', [("trace", b"\xff"), ("trace", None)]),
    record("orders", 1, T0 + 1, None, None),
    record("orders", 0, T0 + 2, "", b"\x00\xfe"),
    record("orders", 0, T0 + 3, "\x1b[2J\x1b]0;owned\x07", {"id": 12345678901234567890}),
    record("orders", 0, T0 * 1_000_000, "k", "nanoseconds"),
]


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    return make_capture(tmp_path / "c", ROWS, topics={"empty": 1}, created_at_ms=T0 + 5_000)


def parsed(ran: Ran, form: str) -> Any:
    assert (ran.code, ran.err) == (0, "")
    if form == "json":
        return json.loads(ran.out)
    if form == "ndjson":
        return [json.loads(line) for line in ran.out.splitlines()]
    return list(csv.DictReader(io.StringIO(ran.out)))


def payload(cell: Any) -> bytes | None:
    if cell is None:
        return None
    return base64.b64decode(cell["base64"]) if isinstance(cell, dict) else cell.encode()


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_cat_loses_nothing_of_raw_records(capsys: pytest.CaptureFixture[str], capture: Capture, form: str) -> None:
    rows = parsed(run(capsys, "-q", "cat", capture.root, "--raw", "--format", form), form)
    assert [
        Record(
            row["topic"],
            row["partition"],
            row["offset"],
            row["timestamp_ms"],
            row["timestamp_type"],
            payload(row["key"]),
            payload(row["value"]),
            tuple((name, payload(value)) for name, value in row["headers"]),
            row["leader_epoch"],
        )
        for row in rows
    ] == list(capture.records())


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
@pytest.mark.parametrize("arguments", [["ls"], ["ls", "--gaps"], ["cat"], ["verify"], ["info"]], ids=" ".join)
def test_every_format_parses(
    capsys: pytest.CaptureFixture[str], capture: Capture, arguments: list[str], form: str
) -> None:
    verb, *rest = arguments
    found = parsed(run(capsys, "-q", verb, capture.root, *rest, "--format", form), form)
    if arguments == ["ls"]:
        assert [(row["topic"], str(row["records"])) for row in found] == [
            ("empty", "0"),
            ("orders", "4"),
            ("orders", "1"),
        ]
    if arguments == ["cat"]:
        assert len(found) == 5
    if arguments == ["verify"]:
        assert {row["status"] for row in found} == {"PASSED"}


def test_info_as_json_is_the_manifest(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    manifest = json.loads((capture.root / "manifest.json").read_text())
    assert parsed(run(capsys, "info", capture.root, "--format", "json"), "json") == manifest
    assert parsed(run(capsys, "info", capture.root, "--format", "ndjson"), "ndjson") == [manifest]


def test_nothing_of_a_record_steers_the_terminal(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    for arguments in (["cat"], ["info"], ["ls"], ["verify", "--all"]):
        verb, *rest = arguments
        out = run(capsys, verb, capture.root, *rest).out
        assert "\x1b" not in out
        assert "\x07" not in out


def test_cat_shows_some_and_stops(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    ran = run(capsys, "cat", capture.root, "-t", "orders", "-p", "0", "-n", "2")
    assert len(ran.out.splitlines()) == 2
    ran = run(capsys, "cat", capture.root, "-k", "", "--format", "ndjson")
    assert [json.loads(line)["offset"] for line in ran.out.splitlines()] == [1]
    window = ["--from", "2026-11-03T14:02:00.001Z", "--to", "2026-11-03T14:02:00.003Z"]
    ran = run(capsys, "cat", capture.root, *window, "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(ran.out)))) == 2


def test_quiet_leaves_only_results(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    loud, quiet = run(capsys, "verify", capture.root), run(capsys, "-q", "verify", capture.root)
    assert loud.out == quiet.out
    assert (quiet.err, "whole" in loud.err) == ("", True)


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("t", value="x" * 1_000) for _ in range(2_000)])
    command = [*BLACKBOX, "cat", str(capture.root), "--format", "ndjson"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["topic"] == "t"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_debug_shows_the_traceback_and_only_then(tmp_path: Path) -> None:
    command = [*BLACKBOX, "--debug", "info", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" in done.stderr
    assert "UsageError" in done.stderr
