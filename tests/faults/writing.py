"""Writers that never stop while brokers do, and know afterwards what they wrote: plainly, and in transactions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

_ABORT_EVERY = 5
_IN_TRANSACTION = 8
# A writer as one is told to set it up: it notices dead brokers in seconds, and gives up on no record.
_SETTINGS: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 5,
    "socket.timeout.ms": 10_000,
    "message.timeout.ms": 300_000,
    "topic.metadata.refresh.interval.ms": 2_000,
    "reconnect.backoff.max.ms": 1_000,
    "queue.buffering.max.messages": 1_000_000,
}


@dataclass(frozen=True, slots=True)
class Written:
    """A record that the brokers confirmed: where it is, and when we knew (ms).

    The offset is −1 where a broker, asked again, confirms what it had without saying where.
    """

    topic: str
    partition: int
    offset: int
    value: bytes
    timestamp_ms: int
    confirmed_ms: int


@dataclass
class Writers:
    """What the writers did so far; read it when they have stopped."""

    written: list[Written] = field(default_factory=list)
    """Confirmed and, where in a transaction, committed."""
    aborted: int = 0
    """Records of transactions that were aborted."""
    failed: list[str] = field(default_factory=list)
    """Plain records that no broker would have: there must be none."""
    last_confirmed: float = 0.0
    """When a broker last confirmed something (monotonic seconds)."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def plain(self, bootstrap: str, topic: str, partitions: int, rate: float, size: int) -> None:
        """Write to the partitions in turn until told to stop, `rate` records a second of `size` bytes."""
        producer = Producer({"bootstrap.servers": bootstrap, **_SETTINGS}, logger=silent())
        number = 0
        began = time.monotonic()
        while not self._stop.is_set():
            producer.produce(
                topic, _value(number, size), b"%d" % number, number % partitions, on_delivery=self._delivered
            )
            number += 1
            while (wait := began + number / rate - time.monotonic()) > 0 and not self._stop.is_set():
                producer.poll(min(wait, 0.05))
            producer.poll(0)
        if left := producer.flush(120):
            self.failed.append(f"{left} records are still on their way")

    def transactions(self, bootstrap: str, topic: str, partitions: int, rate: float, size: int) -> None:
        """Write transactions of eight records, every fifth of which is aborted."""
        producer: Producer | None = None
        number = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                if producer is None:
                    producer = self._new_transactional(bootstrap, topic)
                number = self._transaction(producer, topic, partitions, number, size)
            except KafkaException as error:
                producer = self._after(producer, error.args[0])
            self._stop.wait(max(0.0, began + _IN_TRANSACTION / rate - time.monotonic()))

    def _transaction(self, producer: Producer, topic: str, partitions: int, number: int, size: int) -> int:
        found: list[Written] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                found.append(_written(message))
                self.last_confirmed = time.monotonic()

        producer.begin_transaction()
        for index in range(number, number + _IN_TRANSACTION):
            producer.produce(topic, _value(index, size), b"%d" % index, index % partitions, on_delivery=delivered)
        if (number // _IN_TRANSACTION) % _ABORT_EVERY == _ABORT_EVERY - 1:
            producer.flush(60)  # so that there is something to abort
            producer.abort_transaction(60)
            self.aborted += len(found)
        else:
            producer.commit_transaction(60)
            self.written += found
        return number + _IN_TRANSACTION

    def _new_transactional(self, bootstrap: str, topic: str) -> Producer:
        settings = {**_SETTINGS, "transactional.id": topic, "transaction.timeout.ms": 20_000}
        del settings["message.timeout.ms"]
        producer = Producer({"bootstrap.servers": bootstrap, **settings}, logger=silent())
        producer.init_transactions(60)
        return producer

    def _after(self, producer: Producer | None, error: KafkaError) -> Producer | None:
        """Whether the transaction came to be is unknown: the log will tell. Abort it, or begin anew with a fence."""
        if producer is None or error.fatal() or not error.txn_requires_abort():
            return None
        try:
            producer.abort_transaction(60)
        except KafkaException:
            return None
        return producer

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
            return
        self.written.append(_written(message))
        self.last_confirmed = time.monotonic()


@contextmanager
def writing(
    bootstrap: str, plain: str, transactional: str, partitions: int, rate: float = 200.0, size: int = 200
) -> Iterator[Writers]:
    """Write to both topics while the block runs; `rate` is that of the plain one, the other gets a quarter."""
    writers = Writers()
    with ThreadPoolExecutor(2, "writer") as threads:
        running = [
            threads.submit(writers.plain, bootstrap, plain, partitions, rate, size),
            threads.submit(writers.transactions, bootstrap, transactional, partitions, rate / 4, size),
        ]
        try:
            yield writers
        finally:
            writers._stop.set()
    for one in running:
        one.result()  # a writer that ended early makes every figure a wrong one


def _value(number: int, size: int) -> bytes:
    return (b"%012d " % number).ljust(size, b".")


def _written(message: Message) -> Written:
    topic, partition, offset, value = message.topic(), message.partition(), message.offset(), message.value()
    assert topic is not None and partition is not None and value is not None
    return Written(
        topic, partition, -1 if offset is None else offset, value, message.timestamp()[1], time.time_ns() // 1_000_000
    )


def silent() -> logging.Logger:
    """Clients tell of every lost connection: here, they are meant to."""
    logger = logging.getLogger("tests.faults")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    return logger
