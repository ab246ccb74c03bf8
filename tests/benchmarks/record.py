"""How fast, at what load and in how much memory windows are recorded: `python -m tests.benchmarks.record`.

A process of its own fills topics on a local Kafka on the same machine (JSON, two headers, lz4 batches); then each line
is a command as a person runs it, `kcat | zstd -1` (where kcat is on the path) in turn with `blackbox record` on the
same topic, in one process and in one for every two processors, and the median of several. The last lines watch
1,000 partitions where little happens for ten seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

from recorder.kafka.connection import connect
from recorder.kafka.fetching import Fetcher
from recorder.kafka.local import local_kafka
from recorder.recording.record import record
from recorder.recording.request import Request
from recorder.window import Window
from tests.benchmarks.cost import Cost, cost, middle
from tests.conftest import create_topic

BLACKBOX = [sys.executable, "-c", "from recorder.cli.main import main; main()"]
ALONE = [sys.executable, "-c", f"from recorder.recording import share; share.processes = lambda: 1; {BLACKBOX[-1]}"]
"""As on a machine with one processor: no other process reads a share of the partitions."""
SIZES = ((1_000_000, 1_000), (3_000_000, 300))
IDLE_PARTITIONS, IDLE_SECONDS = 1_000, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=int, nargs="?", help="instead of 1,000,000 of 1,000 B and 3,000,000 of 300 B")
    parser.add_argument("--bytes", type=int, default=1_000, help="size of a value")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-idle", action="store_true", help="leave out the 1,000 partitions where little happens")
    arguments = parser.parse_args()
    sizes = ((arguments.records, arguments.bytes),) if arguments.records else SIZES
    work = Path(tempfile.mkdtemp(prefix="bench-record-"))
    try:
        with local_kafka() as cluster:
            brokers = [broker.pid for broker in cluster.brokers]
            for records, size in sizes:
                measure(cluster.bootstrap, brokers, work, records, size, arguments.partitions, arguments.repeat)
            if not arguments.no_idle:
                measure_idle(cluster.bootstrap, brokers, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def measure(
    bootstrap: str, brokers: Sequence[int], work: Path, records: int, size: int, partitions: int, repeat: int
) -> None:
    topic = f"bench-{size}"
    create_topic(bootstrap, topic, partitions=partitions)
    start(fill, bootstrap, topic, records, size, partitions).wait()
    print(
        f"{records:,} records of {size} B in {partitions} partitions, lz4, two headers; one broker on the same "
        f"{os.cpu_count()} cores; median of {repeat}; load before {os.getloadavg()[0]:.1f}"
    )
    head("records/s")
    capture = work / topic
    pipe = f"kcat -b {bootstrap} -t {topic} -C -o beginning -e -q -f '%k %h %s\\n' | zstd -1 -q -f -o {work}/kcat.zst"
    window = ["record", "-b", bootstrap, "-t", topic, "--from", "beginning", "-o"]
    lines = {
        "kcat | zstd -1": ["sh", "-c", pipe],
        "in one process": [*ALONE, *window, str(work / "alone")],
        "record": [*BLACKBOX, *window, str(capture)],
        "verify": [*BLACKBOX, "verify", str(capture)],
    }
    if not (shutil.which("kcat") and shutil.which("zstd")):
        del lines["kcat | zstd -1"]
    took: dict[str, list[Cost]] = {name: [] for name in lines}
    for _ in range(repeat):
        for written in (capture, work / "alone"):
            shutil.rmtree(written, ignore_errors=True)
        for name, command in lines.items():
            took[name].append(cost(command, brokers))
    beside = middle(took["kcat | zstd -1"]) if "kcat | zstd -1" in took else None
    for name, costs in took.items():
        typical = middle(costs)
        tell(name, typical, f"{records / typical.wall:,.0f}", beside if name in ("record", "in one process") else None)
    held = sum(path.stat().st_size for path in capture.rglob("*.parquet"))
    print(f"the capture holds {held / 1e6:,.0f} MB\n")


def measure_idle(bootstrap: str, brokers: Sequence[int], work: Path) -> None:
    create_topic(bootstrap, "idle", partitions=IDLE_PARTITIONS)
    print(f"{IDLE_PARTITIONS:,} partitions, of which 10 get 10 records a second each, for {IDLE_SECONDS} s")
    head("fetches/s")
    feeding = start(feed, bootstrap, "idle", 4 * IDLE_SECONDS)
    try:
        fetches = fetches_per_second(bootstrap, "idle", work / "counted")
        until = str(_now_ms() + IDLE_SECONDS * 1_000)
        command = ["record", "-b", bootstrap, "-t", "idle", "--from", "now", "--to", until, "-o", str(work / "idle")]
        tell("record", cost([*BLACKBOX, *command], brokers), f"{fetches:.1f}")
    finally:
        feeding.terminate()
        feeding.wait()


def fetches_per_second(bootstrap: str, topic: str, directory: Path) -> float:
    """How often a recording of what happens now asks the broker for more."""
    told: list[tuple[float, int]] = []
    hear = Fetcher._hear

    def listen(fetcher: Fetcher, statistics: str) -> None:
        brokers = json.loads(statistics)["brokers"].values()
        told.append((time.monotonic(), sum(broker["req"].get("Fetch", 0) for broker in brokers)))
        hear(fetcher, statistics)

    now = _now_ms()
    with patch.object(Fetcher, "_hear", listen):
        record(connect(bootstrap), Request(Window(now, now + IDLE_SECONDS * 500), names=[topic]), directory)
    asked = [(at, count) for at, count in told if count]
    return (asked[-1][1] - asked[0][1]) / (asked[-1][0] - asked[0][0])


def head(rate: str) -> None:
    columns = ("wall s", rate, "cpu s", "peak MB", "broker cpu s", "x wall", "x cpu")
    print(f"{'':>16}" + "".join(f"{column:>14}" for column in columns))


def tell(name: str, took: Cost, rate: str, beside: Cost | None = None) -> None:
    """A line of the table; beside something, also how many times its wall and processor time."""
    times = (took.wall / beside.wall, took.cpu / beside.cpu) if beside else ()
    cells = (f"{took.wall:.1f}", rate, f"{took.cpu:.1f}", f"{took.peak_mb:,.0f}", f"{took.broker_cpu:.1f}",
             *(f"{factor:.2f}" for factor in times))  # fmt: skip
    print(f"{name:>16}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


def start(function: Callable[[], None], *arguments: object) -> subprocess.Popen[bytes]:
    """Run a function of this module in a process of its own."""
    code = f"from tests.benchmarks.record import {function.__name__}; {function.__name__}()"
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def fill() -> None:
    """Produce a topic; arguments: bootstrap, topic, records, bytes, partitions."""
    from confluent_kafka import Producer

    bootstrap, topic, count, size, partitions = *sys.argv[1:3], *map(int, sys.argv[3:6])
    chance = random.Random(7)
    values = [_value(chance, size) for _ in range(5_000)]
    headers = [("trace-id", b"0123456789abcdef"), ("source", b"bench")]
    producer = Producer(
        {"bootstrap.servers": bootstrap, "compression.type": "lz4", "linger.ms": 20, "batch.size": 500_000,
         "queue.buffering.max.messages": 200_000}
    )  # fmt: skip
    produce: Callable[..., None] = producer.produce
    for number in range(count):
        while True:
            try:
                produce(topic, values[number % 5_000], b"key-%d" % (number % 100_000), number % partitions,
                        headers=headers)  # fmt: skip
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0


def feed() -> None:
    """Produce ten records a second into ten partitions of a topic; arguments: bootstrap, topic, seconds."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": sys.argv[1]})
    for _ in range(10 * int(sys.argv[3])):
        for partition in range(10):
            producer.produce(sys.argv[2], b"value", b"key", partition)
        producer.flush(10)
        time.sleep(0.1)


def _value(chance: random.Random, size: int) -> bytes:
    """JSON of about `size` bytes, as compressible as events are."""
    event: dict[str, object] = {"id": chance.getrandbits(64), "type": "payment.authorized", "amount": chance.random()}
    while len(json.dumps(event)) < size - 60:
        event[f"field_{len(event)}"] = f"{chance.getrandbits(48):x} {chance.choice(['open', 'closed', 'pending'])}"
    return json.dumps(event).encode()


if __name__ == "__main__":
    main()
