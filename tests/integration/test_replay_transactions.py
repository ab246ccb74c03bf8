"""Replays inside transactions: seen by those who read committed records, step by step, or not at all."""

from __future__ import annotations

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
from recorder.replaying import Options, Status, prepare, run
from recorder.replaying.options import Steps, parse_steps
from tests.builders import make_capture, record
from tests.cli import running as cli
from tests.conftest import create_topic
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


def test_a_transaction_can_not_be_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = capture(tmp_path, "orders").root
    ran = cli.run(capsys, "replay", root, "-b", "localhost:1", "--transactional", "100", "--resume")
    assert ran.code == 2
    assert ran.sentence().startswith("--resume can't tell what of a transaction will stay: go on with --start-offset")


def test_the_brokers_tell_how_long_a_transaction_may_last(target_kafka: LocalKafka) -> None:
    assert longest_transaction_ms(Cluster(connect(target_kafka.bootstrap))) == 900_000  # Kafka's own default
