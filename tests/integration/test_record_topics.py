"""The truths about topics, offsets and groups that recorders got wrong, each with its number, on a real Kafka."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from recorder.capture.manifest import Manifest
from recorder.capture.reader import open_capture
from recorder.errors import UsageError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.window import Window
from tests.builders import T0
from tests.conftest import create_topic, wait_until
from tests.integration.producing import (
    New,
    delete_topic,
    produce,
    send,
    transaction,
)
from tests.integration.recording import EVERYTHING, notes, partition_of, reasons, recorded, rows

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
MINUTE = 60_000
WINDOW = Window(T0, T0 + 10 * MINUTE)
ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1)}


def at(*minutes: float, value: bytes = b"v") -> list[New]:
    """Records at so many minutes after the window's start."""
    return [New(value, timestamp_ms=T0 + round(minute * MINUTE)) for minute in minutes]


def values(manifest_root: Path, topic: str) -> list[float]:
    """The minutes (after the window's start) of what was recorded, in offset order."""
    return [(row.timestamp_ms - T0) / MINUTE for row in rows(open_capture(manifest_root), topic)]


def test_trap_6_a_topic_recreated_meanwhile_is_a_loss(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New()] * 5)

    def recreate(now: Progress) -> None:
        if not done.is_set():
            done.set()
            delete_topic(kafka.bootstrap, topic)
            create_topic(kafka.bootstrap, topic)

    done = threading.Event()
    manifest = record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), tmp_path / "c", progress=recreate)
    assert any("deleted and created anew" in loss.sentence() for loss in manifest.losses)


def test_trap_6_a_topic_deleted_while_a_live_window_is_open_loses_only_itself(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    doomed, other = make_topic(name="doomed"), make_topic(name="other")
    produce(kafka.bootstrap, doomed, [New()] * 5)
    produce(kafka.bootstrap, other, [New()] * 5)

    def delete(now: Progress) -> None:
        if now.offsets >= 10 and not done.is_set():
            done.set()
            delete_topic(kafka.bootstrap, doomed)
            produce(kafka.bootstrap, other, [New(b"after")])

    done = threading.Event()
    window = Window(None, _now_ms() + 4_000)
    manifest = record(connect(kafka.bootstrap), Request(window, names=[doomed, other]), tmp_path / "c", progress=delete)
    counts = {t.name: t.records for t in manifest.topics}
    assert counts == {doomed: 5, other: 6}
    assert all(note.topic == doomed for note in manifest.losses)
    assert any("deleted during the recording" in text for text in notes(manifest, "warning"))


def test_trap_7_a_partition_added_meanwhile_is_named(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New()] * 5)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})

    def add(now: Progress) -> None:
        if not done.is_set():
            done.set()
            admin.create_partitions([NewPartitions(topic, 3)])[topic].result(30)
            wait_until(lambda: len(admin.list_topics(topic).topics[topic].partitions) == 3, what="partitions are added")

    done = threading.Event()
    manifest = record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), tmp_path / "c", progress=add)
    assert [loss.sentence() for loss in manifest.losses] == [
        f"{topic}/{n}: the partition was added during the recording and is not in it" for n in (1, 2)
    ]


def test_trap_7_a_name_is_a_name_and_internal_topics_come_only_by_name(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    dotted = make_topic(name="audit.events")
    dashed = dotted.replace("audit.events", "audit-events")
    create_topic(kafka.bootstrap, dashed)
    with transaction(kafka.bootstrap, dotted) as producer:  # brings __transaction_state into being
        send(producer, dotted, [New()])
        producer.commit_transaction(30)

    def chosen(*names: str, patterns: tuple[str, ...] = (), excludes: tuple[str, ...] = ()) -> list[str]:
        manifest = _record(kafka, tmp_path, Request(EVERYTHING, names=names, patterns=patterns, excludes=excludes))
        return [topic.name for topic in manifest.topics]

    assert chosen(dotted) == [dotted]
    assert chosen(patterns=(dotted,)) == [dashed, dotted]
    assert chosen(patterns=(re.escape(dotted),)) == [dotted]
    assert chosen(patterns=(dotted,), excludes=(".*-events.*",)) == [dotted]
    everything = chosen(patterns=(".*",))
    assert dotted in everything
    assert not [name for name in everything if name.startswith("__")]
    assert chosen("__transaction_state") == ["__transaction_state"]
    with pytest.raises(UsageError, match="No topic matches"):
        chosen(patterns=("audit",))


def test_trap_8_offsets_are_never_counted_by_subtraction(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    for number in range(3):
        with transaction(kafka.bootstrap, f"{topic}-{number}") as producer:
            send(producer, topic, at(5, 20, 6))
            producer.commit_transaction(30)
    capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW)
    partition = partition_of(capture, topic)
    assert partition.records == 6
    assert partition.end_offset - partition.start_offset == 12
    assert reasons(partition.gaps) == {"filtered": 3, "control": 3}


def test_trap_9_no_group_is_joined_and_nothing_committed(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New()] * 100)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    groups: set[str] = set()

    def look(now: Progress) -> None:
        listed = admin.list_consumer_groups(request_timeout=10).result(10)
        groups.update(group.group_id for group in listed.valid)

    record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), tmp_path / "c", progress=look)
    look(Progress(0, 0, 0))
    assert "kafka-blackbox" not in groups
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "kafka-blackbox"})
    (committed,) = consumer.committed([TopicPartition(topic, 0)], timeout=30)
    consumer.close()
    assert committed.offset < 0


def test_trap_9_nothing_is_created_by_asking(kafka: LocalKafka, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no topic"):
        recorded(kafka, tmp_path / "c", "not-there")
    assert "not-there" not in Cluster(connect(kafka.bootstrap)).names()
    assert not (tmp_path / "c").exists()


def test_the_topics_own_settings_are_kept(kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic = make_topic(config={"retention.ms": "7777777"})
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    entry = ConfigEntry("max.message.bytes", "2222222", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(30)
    (kept,) = recorded(kafka, tmp_path / "c", topic).manifest.topics
    assert kept.config == {"retention.ms": "7777777", "max.message.bytes": "2222222"}
    assert kept.id


def _record(kafka: LocalKafka, tmp_path: Path, request: Request) -> Manifest:
    number = len(list(tmp_path.iterdir()))
    return record(connect(kafka.bootstrap), request, tmp_path / f"capture-{number}")


def _now_ms() -> int:
    import time

    return time.time_ns() // 1_000_000
