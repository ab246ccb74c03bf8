"""What is read in bulk, and what a whole client reads, is the same to the byte, wherever the one takes over."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation

from recorder.capture.manifest import Partition
from recorder.kafka import bulk
from recorder.kafka.bulk import Bulk, Piece
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.login import UnsuitableError
from recorder.kafka.offsets import log_ends
from recorder.kafka.wire import Answer, Wire
from tests.builders import T0
from tests.conftest import create_topic
from tests.integration.producing import New, delete_records, produce, send, transaction
from tests.integration.recording import EVERYTHING, recorded
from tests.integration.securing import SecureKafka, allow

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def without_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_connection: object) -> None:
        raise UnsuitableError

    monkeypatch.setattr(bulk, "require_known", refuse)


def varied(count: int) -> Iterator[New]:
    """Records of all shapes, in two partitions."""
    for number in range(count):
        yield New(
            None if number % 11 == 0 else b"value %d " % number * (number % 40),
            (None, b"", b"key-%d" % (number % 7))[number % 3],
            [("trace", b"%d" % number), ("näme", None), ("", b"")][: number % 4],
            T0 + number * 10,
            number % 2,
        )


def same(one: Partition, other: Partition) -> bool:
    return (one.gaps, [segment.sha256 for segment in one.segments]) == (
        other.gaps,
        [segment.sha256 for segment in other.segments],
    )


def bulk_pieces(monkeypatch: pytest.MonkeyPatch) -> list[Piece]:
    """All that comes in bulk from now on."""
    seen: list[Piece] = []
    pieces = Bulk.pieces

    def watched(reader: Bulk) -> Iterator[Piece | None]:
        for piece in pieces(reader):
            if piece is not None:
                seen.append(piece)
            yield piece

    monkeypatch.setattr(Bulk, "pieces", watched)
    return seen


@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
def test_both_ways_make_the_same_capture(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    # Snappy as Java frames it comes from the broker itself, which packs anew for these topics.
    names = [make_topic(2, name=codec) for codec in CODECS]
    names += [make_topic(2, config={"compression.type": codec}, name=f"broker-{codec}") for codec in CODECS[1:]]
    names += [make_topic(2, config={"message.timestamp.type": "LogAppendTime"}, name="append")]
    for name in names:
        codec = name.partition("-")[0]
        produce(kafka.bootstrap, name, varied(600), compression_type=codec if codec in CODECS else "none")
    undone = make_topic(2, name="undone")
    for turn in range(6):
        produce(kafka.bootstrap, undone, varied(20))
        with transaction(kafka.bootstrap, f"{undone}-{turn % 2}") as producer:
            send(producer, undone, varied(30))
            if turn % 3:
                producer.commit_transaction()
    delete_records(kafka.bootstrap, names[0], 37)
    names.append(undone)

    seen = bulk_pieces(monkeypatch)
    fast = recorded(kafka, tmp_path / "bulk", *names, isolation=isolation)
    assert {piece.place for piece in seen} == {(name, partition) for name in names for partition in (0, 1)}
    ends = log_ends(Cluster(connect(kafka.bootstrap)), {piece.place for piece in seen})
    assert ends == {piece.place: piece.next_offset for piece in seen}  # the client was not needed

    seen.clear()
    without_bulk(monkeypatch)
    plain = recorded(kafka, tmp_path / "client", *names, isolation=isolation)
    assert not seen
    for one, other in zip(fast.manifest.topic_partitions(), plain.manifest.topic_partitions(), strict=True):
        assert same(one[1], other[1]), one[0]


@pytest.mark.parametrize("trouble", ["error", "silence", "hang-up", "damage", "another replica"])
def test_the_client_goes_on_where_bulk_ends(
    kafka: LocalKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    truth = produce(kafka.bootstrap, topic, [New(b"x" * 500, timestamp_ms=T0)] * 4_000, batch_size=50_000)
    monkeypatch.setattr(bulk, "_MOST_EACH_BYTES", 100_000)
    monkeypatch.setattr(bulk, "SILENT_SECONDS", 0.5)
    fetched = Wire.fetched
    answered = threading.local()

    def troubled(wire: Wire) -> tuple[list[Answer], int]:
        answered.count = getattr(answered, "count", 0) + 1
        answers, size = fetched(wire)
        if answered.count < 4:
            return answers, size
        one = answers[0]
        match trouble:
            case "error":  # not the leader any more
                return [Answer(one.place, 6, -1, [], -1, one.records[:0])], size
            case "silence":
                wire.ask_fetch([(one.place, len(truth))], committed=True, wait_ms=60_000, most=1, most_each=1)
                return fetched(wire)
            case "hang-up":
                raise ConnectionResetError
            case "another replica":
                return [Answer(one.place, 0, one.log_end, [], 3, one.records[:0])], size
            case _:
                damaged = bytearray(one.records)
                damaged[300] ^= 1
                return [Answer(one.place, 0, one.log_end, [], -1, memoryview(damaged))], size

    monkeypatch.setattr(Wire, "fetched", troubled)
    seen = bulk_pieces(monkeypatch)
    capture = recorded(kafka, tmp_path / "c", topic, window=EVERYTHING)
    assert 0 < seen[-1].next_offset < len(truth)
    assert [record.offset for record in capture.records()] == [record.offset for record in truth]
    assert not capture.manifest.notes


@pytest.mark.parametrize("login", ["PLAIN", "SCRAM-SHA-512", "PEM"])
def test_who_may_read_may_read_in_bulk(secure_kafka: SecureKafka, login: str) -> None:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    create_topic(secure_kafka.cluster.bootstrap, name)
    truth = produce(secure_kafka.cluster.bootstrap, name, [New(b"%d" % number) for number in range(10)])
    allow(secure_kafka.cluster, "alice", name, AclOperation.READ)
    cluster = Cluster(connect(None, (), secure_kafka.client(login)))
    with Bulk(cluster, {(name, 0): (0, len(truth))}, "read_committed") as reader:
        pieces = [piece for piece in reader.pieces() if piece]
    assert [value for piece in pieces for value in piece.records.values.to_pylist()] == [one.value for one in truth]


def test_who_may_not_read_gets_nothing_in_bulk(secure_kafka: SecureKafka) -> None:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    create_topic(secure_kafka.cluster.bootstrap, name)
    produce(secure_kafka.cluster.bootstrap, name, [New()])
    allow(secure_kafka.cluster, "alice", name, AclOperation.DESCRIBE)
    cluster = Cluster(connect(None, (), secure_kafka.client("PLAIN")))
    with Bulk(cluster, {(name, 0): (0, 1)}, "read_committed") as reader:
        assert not [piece for piece in reader.pieces() if piece]
