"""What anybody would write first: a `produce` and a callback for each record, partition after partition, no clock."""

from __future__ import annotations

import resource
import time
import uuid
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

from recorder.capture.reader import open_capture
from tests.conftest import create_topic

_IN_FLIGHT = 65_536


def plain_loop(root: Path, topic: str, bootstrap: str, partitions: int) -> tuple[float, float, float]:
    """Send a capture's topic to a new one: seconds from the first record to the last confirmation, CPU seconds, MB.

    The client's settings are the replay's own: idempotent, the same linger and queue.
    """
    target = f"plain-{uuid.uuid4().hex}"
    create_topic(bootstrap, target, partitions=partitions)
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "linger.ms": 10,
        "queue.buffering.max.messages": _IN_FLIGHT,
        "queue.buffering.max.kbytes": 64 << 10,
    })  # fmt: skip
    producer.list_topics(target)
    capture, confirmed, failed = open_capture(root), 0, 0

    def report(error: KafkaError | None, message: Message) -> None:
        nonlocal confirmed, failed
        confirmed, failed = confirmed + (error is None), failed + (error is not None)

    records, began = 0, time.monotonic()
    for partition in range(partitions):
        for batch in capture.batches(topic, partition, columns=["key", "value"]):
            for key, value in zip(batch.column("key").to_pylist(), batch.column("value").to_pylist(), strict=True):
                records += 1
                while True:
                    try:
                        producer.produce(target, value, key, partition, on_delivery=report)
                        break
                    except BufferError:
                        producer.poll(0.001)
            producer.poll(0)
    producer.flush()
    seconds = time.monotonic() - began
    if (confirmed, failed) != (records, 0):
        raise SystemExit(f"{confirmed:,} of {records:,} records were confirmed: no figure to compare with.")
    return seconds, *used()


def used() -> tuple[float, float]:
    """CPU seconds and peak MB of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
