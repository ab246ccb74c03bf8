"""Writing to a real Kafka what a client would rarely write, and knowing exactly what was written.

`produce` goes through librdkafka; `produce_raw` speaks the protocol itself, for what no client lets through: header
names that are not UTF-8, timestamps before 1970, 24 days between two records of one batch.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from recorder.capture.schema import Record
from tests.conftest import wait_until
from tests.kafka.encoding import Raw, encode_batch

Headers = Sequence[tuple[str, bytes | None]]


class New(NamedTuple):
    """A record to be produced; a timestamp of None is the broker's or the client's affair."""

    value: bytes | None = b"v"
    key: bytes | None = b"k"
    headers: Headers = ()
    timestamp_ms: int | None = None
    partition: int = 0


def produce(bootstrap: str, topic: str, records: Iterable[New], **settings: Any) -> list[Record]:
    """Produce in order and return what the broker now holds, in the order of `records`."""
    config = {"bootstrap.servers": bootstrap, "linger.ms": 5, "acks": "all", "message.max.bytes": 20_000_000}
    producer = Producer(config | {name.replace("_", "."): value for name, value in settings.items()})
    return send(producer, topic, records)


def send(producer: Producer, topic: str, records: Iterable[New]) -> list[Record]:
    wanted = list(records)
    offsets: dict[int, tuple[int, int]] = {}

    def delivered(index: int) -> Callable[[KafkaError | None, Message], None]:
        def note(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            offset = message.offset()
            assert offset is not None
            offsets[index] = (offset, message.timestamp()[1])

        return note

    for index, record in enumerate(wanted):
        stamp = {} if record.timestamp_ms is None else {"timestamp": record.timestamp_ms}
        producer.produce(
            topic,
            record.value,
            record.key,
            record.partition,
            headers=list(record.headers) or None,
            on_delivery=delivered(index),
            **stamp,
        )
        producer.poll(0)
    assert producer.flush(60) == 0
    return [
        Record(topic, r.partition, offsets[i][0], offsets[i][1], "create", r.key, r.value, tuple(r.headers), 0)
        for i, r in enumerate(wanted)
    ]


@contextmanager
def transaction(bootstrap: str, transactional_id: str) -> Iterator[Producer]:
    """A producer with an open transaction; what the caller leaves open is aborted in the end."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": transactional_id, "linger.ms": 5})
    producer.init_transactions(30)
    producer.begin_transaction()
    try:
        yield producer
    finally:
        try:
            producer.abort_transaction(30)
        except Exception as error:  # noqa: BLE001 - it was committed or aborted by the caller
            assert "state" in str(error).lower(), error


def log_end(bootstrap: str, topic: str, partition: int = 0) -> int:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    place = TopicPartition(topic, partition)
    return int(admin.list_offsets({place: OffsetSpec.latest()})[place].result(30).offset)


def delete_records(bootstrap: str, topic: str, before: int, partition: int = 0) -> None:
    """Move a partition's log start as retention would."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    place = TopicPartition(topic, partition, before)
    admin.delete_records([place])[place].result(30)


def delete_topic(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic])[topic].result(30)
    wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, what=f"{topic} is gone")


def read_all(bootstrap: str, topic: str, partition: int = 0) -> list[int]:
    """The offsets that a read_committed consumer gets, by plain means."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "test-reader", "enable.auto.commit": False,
         "enable.partition.eof": True, "isolation.level": "read_committed"}
    )  # fmt: skip
    consumer.assign([TopicPartition(topic, partition, 0)])
    offsets: list[int] = []
    try:
        while True:
            message = consumer.poll(30)
            assert message is not None
            error = message.error()
            if error is not None:
                assert error.code() in {KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET}, error
                return offsets
            offset = message.offset()
            assert offset is not None
            offsets.append(offset)
    finally:
        consumer.close()


def produce_raw(bootstrap: str, topic: str, records: Sequence[Raw], partition: int = 0) -> int:
    """Send one uncompressed batch (message format 2, Produce request version 3); returns its first offset."""
    batch = encode_batch(records)
    body = struct.pack(">hhi", -1, -1, 30_000)  # no transaction, all replicas, timeout
    body += struct.pack(">i", 1) + _string(topic) + struct.pack(">iii", 1, partition, len(batch)) + batch
    request = struct.pack(">hhi", 0, 3, 1) + _string("test") + body
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        answer = stream.read(struct.unpack(">i", stream.read(4))[0])
    # correlation id, one topic, its name, one partition: index, error, base offset, append time
    at = 8 + 2 + struct.unpack_from(">h", answer, 8)[0] + 4
    _, error, base_offset = struct.unpack_from(">ihq", answer, at)
    assert error == 0, f"the broker refused the batch with error {error}"
    return int(base_offset)


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()
