"""Several processes that read one window make the capture that one makes, whichever of them is stopped or killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recorder.capture import writer
from recorder.capture.manifest import CHECKPOINT_NAME, Manifest, Partition
from recorder.capture.reader import open_capture
from recorder.errors import CaptureError
from recorder.kafka import bulk
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.offsets import Place
from recorder.recording import pending, share
from recorder.recording.journal import Journal
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.recording.resume import resume
from recorder.recording.workers import Workers
from recorder.window import Window
from tests.builders import T0
from tests.integration.producing import New, delete_records, produce, send, transaction
from tests.integration.recording import EVERYTHING, recorded

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 200_000)
    monkeypatch.setattr("recorder.recording.record.row_group_bytes", lambda _partitions: 100_000)
    monkeypatch.setattr(pending, "HANDED_BYTES", 100_000)
    monkeypatch.setattr(bulk, "PIECE_BYTES", 50_000)
    monkeypatch.setattr(share, "WORTH_OFFSETS", 1)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the processes that were started, and stopped at once (SIGSTOP)."""
    pids: list[int] = []
    start = Workers._start

    def start_and_stop(workers: Workers, number: int, places: Sequence[Place]) -> None:
        start(workers, number, places)
        pids.append(workers._processes[-1].pid)
        os.kill(pids[-1], signal.SIGSTOP)

    monkeypatch.setattr(Workers, "_start", start_and_stop)
    return pids


@contextmanager
def processes(count: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(share, "processes", lambda: count)
        yield


@contextmanager
def at_the_first_seal(do: Callable[[], object]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        real = Journal.add
        todo = [do]

        def add(self: Journal, lines: Any) -> None:
            real(self, lines)
            if todo:
                todo.pop()()

        patch.setattr(Journal, "add", add)
        yield


def fill(kafka: LocalKafka, topic: str) -> None:
    """Records in and out of the window, some of them late, holes of transactions, and an expired beginning."""
    minute = 60_000
    for part in range(2):
        wanted = [
            New(os.urandom(500), b"%d" % i, [("h", b"1")], T0 + (i % 13) * minute, partition=i % 3)
            for i in range(3_000)
        ]
        produce(kafka.bootstrap, topic, wanted, batch_size=50_000)
        with transaction(kafka.bootstrap, f"{topic}-{part}") as producer:
            send(producer, topic, [New(b"aborted", partition=i % 3) for i in range(30)])
            producer.abort_transaction(30)
    delete_records(kafka.bootstrap, topic, 40, partition=1)


def partitions(manifest: Manifest) -> list[Partition]:
    return [partition for _, partition in manifest.topic_partitions()]


def assert_same_records(root: Path, undisturbed: Path) -> None:
    """And the same accounts of them; who is stopped in the middle ends a segment there."""
    one, other = open_capture(root), open_capture(undisturbed)
    assert [_accounts(partition) for partition in partitions(one.manifest)] == [
        _accounts(partition) for partition in partitions(other.manifest)
    ]
    assert sorted(one.records()) == sorted(other.records())


def _accounts(partition: Partition) -> Partition:
    return msgspec.structs.replace(partition, segments=())


@pytest.mark.parametrize("window", [EVERYTHING, Window(T0, T0 + 600_000)], ids=["everything", "ten minutes"])
def test_several_processes_write_the_same_bytes_and_the_same_ledger_as_one(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, window: Window
) -> None:
    topic = make_topic(4)
    fill(kafka, topic)
    with processes(1):
        one = recorded(kafka, tmp_path / "one", topic, window=window).manifest
    told: list[Progress] = []
    with processes(3):
        several = record(connect(kafka.bootstrap), Request(window, names=[topic]), tmp_path / "c", progress=told.append)
    assert partitions(several) == partitions(one)
    assert several.notes == one.notes
    assert told[-1].offsets == told[-1].total
    assert told[-1].records == several.records


def test_a_process_that_is_killed_ends_the_recording_which_can_be_gone_on_with(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, started: list[int]
) -> None:
    topic = make_topic(3)
    fill(kafka, topic)
    with processes(1):
        recorded(kafka, tmp_path / "undisturbed", topic)
    root = tmp_path / "c"
    with processes(2):
        with (
            at_the_first_seal(lambda: os.kill(started[0], signal.SIGKILL)),
            pytest.raises(CaptureError, match=r"was killed \(signal 9\)\. Go on .*--resume"),
        ):
            record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), root)
        assert (root / CHECKPOINT_NAME).exists()
        # What is left may be too little for a second process.
        with at_the_first_seal(lambda: [os.kill(pid, signal.SIGCONT) for pid in started[1:]]):
            resume(connect(kafka.bootstrap), root)
    assert_same_records(root, tmp_path / "undisturbed")


def test_who_is_stopped_seals_what_each_process_read_and_goes_on_from_there(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, started: list[int]
) -> None:
    topic = make_topic(3)
    fill(kafka, topic)
    with processes(1):
        undisturbed = recorded(kafka, tmp_path / "undisturbed", topic).manifest
    root, stop = tmp_path / "c", threading.Event()

    def stop_all() -> None:
        stop.set()
        os.kill(started[0], signal.SIGCONT)

    with processes(2):
        with at_the_first_seal(stop_all):
            manifest = record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), root, stop=stop)
        assert manifest.finished_by == "interrupt"
        assert 0 < manifest.records < undisturbed.records
        for partition in partitions(manifest):
            missing = sum(gap.missing for gap in partition.gaps)
            assert partition.end_offset - partition.start_offset == partition.records + missing
    with processes(1):
        resume(connect(kafka.bootstrap), root)
    assert_same_records(root, tmp_path / "undisturbed")
