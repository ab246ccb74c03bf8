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
from recorder.capture.verify import failed, verify
from recorder.errors import UsageError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording import growth
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.recording.resume import resume
from recorder.window import Window
from tests.conftest import create_topic, wait_until
from tests.integration.producing import (
    New,
    delete_topic,
    produce,
    send,
    transaction,
)
from tests.integration.recording import (
    EVERYTHING,
    WINDOW,
    at,
    notes,
    partition_of,
    reasons,
    recorded,
    rows,
)

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]


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


def add_partitions(kafka: LocalKafka, topic: str, count: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_partitions([NewPartitions(topic, count)])[topic].result(30)
    wait_until(lambda: len(admin.list_topics(topic).topics[topic].partitions) == count, what="partitions are added")


def test_trap_7_a_partition_added_while_reading_the_past_is_named(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    produce(kafka.bootstrap, topic, [New()] * 5)

    def add(now: Progress) -> None:
        if not done.is_set():
            done.set()
            add_partitions(kafka, topic, 3)

    done = threading.Event()
    manifest = record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), tmp_path / "c", progress=add)
    assert notes(manifest, "info") == [
        f"{topic}/{n}: the partition was added during the recording, so that all it holds is newer than what was "
        "asked for"
        for n in (1, 2)
    ]
    assert manifest.losses == ()


@pytest.mark.parametrize("look", [0.1, 3600.0], ids=["soon", "only when the window is over"])
def test_trap_7_a_partition_added_while_the_window_is_open_is_read_from_its_start(
    kafka: LocalKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: float
) -> None:
    monkeypatch.setattr(growth, "LOOK_SECONDS", look)
    truth = produce(kafka.bootstrap, topic, [New()] * 5)

    def add(now: Progress) -> None:
        if not done.is_set():
            done.set()
            add_partitions(kafka, topic, 2)
            truth.extend(produce(kafka.bootstrap, topic, [New(b"new", partition=1)] * 3))

    done = threading.Event()
    request = Request(Window(None, _now_ms() + 5_000), names=[topic])
    manifest = record(connect(kafka.bootstrap), request, tmp_path / "c", progress=add)
    capture = open_capture(tmp_path / "c")
    assert [row for number in (0, 1) for row in rows(capture, topic, number)] == truth
    assert (partition_of(capture, topic, 1).start_offset, manifest.losses) == (0, ())
    assert notes(manifest, "info") == [
        f"{topic}/1: was added during the recording, and is recorded from its first offset on"
    ]
    assert not failed(verify(tmp_path / "c"))


def test_a_topic_created_while_the_window_is_open_belongs_to_it_when_its_name_matches(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "LOOK_SECONDS", 0.1)
    first = make_topic(name="growing")
    second, other = f"{first}-second", f"other-{first}"
    produce(kafka.bootstrap, first, [New()])
    stop = threading.Event()

    def create(now: Progress) -> None:
        if not done.is_set():
            done.set()
            for name in (second, other):
                create_topic(kafka.bootstrap, name)
                produce(kafka.bootstrap, name, [New()] * 2)
        if now.records == 3:
            stop.set()

    done = threading.Event()
    request = Request(EVERYTHING, patterns=[f"{first}.*"], live=True)
    manifest = record(connect(kafka.bootstrap), request, tmp_path / "c", progress=create, stop=stop)
    assert {topic.name: topic.records for topic in manifest.topics} == {first: 1, second: 2}
    assert manifest.topic(second).id
    assert manifest.losses == ()


def test_a_recording_that_has_grown_can_be_gone_on_with(
    kafka: LocalKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "LOOK_SECONDS", 0.1)
    produce(kafka.bootstrap, topic, [New()] * 5)
    stop = threading.Event()

    def add(now: Progress) -> None:
        if not done.is_set():
            done.set()
            add_partitions(kafka, topic, 2)
            produce(kafka.bootstrap, topic, [New(partition=1)] * 3)
        if now.records == 8:
            stop.set()

    done = threading.Event()
    request = Request(Window(None, _now_ms() + 600_000), names=[topic])
    ended = record(connect(kafka.bootstrap), request, tmp_path / "c", progress=add, stop=stop)
    assert (ended.finished_by, ended.records) == ("interrupt", 8)
    produce(kafka.bootstrap, topic, [New(partition=1)] * 2)
    stop.clear()

    def more(now: Progress) -> None:
        if now.records == 10:
            stop.set()

    resume(connect(kafka.bootstrap), tmp_path / "c", progress=more, stop=stop)
    assert [partition.records for partition in open_capture(tmp_path / "c").manifest.topic(topic).partitions] == [5, 5]
    assert not failed(verify(tmp_path / "c"))


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
