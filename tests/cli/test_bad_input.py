"""Every wrong thing that can be typed or handed over: one sentence, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from recorder.errors import ExitCode
from recorder.kafka import cluster as cluster_module
from tests.builders import T0, make_capture
from tests.cli.running import run, without_rights

FAILED, USAGE = ExitCode.FAILED, ExitCode.USAGE
HERE = ["-b", "127.0.0.1:1", "-t", "orders"]
GOOD = [*HERE, "--from", "-5m"]


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    records = [("orders", i % 2, T0 + i * 1_000, f"k{i}", {"i": i}) for i in range(20)]
    return make_capture(tmp_path / "c", [*records, ("payments.dlq", 0, T0, "k", "v")], segment_records=5)


@pytest.fixture(autouse=True)
def no_cluster_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setattr(cluster_module, "ANSWER_SECONDS", 1.5)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-t", "a", "--from", "-5m"], USAGE, "No cluster given: use -b"),
        (["-b", "broker", "-t", "a", "--from", "-5m"], USAGE, "'broker' is not a broker's address"),
        (GOOD, FAILED, r"Can't reach a broker at 127\.0\.0\.1:1: .*Connection refused"),
        (["-b", "127.0.0.1:1", "--from", "-5m"], USAGE, "No topics chosen"),
        (["-b", "127.0.0.1:1", "-t", "orders"], USAGE, "Say where the window starts: --from"),
        ([*GOOD, "--to", "-10m"], USAGE, "ends before it starts"),
        ([*HERE, "--from", "2026-11-03T14:02Z", "--to", "2026-11-03T14:02Z"], USAGE, "is empty"),
        ([*HERE, "--from", "2026-11-03T14:02"], USAGE, "has no time zone: .*--tz"),
        ([*HERE, "--from", "2026-11-03T14:02", "--tz", "Berlin"], USAGE, "'Berlin' is not a time zone"),
        ([*HERE, "--from", "yesterday"], USAGE, "'yesterday' is not a time"),
        ([*HERE, "--from", "1793714520"], USAGE, "too small for epoch milliseconds"),
        ([*HERE, "--from", "end"], USAGE, "--from can't be 'end'"),
        ([*HERE, "--from", "offset:-1"], USAGE, "'offset:-1' is not an offset: write for example --from offset:1200"),
        ([*HERE, "--from", "a=offset:x"], USAGE, "'offset:x' is not an offset"),
        ([*GOOD, "--from", "-1h"], USAGE, "--from is given twice for all topics"),
        ([*GOOD, "--from", "a=-1h", "--from", "a=-2h"], USAGE, "--from is given twice for a: give it once"),
        ([*GOOD, "--last", "5"], USAGE, "--last and --from both say where to begin"),
        ([*GOOD, "--to", "tomorrow"], USAGE, "'tomorrow' is not a time"),
        ([*GOOD, "--late-slack", "some"], USAGE, "'some' is not a duration"),
        ([*GOOD, "-e", "pay("], USAGE, r"'pay\(' is not a regular expression"),
        ([*GOOD, "-x", "*"], USAGE, r"'\*' is not a regular expression"),
        ([*GOOD, "-X", "nonsense"], USAGE, "-X nonsense… is no setting"),
        ([*GOOD, "-X", "no.such.key=1"], USAGE, "-X no.such.key: No such configuration property"),
        ([*GOOD, "-F", "nowhere.properties"], USAGE, "Can't read the client configuration nowhere.properties"),
        ([*GOOD, "-o", "."], USAGE, r"\. exists already"),
    ],
)
def test_record(capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    ran = run(capsys, "record", *arguments)
    assert (ran.code, re.search(says, ran.sentence()) is not None) == (code, True), ran
    assert list(tmp_path.iterdir()) == []


def test_record_into_what_exists(capsys: pytest.CaptureFixture[str], capture: Capture, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    before = (capture.root / "manifest.json").read_bytes()
    for name in ("c", "file", "dangling"):
        ran = run(capsys, "record", *GOOD, "-o", name)
        assert (ran.code, f"{name} exists already" in ran.sentence()) == (USAGE, True)
    assert (capture.root / "manifest.json").read_bytes() == before


VERBS = ["info", "ls", "cat", "verify"]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("debris", ["nothing", "file", "empty directory", "unfinished", "cut", "future", "foreign"])
def test_what_is_no_capture(
    capsys: pytest.CaptureFixture[str], capture: Capture, tmp_path: Path, verb: str, debris: str
) -> None:
    path, manifest = tmp_path / "x", capture.root / "manifest.json"
    code, says = FAILED, ""
    if debris == "nothing":
        code, says = USAGE, "does not exist"
    elif debris == "file":
        path.write_text("")
        code, says = USAGE, "is a file"
    else:
        path.mkdir()
        if debris == "empty directory":
            says = "is not a capture"
        elif debris == "unfinished":
            (path / "checkpoint.json").write_bytes(manifest.read_bytes())
            says = "is an unfinished recording"
        elif debris == "cut":
            (path / "manifest.json").write_bytes(manifest.read_bytes()[:-40])
            says = "manifest.json is torn or altered"
        elif debris == "foreign":
            (path / "manifest.json").write_text('{"name": "some web app", "display": "standalone"}')
            says = "is not a capture's manifest"
        else:
            (path / "manifest.json").write_text(json.dumps({"format_version": 99}))
            says = "please upgrade"
    ran = run(capsys, verb, path)
    assert ran.code == code
    if verb == "verify" and code == FAILED:
        assert says in ran.out
        assert "FAILED" in ran.out
    else:
        assert says in ran.sentence()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ls", "-t", "order"], "no topic order in this capture: did you mean orders"),
        (["ls", "-e", "order"], "No topic of this capture matches"),
        (["ls", "-e", "("], "is not a regular expression"),
        (["cat", "-t", "payment.dlq"], "did you mean payments.dlq"),
        (["cat", "-p", "7"], "no partition 7"),
        (["cat", "--from", "2026-11-03T14:02"], "has no time zone"),
        (["cat", "--from", "soon"], "'soon' is not a time"),
        (["cat", "--from", "-5s", "--to", "-9s"], "ends before it starts"),
    ],
)
def test_a_selection_that_means_nothing(
    capsys: pytest.CaptureFixture[str], capture: Capture, arguments: list[str], says: str
) -> None:
    verb, *rest = arguments
    ran = run(capsys, verb, capture.root, *rest)
    assert (ran.code, says in ran.sentence()) == (USAGE, True), ran


def first_segment(capture: Capture) -> Path:
    return sorted(capture.root.rglob("*.parquet"))[0]


def test_a_missing_segment(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    first_segment(capture).unlink()
    ran = run(capsys, "verify", capture.root)
    assert (ran.code, "is missing" in ran.out, first_segment(capture).parent.name in ran.out) == (FAILED, True, True)
    ran = run(capsys, "cat", capture.root, "--format", "ndjson")
    assert ran.code == FAILED
    assert "is missing" in ran.sentence()


def test_a_flipped_byte(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    torn = bytearray(first_segment(capture).read_bytes())
    torn[len(torn) // 3] ^= 1
    first_segment(capture).write_bytes(torn)
    ran = run(capsys, "verify", capture.root)
    assert (ran.code, "SHA-256" in ran.out) == (FAILED, True)


def test_no_right_to_read(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    with without_rights(capture.root / "manifest.json"):
        for verb in VERBS:
            ran = run(capsys, verb, capture.root)
            assert ran.code == FAILED
            assert "Permission denied" in ran.out + ran.err
            assert len(ran.err.splitlines()) == 1
    with without_rights(first_segment(capture)):
        ran = run(capsys, "cat", capture.root)
        assert (ran.code, ran.err.count("Permission denied")) == (FAILED, 1)
        assert "torn" not in ran.err
        ran = run(capsys, "verify", capture.root)
        assert (ran.code, "Permission denied" in ran.out) == (FAILED, True)


def test_no_right_to_list_the_directory(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    with without_rights(capture.root):
        for verb in VERBS:
            ran = run(capsys, verb, capture.root)
            assert ran.code == FAILED
            assert "Permission denied" in ran.out + ran.err
            assert "Traceback" not in ran.err


@pytest.mark.parametrize("verb", ["record", "info", "ls", "cat", "verify"])
def test_an_option_that_is_none_is_usage(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    ran = run(capsys, verb, "--no-such-option")
    assert (ran.code, ran.out) == (USAGE, "")
    assert "--no-such-option" in ran.err
    ran = run(capsys, verb, "x", "--format", "xml")
    assert ran.code == USAGE
