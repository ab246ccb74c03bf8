"""The state before the window goes first, is confirmed before T0 and changed as all else; without the flag it stays."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path
from typing import Literal

import pytest

from recorder.capture.reader import Capture
from recorder.capture.schema import Record
from recorder.errors import UsageError
from recorder.kafka.connection import Connection, connect
from recorder.kafka.local import LocalKafka
from recorder.replaying import Options, Status, prepare, replay, run
from recorder.replaying.plan_summary import plan_facts
from recorder.replaying.resumption import find_place
from recorder.replaying.state import StateFile
from recorder.replaying.summary import certificate_facts
from recorder.window import Window
from tests.builders import record
from tests.cli.running import run as run_command
from tests.conftest import create_topic
from tests.integration.test_replay import NOW, make_capture, read_all

pytestmark = pytest.mark.integration

STATE = 3_000


@pytest.fixture
def target(target_kafka: LocalKafka) -> Connection:
    return connect(target_kafka.bootstrap)


@pytest.fixture
def name(target_kafka: LocalKafka) -> str:
    unique = f"accounts-{uuid.uuid4().hex[:8]}"
    create_topic(target_kafka.bootstrap, unique, partitions=2)
    return unique


@pytest.fixture
def capture(tmp_path: Path, name: str) -> Capture:
    """Two partitions' state, from days before the window, and 100 changes of it within."""
    state = [
        record(name, index % 2, NOW - 10**9 + index, f"k{index}", f"s{index}", offset=index * 5)
        for index in range(STATE)
    ]
    rows = [record(name, index % 2, NOW + index, f"k{index}", f"v{index}") for index in range(100)]
    return make_capture(tmp_path / "c", rows, prologue=state, window=Window(NOW, None))


def values(target: Connection, name: str, partition: int) -> list[bytes | None]:
    return [value for _, value, *_ in read_all(target, name, partition)]


def expected(letter: str, partition: int, count: int) -> list[bytes]:
    return [f"{letter}{index}".encode() for index in range(partition, count, 2)]


def test_without_the_flag_it_is_not_sent_and_that_is_said(target: Connection, name: str, capture: Capture) -> None:
    plan = prepare(capture, target, Options(calibrate=False))
    assert plan_facts(plan)["state before it"] == "3,000 records, not sent"
    assert [f.fix for f in plan.findings if "state before" in f.what] == ["Give --prologue to have them sent first."]
    certificate = run(plan)
    assert values(target, name, 0) == expected("v", 0, 100)
    assert certificate.prologue is not None
    assert (certificate.prologue.records, certificate.prologue.sent, certificate.losses) == (STATE, "no", 0)
    assert certificate_facts(certificate)["state before the window"] == "3,000 records, not sent"


def test_it_goes_first_and_is_confirmed_before_the_window_begins(
    target: Connection, name: str, capture: Capture
) -> None:
    certificate = replay(capture, target, Options(prologue=True, calibrate=False))
    for partition in (0, 1):
        found = read_all(target, name, partition)
        assert [value for _, value, *_ in found] == expected("s", partition, STATE) + expected("v", partition, 100)
        assert found[0][3] == NOW - 10**9 + partition
    prologue = certificate.prologue
    assert prologue is not None
    assert (prologue.sent, prologue.acked, prologue.missing) == ("before", STATE, 0)
    assert (certificate.planned, certificate.acked, certificate.losses) == (100, 100, 0)
    assert certificate.planned_ns == 99_000_000
    assert "3,000 confirmed before T0" in certificate_facts(certificate)["state before the window"]


def test_keys_changes_and_partitions_hold_for_it_and_times_do_not(
    target: Connection, target_kafka: LocalKafka, name: str, capture: Capture
) -> None:
    other = f"{name}.more"
    create_topic(target_kafka.bootstrap, other, partitions=1)
    options = Options(
        prologue=True, remap={name: other}, sample=0.2, provenance=True, transform=Shout(), top_speed=True,
        calibrate=False, timestamps="now",
    )  # fmt: skip
    certificate = replay(capture, target, options)
    found = read_all(target, other, 0)
    assert certificate.prologue is not None
    assert (len(found), certificate.losses) == (certificate.prologue.acked + certificate.acked, 0)
    assert 0 < certificate.prologue.records < STATE
    state = [row for row in found if row[1] and row[1][:1] == b"S"]
    assert found[: len(state)] == state
    assert len(state) == certificate.prologue.acked
    assert {key for key, value, *_ in found if value and value[:1] == b"V"} <= {key for key, *_ in state}
    assert all(headers and headers[-1][0] == "blackbox-replay-id" for _, _, headers, _ in found)


class Shout:
    """Values in capitals."""

    name = "shout"

    def __call__(self, records: list[Record]) -> list[list[Record]]:
        return [[one._replace(value=one.value.upper() if one.value else None)] for one in records]


def test_a_resumed_replay_does_not_send_it_again(
    target: Connection, name: str, capture: Capture, tmp_path: Path
) -> None:
    stop, state = threading.Event(), tmp_path / "s"

    def progress(now: Status) -> None:
        if now.acked >= 10:
            stop.set()

    with StateFile(state) as file:
        slow = prepare(capture, target, Options(prologue=True, rate=0.05, calibrate=False))
        assert run(slow, state=file, stop=stop, progress=progress).ended_by == "interrupt"
    with pytest.raises(UsageError, match="--prologue"), StateFile(state) as file:
        find_place(prepare(capture, target, Options(calibrate=False)), file.read())
    plan = prepare(capture, target, Options(prologue=True, top_speed=True, calibrate=False))
    with StateFile(state) as file:
        certificate = run(plan, state=file, resumption=find_place(plan, file.read()))
    for partition in (0, 1):
        assert values(target, name, partition) == expected("s", partition, STATE) + expected("v", partition, 100)
    assert certificate.prologue is not None
    assert (certificate.prologue.sent, certificate.losses) == ("earlier", 0)
    assert certificate.earlier is not None
    assert certificate.earlier.foreign == 0


def test_when_it_is_cut_short_nothing_follows_and_there_is_nothing_to_resume(
    target: Connection, name: str, capture: Capture, tmp_path: Path
) -> None:
    stop = threading.Event()
    stop.set()
    plan = prepare(capture, target, Options(prologue=True, calibrate=False))
    with StateFile(tmp_path / "s") as file:
        certificate = run(plan, state=file, stop=stop)
    assert (certificate.ended_by, certificate.sent, certificate.resumable) == ("interrupt", 0, False)
    assert not (tmp_path / "s").exists()
    assert certificate.prologue is not None
    assert certificate.prologue.missing == STATE - certificate.prologue.acked > 0


def test_what_was_refused_of_it_keeps_the_window_back(target: Connection, name: str, capture: Capture) -> None:
    class Odd:
        name = "odd"

        def __call__(self, records: list[Record]) -> list[list[Record]]:
            return [[one._replace(timestamp_ms=2**62 if one.value == b"s7" else one.timestamp_ms)] for one in records]

    certificate = replay(capture, target, Options(prologue=True, transform=Odd(), calibrate=False))
    assert certificate.ended_by == "error"
    assert "of the state before the window were not confirmed" in (certificate.error or "")
    assert certificate.sent == 0
    assert certificate.losses > 100


def test_on_the_command_line(
    target_kafka: LocalKafka, target: Connection, name: str, capture: Capture, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("replay", capture.root, "-b", target_kafka.bootstrap, "--no-calibration", "--topspeed")
    tried = run_command(capsys, *command, "--dry-run")
    assert "3,000 records, not sent" in tried.out
    kept = capture.root.parent / "certificate.json"
    ran = run_command(capsys, *command, "--prologue", "--certificate", kept)
    assert ran.code == 0, ran.err
    assert "first 3,000 records of the state before the window" in ran.err
    assert "3,000 confirmed before T0" in " ".join(ran.out.split())
    assert values(target, name, 0)[-1] == b"v98"


@pytest.mark.parametrize("timestamps", ["original", "shift"])
def test_it_is_part_of_what_is_proven(
    target: Connection, name: str, capture: Capture, timestamps: Literal["original", "shift"]
) -> None:
    options = Options(prologue=True, timestamps=timestamps, calibrate=False, prove=True, top_speed=True)
    proof = replay(capture, target, options).proof
    assert proof is not None
    assert proof.holds, proof.sentence()
    assert (proof.records, proof.keys, proof.partitions) == (STATE + 100, STATE, 2)


def test_a_condition_holds_for_it_and_reads_it_as_was_said(
    target_kafka: LocalKafka, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = [record(name, 0, NOW - 10**6 + n, n.to_bytes(8, "big"), "s", offset=n) for n in range(50)]
    rows = [record(name, 0, NOW + n, n.to_bytes(8, "big"), "v") for n in range(20)]
    capture = make_capture(tmp_path / "d", rows, prologue=state, window=Window(NOW, None))
    reading = ("--key-format", f"{name}=long")
    command = ("replay", capture.root, "-b", target_kafka.bootstrap, "--dry-run", "--prologue", "--format", "json")
    ran = run_command(capsys, *command, "--where", "(key_json->>'$')::bigint % 10 = 7", *reading)
    assert ran.code == 0, ran.err
    plan = json.loads(ran.out)
    assert (plan["records"], plan["prologue"]) == (2, {"records": 5, "sent": True})
    unused = run_command(capsys, *command, *reading)
    assert unused.code == 2
    assert "say how --where reads" in unused.sentence()
