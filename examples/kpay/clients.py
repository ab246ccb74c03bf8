"""Kafka clients as every component of this system wants them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

# As Java clients do by default: a payment's partition doesn't depend on the language of who sends it.
_PARTITIONER = "murmur2_random"
_ERRORS_ONLY = 3


def settings(bootstrap: str, name: str) -> dict[str, str | int | float | bool]:
    """What all clients have in common."""
    return {"bootstrap.servers": bootstrap, "client.id": f"kpay-{name}", "log_level": _ERRORS_ONLY}


def producer(bootstrap: str, name: str, **more: str | int | float | bool) -> Producer:
    """An idempotent producer; `more` settings are spelt with `_` for `.`."""
    extra = {key.replace("_", "."): value for key, value in more.items()}
    return Producer(settings(bootstrap, name) | {"partitioner": _PARTITIONER, "enable.idempotence": True} | extra)


def reader(bootstrap: str, name: str) -> Consumer:
    """A consumer of committed records that belongs to no group and is told of the end of each partition."""
    return Consumer(
        settings(bootstrap, name)
        | {
            "group.id": f"kpay-{name}",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 20,
        }
    )


def read_to(bootstrap: str, name: str, topic: str, ends: dict[int, int]) -> Iterator[Message]:
    """The committed messages of a topic's partitions, from offset 0 until each has been read to `ends` at least."""
    missing = {partition for partition, end in ends.items() if end > 0}
    consumer = reader(bootstrap, name)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in missing])
    try:
        while missing:
            yield from _wanted(consumer.consume(1000, 0.1), ends, missing)
    finally:
        consumer.close()


def _wanted(batch: Iterable[Message], ends: dict[int, int], missing: set[int]) -> Iterator[Message]:
    for message in batch:
        if (error := message.error()) is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:
            partition, reached = int(message.partition() or 0), int(message.offset() or 0)
            if reached >= ends[partition]:
                missing.discard(partition)
        elif error.fatal():
            raise KafkaException(error)
