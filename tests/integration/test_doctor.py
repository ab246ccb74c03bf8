"""The doctor on a real cluster: it finds what a recording would meet, foretells its size, and changes nothing."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation

from recorder.capture.verify import Check
from recorder.errors import ExitCode
from recorder.kafka.connection import Connection, connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.probing import clock_bounds
from recorder.recording import doctor as doctor_module
from recorder.recording.doctor import Diagnosis, diagnose
from recorder.recording.record import record
from recorder.recording.request import Request
from recorder.window import Window
from tests.conftest import create_topic
from tests.integration.producing import New, produce, transaction
from tests.integration.recording import EVERYTHING
from tests.integration.securing import SecureKafka, allow, everything_there

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
MINUTE = 60_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "CLOCK_SECONDS", 0.2)


@pytest.fixture
def source(kafka: LocalKafka) -> Connection:
    return connect(kafka.bootstrap)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def check(found: Diagnosis, name: str, where: str | None = None) -> Check:
    """The one check of that name (and of that topic)."""
    (only,) = [check for check in found.checks if check.name == name and where in (None, check.where)]
    return only


def payments(count: int, start_ms: int, step_ms: int = 1, partitions: int = 1) -> Iterator[New]:
    for number in range(count):
        value = json.dumps({"id": f"pay-{number:08}", "amount": number * 37 % 9973, "note": "x" * (number % 90)})
        yield New(value.encode(), b"key-%d" % (number % 500), [("trace", b"%08d" % number)],
                  start_ms + number * step_ms, number % partitions)  # fmt: skip


def test_it_foretells_what_the_recording_comes_to(
    source: Connection, kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic, start = make_topic(3), now_ms() - 30 * MINUTE
    produce(kafka.bootstrap, topic, payments(30_000, start, 20, 3))
    request = Request(Window(start + MINUTE, start + 6 * MINUTE), names=[topic])
    found = diagnose(source, request, tmp_path / "c")
    manifest = record(source, request, tmp_path / "c")
    size = sum(path.stat().st_size for path in (tmp_path / "c").rglob("*.parquet"))
    assert not found.failed, found.checks
    assert found.expected is not None
    assert found.expected.records == pytest.approx(manifest.records, rel=0.01)
    assert found.expected.capture_bytes == pytest.approx(size, rel=0.4)
    assert found.expected.records_per_second == pytest.approx(50, rel=0.01)
    assert 0 < found.expected.seconds < 60
    assert {check.name for check in found.checks if check.status not in {"PASSED", "SKIPPED"}} == set()


def test_holes_of_transactions_are_not_counted(
    source: Connection, kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    with transaction(kafka.bootstrap, f"many-{topic}") as producer:
        for number in range(40):
            producer.produce(topic, b"%d" % number)
            producer.commit_transaction()
            producer.begin_transaction()
    found = diagnose(source, Request(EVERYTHING, names=[topic]), tmp_path / "c")
    assert found.expected is not None
    assert found.expected.records == pytest.approx(40, rel=0.05)  # of 80 offsets


def test_trap_4_an_open_transaction_is_named(source: Connection, kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New(), New()])
    with transaction(kafka.bootstrap, f"open-{topic}") as producer:
        producer.produce(topic, b"hidden")
        producer.flush(10)
        found = diagnose(source, Request(EVERYTHING, names=[topic]), tmp_path / "c")
    assert check(found, "transactions").status == "WARNING"
    assert "partition 0 from offset 2 on" in check(found, "transactions").detail


def test_compaction_retention_and_a_wild_clock_are_told(
    source: Connection, kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    start = now_ms() - 2 * MINUTE
    compacted = make_topic(config={"cleanup.policy": "compact"})
    short = make_topic(config={"retention.ms": str(10 * MINUTE)})
    wild = make_topic()
    produce(kafka.bootstrap, compacted, payments(10, start))
    produce(kafka.bootstrap, short, payments(10, start))
    produce(kafka.bootstrap, wild, [New(timestamp_ms=now_ms() + 30 * MINUTE)])
    names = [compacted, short, wild]
    found = diagnose(source, Request(Window(start, None), names=names), tmp_path / "c")
    assert not found.failed
    assert check(found, "compaction", compacted).status == "WARNING"
    assert "may go in 7m" in check(found, "retention", short).detail.replace("8m", "7m")
    assert "in the future" in check(found, "time index", wild).detail


def test_a_window_still_to_come_is_guessed_from_the_last_minute(
    source: Connection, kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    produce(kafka.bootstrap, topic, payments(600, now_ms() - 50_000, 80))
    now = now_ms()
    found = diagnose(source, Request(Window(now, now + 10 * MINUTE), names=[topic]), tmp_path / "c")
    assert found.expected is not None
    assert found.expected.records == pytest.approx(6_000, rel=0.1)
    assert found.expected.seconds == pytest.approx(600, abs=5)


def test_no_topics_still_tell_of_the_cluster(source: Connection, tmp_path: Path) -> None:
    found = diagnose(source, None, tmp_path)
    assert {check.name for check in found.checks} == {"connection", "security", "clock"}
    assert not found.failed


def test_an_unknown_topic_and_an_unreachable_cluster_fail(source: Connection, tmp_path: Path) -> None:
    found = diagnose(source, Request(EVERYTHING, names=["no-such-topic"]), tmp_path / "c")
    assert found.failed
    assert "There is no topic no-such-topic" in check(found, "topics").detail
    found = diagnose(connect("127.0.0.1:1"), None, tmp_path)
    assert [(check.name, check.status) for check in found.checks] == [("connection", "FAILED")]


@contextmanager
def somebody_writes(kafka: LocalKafka, topic: str) -> Iterator[None]:
    """Records arrive all the time, one after the other."""
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            produce(kafka.bootstrap, topic, [New()], linger_ms=0)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("ahead_ms", [0, -90_000, 45_000])
def test_the_clock_is_compared_through_what_a_broker_stamps(
    source: Connection, kafka: LocalKafka, make_topic: MakeTopic, ahead_ms: int
) -> None:
    from recorder.kafka.cluster import Cluster

    topic = make_topic(config={"message.timestamp.type": "LogAppendTime"})
    produce(kafka.bootstrap, topic, [New()])
    with somebody_writes(kafka, topic):
        bounds = clock_bounds(Cluster(source), [(topic, 0)], 20, lambda: now_ms() + ahead_ms)
    assert bounds is not None
    assert bounds.low_ms <= -ahead_ms <= bounds.high_ms
    assert bounds.high_ms - bounds.low_ms < 5_000


def test_rights_are_found_out_without_a_group(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    names = [f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("readable", "seen", "empty")]
    for name in names:
        create_topic(secure_kafka.cluster.bootstrap, name)
    produce(secure_kafka.cluster.bootstrap, names[0], [New()] * 10)
    produce(secure_kafka.cluster.bootstrap, names[1], [New()] * 10)
    allow(secure_kafka.cluster, "alice", names[0], AclOperation.READ)
    allow(secure_kafka.cluster, "alice", names[1], AclOperation.DESCRIBE)
    allow(secure_kafka.cluster, "alice", names[2], AclOperation.READ)
    before = everything_there(secure_kafka.cluster)
    connection = connect(None, (), secure_kafka.client("SCRAM-SHA-512"))
    found = diagnose(connection, Request(EVERYTHING, names=names), tmp_path / "c")
    assert [check(found, "rights", name).status for name in names] == ["PASSED", "FAILED", "PASSED"]
    assert [check(found, "configuration", name).status for name in names] == ["WARNING"] * 3
    assert check(found, "compaction", names[0]).status == "SKIPPED"
    assert check(found, "security").detail == "SASL_SSL with SCRAM-SHA-512"
    assert everything_there(secure_kafka.cluster) == before
    assert list(tmp_path.iterdir()) == []


def test_the_command_exits_1_when_a_check_failed(
    kafka: LocalKafka, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer import Typer
    from typer.testing import CliRunner

    from recorder.cli.doctor import doctor

    app = Typer()
    app.command()(doctor)
    produce(kafka.bootstrap, topic, payments(100, now_ms() - MINUTE))
    arguments = ["-b", kafka.bootstrap, "-t", topic, "--from", "-5m"]
    good = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "c"), "--format", "json"])
    assert good.exit_code == ExitCode.OK, good.stderr
    told = json.loads(good.stdout)
    assert told["passed"] is True
    assert told["expected"]["records"] == 100
    bad = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path)])
    assert bad.exit_code == ExitCode.FAILED
    assert "exists already" in bad.stdout
    assert "would not work" in bad.stderr
