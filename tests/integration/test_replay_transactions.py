"""Replays inside transactions: seen by those who read committed records, step by step, or not at all."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer

from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.offsets import log_ends
from recorder.kafka.target import longest_transaction_ms
from recorder.replaying import Control, Options, Status, prepare, run
from recorder.replaying.certificate import read_certificate
from recorder.replaying.control import Seek
from recorder.replaying.options import Steps
from recorder.replaying.resumption import find_place
from recorder.replaying.state import StateFile
from recorder.replaying.typed import parse_steps
from tests.builders import make_capture, record
from tests.conftest import create_topic
from tests.crash.child import start, to_the_end
from tests.integration.test_replay import NOW, read_all

pytestmark = pytest.mark.integration


@pytest.fixture
def name() -> str:
    return f"transacted-{uuid.uuid4().hex[:8]}"


def capture(root: Path, topic: str, *, every_ms: int = 0) -> Capture:
    rows = [record(topic, i % 2, NOW + i * every_ms, f"k{i % 9}", str(i)) for i in range(1_000)]
    return make_capture(root / "c", rows, clean=True, created_at_ms=NOW + 60_000)


@pytest.mark.parametrize("steps", [Steps(records=300, milliseconds=30_000), Steps(records=10_000, milliseconds=100)])
def test_all_is_committed_by_count_or_by_time(
    target_kafka: LocalKafka, name: str, tmp_path: Path, steps: Steps
) -> None:
    target = connect(target_kafka.bootstrap)
    options = Options(create_topics=True, transactional=steps, calibrate=False)
    certificate = run(prepare(capture(tmp_path, name, every_ms=1), target, options))
    assert (certificate.ended_by, certificate.acked, certificate.losses) == ("end", 1_000, 0)
    assert certificate.transactions is not None
    assert (certificate.transactions.aborted, certificate.transactions.withdrawn) == (0, 0)
    committed = certificate.transactions.committed
    assert committed == 4 if steps.records == 300 else 5 <= committed <= 11
    for partition in (0, 1):
        assert [int(value or b"") for _, value, *_ in read_all(target, name, partition)] == list(
            range(partition, 1_000, 2)
        )
    ends = log_ends(Cluster(target), [(name, 0), (name, 1)])
    assert sum(ends.values()) > 1_000  # markers lie between them


def test_a_producer_that_takes_the_id_ends_the_replay_and_nothing_open_is_seen(
    target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    create_topic(target_kafka.bootstrap, name, partitions=2)
    target = connect(target_kafka.bootstrap)
    options = Options(transactional=Steps(records=100, milliseconds=30_000), calibrate=False)
    taken = []

    def take_over(now: Status) -> None:
        if now.sent > 250 and not taken:
            other = Producer(
                {"bootstrap.servers": target_kafka.bootstrap, "transactional.id": f"blackbox-replay-{name}"}
            )
            other.init_transactions(10)
            taken.append(other)

    plan = prepare(capture(tmp_path, name, every_ms=2), target, options)
    began = time.monotonic()
    certificate = run(plan, progress=take_over, replay_id=name)
    assert time.monotonic() - began < 28
    assert certificate.ended_by == "error"
    assert "was aborted (another producer took its id" in (certificate.error or "")
    assert certificate.transactions is not None
    seen = sum(len(read_all(target, name, partition)) for partition in (0, 1))
    assert seen == certificate.transactions.committed * 100 >= 200
    assert certificate.transactions.aborted == 1
    assert certificate.losses == 1_000 - seen
    taken.clear()


@pytest.mark.parametrize("text", ["0", "31s", "x", "", "2000000", "0ms"])
def test_steps_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_steps(text)
    assert parse_steps("10, 500ms") == Steps(10, 500)


def test_trap_20_killed_in_a_transaction_it_goes_on_behind_what_was_committed(
    target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    create_topic(target_kafka.bootstrap, name, partitions=2)
    target = connect(target_kafka.bootstrap)
    recorded = capture(tmp_path, name, every_ms=1)
    state, told = tmp_path / "the.state", tmp_path / "told"
    asked = [recorded.root, "-b", target_kafka.bootstrap, "--no-calibration"]
    asked += ["--state", state, "--certificate", tmp_path / "certificate.json", "--transactional"]

    def seen() -> list[list[int]]:
        return [[int(value or b"") for _, value, *_ in read_all(target, name, number)] for number in (0, 1)]

    ends, places = Cluster(target), [(name, 0), (name, 1)]
    process = start("replay", [*asked, "300"], told)
    while sum(log_ends(ends, places).values()) < 450:  # 300, their markers, and half of the second transaction
        assert process.is_alive(), told.read_text()
    process.kill()
    process.join()
    before = sum(log_ends(ends, places).values())
    committed = sum(map(len, seen()))
    assert committed in (300, 600, 900)
    _, code = to_the_end("replay", [*asked, "200", "--topspeed", "--resume"], told, 60)
    assert code == 0, told.read_text()
    assert seen() == [list(range(0, 1_000, 2)), list(range(1, 1_000, 2))]
    certificate = read_certificate(tmp_path / "certificate.json")
    assert certificate.earlier is not None
    assert (certificate.earlier.found, certificate.acked, certificate.losses) == (committed, 1_000 - committed, 0)
    assert sum(log_ends(ends, places).values()) > before + 1_000 - committed  # what was aborted lies there still
    assert not state.exists()


def test_a_seek_leaves_no_transaction_open_behind_it(target_kafka: LocalKafka, name: str, tmp_path: Path) -> None:
    create_topic(target_kafka.bootstrap, name, partitions=2)
    target = connect(target_kafka.bootstrap)
    recorded, control, stop = capture(tmp_path, name, every_ms=2), Control(), threading.Event()
    asked: list[int] = []

    def lead(now: Status) -> None:
        if now.acked > 100 and not asked:
            asked.append(now.acked)
            threading.Thread(target=control.ask, args=(Seek(1_000, relative=True),), daemon=True).start()
        if asked and now.played_ms > 1_100:
            stop.set()

    options = Options(transactional=Steps(records=100_000, milliseconds=30_000), calibrate=False)
    with StateFile(tmp_path / "s") as file:
        first = run(prepare(recorded, target, options), state=file, progress=lead, stop=stop, control=control)
    assert first.transactions is not None
    assert first.transactions.committed == 2  # before the seek, and in the end
    with StateFile(tmp_path / "s") as file:
        plan = prepare(recorded, target, options)
        second = run(plan, state=file, resumption=find_place(plan, file.read()))
    assert second.course.skipped == 1_000 - first.acked - second.acked > 0
    assert second.losses == 0
    assert sum(len(read_all(target, name, number)) for number in (0, 1)) == first.acked + second.acked


def test_the_brokers_tell_how_long_a_transaction_may_last(target_kafka: LocalKafka) -> None:
    assert longest_transaction_ms(Cluster(connect(target_kafka.bootstrap))) == 900_000  # Kafka's own default
