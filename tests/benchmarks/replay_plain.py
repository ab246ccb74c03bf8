"""What anybody would write first, for comparison: a `produce` and a callback for each record.

At top speed partition after partition, without a clock. Paced it is a bare loop of absolute deadlines: sleep, produce
all that is due, look for reports. Its lateness is what this machine and this client do to anybody under that load.
"""

from __future__ import annotations

import resource
import time
import uuid
from pathlib import Path

import numpy as np
from confluent_kafka import KafkaError, Message, Producer

from recorder.capture.reader import open_capture
from recorder.replaying.histogram import Distribution, Histogram
from recorder.replaying.steadiness import steady_interpreter
from tests.conftest import create_topic

_IN_FLIGHT = 65_536


def plain_loop(root: Path, topic: str, bootstrap: str, partitions: int) -> tuple[float, float, float]:
    """Send a capture's topic to a new one: seconds from the first record to the last confirmation, CPU seconds, MB."""
    producer, target = _connected(bootstrap, partitions, linger_ms=10)
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


def plain_rhythm(
    root: Path, topic: str, bootstrap: str, partitions: int, rate: float
) -> tuple[Distribution, float, float]:
    """Send a capture's topic to a new one in its rhythm: dispatch lateness, CPU seconds of the loop, MB.

    All is read and made ready beforehand.
    """
    producer, target = _connected(bootstrap, partitions, linger_ms=0)
    capture, columns = open_capture(root), []
    for partition in range(partitions):
        batches = list(capture.batches(topic, partition, columns=["key", "value", "timestamp_ms"]))
        keys, values, times = (
            [value for batch in batches for value in batch.column(name).to_pylist()]
            for name in ("key", "value", "timestamp_ms")
        )
        columns += zip(times, keys, values, [partition] * len(keys), strict=True)
    columns.sort(key=lambda record: record[0])
    first = columns[0][0]
    deadlines = [round((record[0] - first) * 1e6 / rate) for record in columns]
    lateness, failed = np.zeros(len(columns), np.int64), 0

    def report(error: KafkaError | None, message: Message) -> None:
        nonlocal failed
        failed += error is not None

    produce, poll, now, sleep, before = producer.produce, producer.poll, time.monotonic_ns, time.sleep, used()[0]
    with steady_interpreter():
        start = now() + 50_000_000
        for number, (_, key, value, partition) in enumerate(columns):
            deadline = start + deadlines[number]
            while (left := deadline - now()) > 0:
                sleep(left / 1e9)
            produce(target, value, key, partition, report)
            lateness[number] = now() - deadline
            poll(0)
        cpu_seconds = used()[0] - before
    if producer.flush(60) or failed:
        raise SystemExit("Not all records were confirmed: no figure to compare with.")
    histogram = Histogram()
    histogram.record(lateness)
    distribution = histogram.distribution()
    assert distribution is not None
    return distribution, cpu_seconds, used()[1]


def _connected(bootstrap: str, partitions: int, *, linger_ms: int) -> tuple[Producer, str]:
    """The client's settings are the replay's own: idempotent, the same linger, queue and compression."""
    target = f"plain-{uuid.uuid4().hex}"
    create_topic(bootstrap, target, partitions=partitions)
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "linger.ms": linger_ms,
        "compression.type": "lz4" if linger_ms else "none",
        "queue.buffering.max.messages": _IN_FLIGHT,
        "queue.buffering.max.kbytes": 64 << 10,
    })  # fmt: skip
    producer.list_topics(target)
    producer.poll(0.5)
    return producer, target


def used() -> tuple[float, float]:
    """CPU seconds and peak MB of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
