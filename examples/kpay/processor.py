"""Read, compute, write, and remember how far: one Kafka transaction per batch, so that nothing is lost or doubled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from kpay.clients import producer, settings
from kpay.events import SUBJECT, TYPE, Event, Origin, Record, headers_of, now_text, record
from kpay.telemetry import Telemetry
from kpay.topics import DLQ

_BATCH = 500


class Processor(threading.Thread):
    """A consumer in a group with a transactional producer, in a thread of its own; a component says what to do.

    A component defines `handle`; and, when it keeps state per partition, `assigned` and `revoked`.
    """

    topics: tuple[str, ...]
    group: str
    # How long a batch may fill, seconds: each hop of a payment costs about half of it.
    linger = 0.2

    def __init__(self, bootstrap: str, origin: Origin, telemetry: Telemetry) -> None:
        super().__init__(name=origin.component, daemon=True)
        self.bootstrap, self.origin, self.telemetry = bootstrap, origin, telemetry
        self.ready = threading.Event()
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.consumer = Consumer(
            settings(bootstrap, origin.component)
            | {
                "group.id": self.group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "session.timeout.ms": 10_000,
                "heartbeat.interval.ms": 500,
            }
        )
        self.producer = producer(
            bootstrap,
            origin.component,
            transactional_id=f"kpay-{origin.component}",
            transaction_timeout_ms=10_000,
            linger_ms=0,
        )

    def handle(self, records: Sequence[Record]) -> Iterable[Event]:
        """The events that follow from a batch; sent and committed with it, or not at all."""
        raise NotImplementedError

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Partitions came, or their last batch was undone: load what belongs to them."""

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Partitions went to another instance."""

    def tick(self) -> None:
        """Called a few times a second, also when nothing comes."""

    def run(self) -> None:
        try:
            self.producer.init_transactions(30)
            self.consumer.subscribe(
                list(self.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
            )
            while not self.stopping.is_set():
                batch = self.consumer.consume(_BATCH, self.linger)
                for message in batch:
                    if (error := message.error()) is not None and error.fatal():
                        raise KafkaException(error)
                if records := [record(message) for message in batch if message.error() is None]:
                    self._commit(records)
                self.tick()
            self.telemetry.audit(self.origin, "stopped", f"{self.origin.component} stopped")
            self.consumer.close()
        except Exception as error:  # noqa: BLE001 - a thread's failure is the whole system's: `system.run` raises it
            self.failure = error

    def dead_letter(self, failed: Record, error: Exception) -> Event:
        """The record that can't be processed as it came, and in its headers why."""
        payment_id = failed.header(SUBJECT)
        unparseable = isinstance(error, ValueError)
        text = f"{error} near {_end_of(failed)!r}" if unparseable else str(error)
        self.telemetry.audit(
            self.origin,
            "unparseable" if unparseable else "refused",
            f"{'cannot parse' if unparseable else 'refused'} {payment_id}: {text}",
            level="ERROR" if unparseable else "WARNING",
            payment_id=payment_id,
        )
        return Event(
            topic=DLQ,
            key=failed.key,
            type=failed.header(TYPE),
            subject=payment_id,
            value=failed.value,
            headers=[
                *failed.headers,
                ("error.exception", type(error).__name__),
                ("error.message", text),
                ("error.component", self.origin.component),
                ("error.topic", failed.topic),
                ("error.partition", str(failed.partition)),
                ("error.offset", str(failed.offset)),
                ("error.at", now_text()),
            ],
        )

    def _commit(self, records: Sequence[Record]) -> None:
        began = time.monotonic()
        next_offsets = {(each.topic, each.partition): each.offset + 1 for each in records}
        self.producer.begin_transaction()
        try:
            for event in self.handle(records):
                self.producer.produce(
                    event.topic, key=event.key, value=event.payload(), headers=headers_of(event, self.origin)
                )
            self.producer.send_offsets_to_transaction(
                [TopicPartition(topic, partition, offset) for (topic, partition), offset in next_offsets.items()],
                self.consumer.consumer_group_metadata(),
            )
            self.producer.commit_transaction()
        except KafkaException as problem:
            error: KafkaError = problem.args[0]
            if error.fatal():
                raise
            self.producer.abort_transaction()
            self._rewind()
        else:
            self.telemetry.metric(self.origin, "commit_ms", (time.monotonic() - began) * 1000, "ms")

    def _rewind(self) -> None:
        """Back to the last commit, after a batch that was undone."""
        partitions = self.consumer.committed(self.consumer.assignment(), timeout=10)
        for partition in partitions:
            if partition.offset < 0:
                partition.offset, _ = self.consumer.get_watermark_offsets(partition, timeout=10)
            self.consumer.seek(partition)
        self.assigned(partitions)

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self.assigned(partitions)
        names = ", ".join(f"{each.topic}-{each.partition}" for each in partitions)
        self.telemetry.audit(self.origin, "assigned", f"{self.origin.component} has {names}")
        self.ready.set()

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self.revoked(partitions)


def _end_of(failed: Record) -> str:
    return failed.value[-40:].decode(errors="replace")
