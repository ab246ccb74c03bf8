"""What a recording costs the brokers: `python -m tests.benchmarks.guest --records 500000 --partitions 1000`.

One local broker. First a window in the past is recorded as fast as it goes: the broker's processor time for each
gigabyte of keys and values. Then a topic of many idle partitions is recorded live: fetches a second, and what broker
and recorder burn for nothing, beside the broker alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recorder.kafka.local import LocalKafka, local_kafka
from recorder.window import format_time
from tests.benchmarks.record import BLACKBOX
from tests.conftest import create_topic

_TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000, help="of 1 KB")
    parser.add_argument("--partitions", type=int, default=1_000, help="idle ones")
    parser.add_argument("--seconds", type=int, default=20, help="to watch the idle ones")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, local_kafka() as cluster:
        past(cluster, Path(work), arguments.records)
        idle(cluster, Path(work), arguments.partitions, arguments.seconds)


def past(cluster: LocalKafka, work: Path, records: int) -> None:
    create_topic(cluster.bootstrap, "bench", partitions=4)
    fill = [sys.executable, "-c", "from tests.benchmarks.record import fill; fill()", cluster.bootstrap,
            "bench", str(records), "1000", "4"]  # fmt: skip
    subprocess.run(fill, check=True)
    before, began = cpu(cluster.brokers[0].pid), time.monotonic()
    said = record(cluster, "bench", work / "past", "--from", "beginning").communicate()[1]
    used, wall = cpu(cluster.brokers[0].pid) - before, time.monotonic() - began
    print(f"{records:,} records of 1 KB in {wall:.1f} s: the broker's processor {used / (records / 1e6):.2f} s/GB")
    print("\n".join(line for line in said.decode().splitlines() if line.startswith("The brokers sent")))


def idle(cluster: LocalKafka, work: Path, partitions: int, seconds: int) -> None:
    for number in range(0, partitions, 100):
        create_topic(cluster.bootstrap, f"idle-{number}", partitions=min(100, partitions - number))
    broker = cluster.brokers[0].pid
    alone = share(broker, seconds)
    until = format_time(round((time.time() + seconds + 10) * 1_000))
    recorder = record(cluster, "idle-.*", work / "idle", "--from", "now", "--to", until)
    time.sleep(5)  # it has begun by then
    mine, theirs = cpu(recorder.pid), share(broker, seconds)
    own = (cpu(recorder.pid) - mine) / seconds
    said = recorder.communicate()[1].decode()
    print(f"{partitions:,} idle partitions: broker {theirs:.1%} of a processor ({alone:.1%} alone), recorder {own:.1%}")
    print("\n".join(line for line in said.splitlines() if line.startswith("The brokers sent")))


def record(cluster: LocalKafka, topic: str, directory: Path, *window: str) -> subprocess.Popen[bytes]:
    command = [*BLACKBOX, "-v", "record", "-b", cluster.bootstrap, "-e", topic, "-o", str(directory), *window]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def share(pid: int, seconds: int) -> float:
    """How much of a processor a process uses."""
    before = cpu(pid)
    time.sleep(seconds)
    return (cpu(pid) - before) / seconds


def cpu(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


if __name__ == "__main__":
    main()
