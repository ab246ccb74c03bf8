"""Windows that reach into the future, and recordings that are ended before their time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from recorder.capture.reader import open_capture
from recorder.capture.verify import failed, verify
from recorder.errors import ExitCode
from recorder.kafka import cluster as knowing
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka, local_kafka
from recorder.recording import read
from recorder.recording import record as recording
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.window import Window, format_time
from tests.cli.running import run
from tests.conftest import create_topic, wait_until
from tests.integration.producing import New, produce, send, transaction
from tests.integration.recording import EVERYTHING, notes, partition_of, reasons, recorded, rows

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
BLACKBOX = [sys.executable, "-c", "from recorder.cli.main import main; main()"]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def feed(kafka: LocalKafka, topic: str, until_ms: int) -> threading.Thread:
    """Produce a record every few milliseconds until `until_ms`, as they happen."""

    def run() -> None:
        while now_ms() < until_ms:
            produce(kafka.bootstrap, topic, [New(b"%d" % now_ms())])

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("many", [read.MANY_PARTITIONS, 1], ids=["few partitions", "as of many partitions"])
def test_a_window_in_the_future_is_waited_for(
    kafka: LocalKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(read, "MANY_PARTITIONS", many)
    produce(kafka.bootstrap, topic, [New(b"before")] * 3)
    window = Window(now_ms() + 700, now_ms() + 1_700)
    assert window.to_ms is not None
    feeding = feed(kafka, topic, window.to_ms + 1_200)
    capture = recorded(kafka, tmp_path / "c", topic, window=window)
    feeding.join()
    everything = rows(recorded(kafka, tmp_path / "all", topic), topic)
    inside = [row for row in everything if row.timestamp_ms in window]
    assert inside
    assert rows(capture, topic) == inside
    assert capture.manifest.finished_by == "end"
    assert capture.manifest.losses == ()


def test_a_window_that_straddles_now_holds_what_was_and_what_comes(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic, idle = make_topic(), make_topic(name="idle")
    produce(kafka.bootstrap, topic, [New(timestamp_ms=now_ms() - 60_000)])
    window = Window(now_ms() - 1_000, now_ms() + 1_000)
    past = produce(kafka.bootstrap, topic, [New(b"past")] * 3)
    assert window.to_ms is not None
    feeding = feed(kafka, topic, window.to_ms + 800)
    capture = recorded(kafka, tmp_path / "c", topic, idle, window=window)
    feeding.join()
    everything = rows(recorded(kafka, tmp_path / "all", topic), topic)
    found = rows(capture, topic)
    assert found == [row for row in everything if row.timestamp_ms in window]
    assert found[:3] == past
    assert partition_of(capture, idle).records == 0


def test_an_open_transaction_at_the_end_of_a_live_window_is_waited_for(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    with transaction(kafka.bootstrap, topic) as producer:
        truth = send(producer, topic, [New(b"inside")] * 2)
        window = Window(None, now_ms() + 500)
        timer = threading.Timer(2.0, lambda: producer.commit_transaction(30))
        timer.start()
        capture = recorded(kafka, tmp_path / "c", topic, window=window, transaction_seconds=30)
        timer.join()
    assert rows(capture, topic) == truth
    assert capture.manifest.losses == ()


def test_stopping_in_the_middle_seals_what_was_read_and_names_the_rest(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    truth = produce(kafka.bootstrap, topic, [New(b"%06d" % i + bytes(20_000)) for i in range(3_000)])
    stop = threading.Event()

    def stop_soon(now: Progress) -> None:
        if now.offsets:
            stop.set()

    manifest = record(
        connect(kafka.bootstrap, ["queued.max.messages.kbytes=1024"]),
        Request(EVERYTHING, names=[topic]),
        tmp_path / "c",
        progress=stop_soon,
        stop=stop,
    )
    found = rows(open_capture(tmp_path / "c"), topic)
    assert manifest.finished_by == "interrupt"
    assert 0 < len(found) < len(truth)
    assert found == truth[: len(found)]
    assert reasons(manifest.topics[0].partitions[0].gaps) == {"unread": len(truth) - len(found)}
    assert not failed(verify(tmp_path / "c"))


def test_stopping_before_anything_was_read_leaves_a_true_capture(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New()] * 5)
    stop = threading.Event()
    stop.set()
    manifest = record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), tmp_path / "c", stop=stop)
    assert (manifest.records, manifest.finished_by) == (0, "interrupt")
    assert reasons(manifest.topics[0].partitions[0].gaps) == {"unread": 5}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_seal_and_exit_130(
    kafka: LocalKafka, topic: str, tmp_path: Path, number: signal.Signals
) -> None:
    truth = produce(kafka.bootstrap, topic, [New(b"%06d" % i + os.urandom(1_000)) for i in range(20_000)])
    command = [*BLACKBOX, "record", "-b", kafka.bootstrap, "-t", topic, "--from", "beginning", "--to", "+1h",
               "-o", str(tmp_path / "c"), "--format", "json"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: bool(list(tmp_path.rglob("*.parquet.tmp"))), what="something was written")
    assert not (tmp_path / "c" / "manifest.json").exists()
    process.send_signal(number)
    began = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 25  # about a second on a quiet machine
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Interrupted" in err
    assert "Traceback" not in err
    capture = open_capture(tmp_path / "c")
    found = rows(capture, topic)
    assert json.loads(out)["records"] == len(found)
    assert found == truth[: len(found)]
    assert found
    assert not failed(verify(tmp_path / "c"))
    assert capture.manifest.finished_by == "interrupt"
    assert set(reasons(partition_of(capture, topic).gaps)) <= {"unread"}


def test_the_command_records_a_past_window_and_says_what_it_did(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    start = now_ms()
    produce(kafka.bootstrap, topic, [New()] * 7)
    command = [*BLACKBOX, "record", "-t", topic, "--from", format_time(start), "-o", str(tmp_path / "c"),
               "-X", "client.rack=hunter2"]  # fmt: skip
    environment = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"Recorded 7 records of 1 topic into {tmp_path / 'c'}" in done.stderr
    (step,) = open_capture(tmp_path / "c").manifest.lineage
    assert step.command[:2] == ("blackbox", "record")
    assert "hunter2" not in (tmp_path / "c" / "manifest.json").read_text()


def test_loss_ends_in_exit_3_and_is_named(
    kafka: LocalKafka,
    topic: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Request, "typed", partial(Request.typed, transaction_seconds=1.0))
    produce(kafka.bootstrap, topic, [New()] * 2)
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, [New(b"open")])
        done = run(capsys, "record", "-b", kafka.bootstrap, "-t", topic, "--from", "beginning",
                   "-o", tmp_path / "c", "--format", "ndjson")  # fmt: skip
    assert done.code == ExitCode.LOSS, done.err
    (line,) = done.out.splitlines()
    assert json.loads(line)["losses"] == [
        f"{topic}/0: an open transaction hides the records from offset 2 on: record again later",
        f"{topic}/0: 1 offsets unread",
    ]
    assert done.err.count("loss: ") == 2


def test_a_cluster_that_dies_costs_nothing_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "STALLED_SECONDS", 3.0)
    monkeypatch.setattr(recording, "STALLED_SECONDS", 3.0)
    with local_kafka() as cluster:
        create_topic(cluster.bootstrap, "orders")
        truth = produce(cluster.bootstrap, "orders", [New(b"%d" % i) for i in range(100)])

        def kill(now: Progress) -> None:
            if now.offsets >= 100 and cluster.brokers[0].running:
                cluster.brokers[0].kill()
                monkeypatch.setattr(knowing, "ANSWER_SECONDS", 1.0)

        manifest = record(
            connect(cluster.bootstrap),
            Request(Window(None, now_ms() + 3_000), names=["orders"]),
            tmp_path / "c",
            progress=kill,
        )
    assert rows(open_capture(tmp_path / "c"), "orders") == truth
    assert not failed(verify(tmp_path / "c"))
    assert [loss.topic for loss in manifest.losses] == ["orders"]
    assert any("whether topics changed" in text for text in notes(manifest, "warning"))
