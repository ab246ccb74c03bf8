"""How fast and in how much memory a window is recorded and verified: `python -m tests.benchmarks.record 2000000`.

A process of its own fills a topic on a local Kafka on the same machine (JSON of about 1 KB, two headers, lz4); then
each line is a `blackbox` command as a person runs it. CPU seconds and peak resident megabytes are sums over the
command and its workers, looked at every 20 ms. With kcat on the path, `kcat | zstd -1` on the same topic stands beside.
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
from dataclasses import dataclass
from pathlib import Path

from recorder.kafka.local import local_kafka
from tests.conftest import create_topic

BLACKBOX = [sys.executable, "-c", "from recorder.cli.main import main; main()"]
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: seconds of wall and processor, megabytes at the peak."""

    wall: float
    cpu: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--bytes", type=int, default=1_000, help="size of a value")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=1)
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="bench-record-"))
    try:
        with local_kafka() as cluster:
            measure(cluster.bootstrap, work, arguments)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def measure(bootstrap: str, work: Path, arguments: argparse.Namespace) -> None:
    records, partitions = arguments.records, arguments.partitions
    create_topic(bootstrap, "bench", partitions=partitions)
    fill = [sys.executable, "-c", "from tests.benchmarks.record import fill; fill()", bootstrap,
            str(records), str(arguments.bytes), str(partitions)]  # fmt: skip
    subprocess.run(fill, check=True)
    print(f"{records:,} records of {arguments.bytes} B in {partitions} partitions, {os.cpu_count()} cores")
    columns = ("", "wall s", "records/s", "cpu s", "peak MB")
    print("".join(f"{column:>{24 if not column else 12}}" for column in columns))
    for number in range(arguments.repeat):
        capture = work / f"c{number}"
        record = [*BLACKBOX, "record", "-b", bootstrap, "-t", "bench", "--from", "beginning", "-o", str(capture)]
        tell("record", records, cost(record))
        tell("verify", records, cost([*BLACKBOX, "verify", str(capture)]))
        if shutil.which("kcat") and shutil.which("zstd"):
            pipe = f"kcat -b {bootstrap} -t bench -C -o beginning -e -q -f '%k %h %s\\n' | zstd -1 -q > {work}/kcat.zst"
            tell("kcat | zstd -1", records, cost(["sh", "-c", pipe]))
    held = sum(path.stat().st_size for path in (work / "c0").rglob("*.parquet"))
    print(f"the capture holds {held / 1e6:,.0f} MB")


def tell(name: str, records: int, took: Cost) -> None:
    cells = (f"{took.wall:.1f}", f"{records / took.wall:,.0f}", f"{took.cpu:.1f}", f"{took.peak_mb:,.0f}")
    print(f"{name:>24}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def cost(command: Sequence[str]) -> Cost:
    """Run a command to its end and watch it and all that it starts."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    cpu: dict[int, float] = {}
    peak = 0.0
    while process.poll() is None:
        resident = 0.0
        for pid, (ticks, pages) in _session(process.pid).items():
            cpu[pid] = ticks / _TICK
            resident += pages * _PAGE_MB
        peak = max(peak, resident)
        time.sleep(0.02)
    wall = time.perf_counter() - began
    assert process.stderr is not None
    assert process.returncode == 0, process.stderr.read().decode()
    process.stderr.close()
    return Cost(wall, sum(cpu.values()), peak)


def _session(leader: int) -> dict[int, tuple[int, int]]:
    """Processor ticks and resident pages of every process of a session."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[3]) == leader:
                found[int(entry.name)] = (int(fields[11]) + int(fields[12]), int(fields[21]))
    return found


def fill() -> None:
    """Produce the topic; arguments: bootstrap, records, bytes, partitions."""
    from confluent_kafka import Producer

    bootstrap, count, size, partitions = sys.argv[1], *map(int, sys.argv[2:5])
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
                produce("bench", values[number % 5_000], b"key-%d" % (number % 100_000), number % partitions,
                        headers=headers)  # fmt: skip
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0


def _value(chance: random.Random, size: int) -> bytes:
    """JSON of about `size` bytes, as compressible as events are."""
    event: dict[str, object] = {"id": chance.getrandbits(64), "type": "payment.authorized", "amount": chance.random()}
    while len(json.dumps(event)) < size - 60:
        event[f"field_{len(event)}"] = f"{chance.getrandbits(48):x} {chance.choice(['open', 'closed', 'pending'])}"
    return json.dumps(event).encode()


if __name__ == "__main__":
    main()
