"""How exactly and how fast a capture is replayed: `python -m tests.benchmarks.replay`.

Each line is a replay of its own in a process of its own, into a local Kafka on the same machine. Lateness is in
milliseconds after the plan; memory is the peak resident size of that process, preflight included. `--large` adds
2 million records of 1 KB; `--drift 600` and `--inversions 10000000` are runs of their own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa

from recorder.capture.ledger import Ledger
from recorder.capture.manifest import Topic
from recorder.capture.reader import open_capture
from recorder.capture.schema import RECORD_SCHEMA, row_group_bytes
from recorder.capture.writer import PartitionWriter, finish
from recorder.kafka.connection import connect
from recorder.kafka.local import local_kafka
from recorder.replaying import Certificate, Options, replay
from recorder.replaying.histogram import Distribution
from tests.builders import T0, describe

_COLUMNS = ("", "records", "size", "seconds", "records/s", "cpu s", "MB", "p50", "p90", "p99", "p99.9", "max", "drift")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="length of the paced replays")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--drift", type=float, metavar="SECONDS", help="only: drift at rates 0.5, 1 and 10")
    parser.add_argument("--inversions", type=int, metavar="RECORDS", help="only: order in the log of so many")
    parser.add_argument("-b", "--bootstrap", help="an own cluster instead of a local one")
    arguments = parser.parse_args()
    if arguments.drift or arguments.inversions:
        _long(arguments)
        return
    cases = [
        ("paced 1,000/s", 1_000, arguments.seconds * 1_000, 1_000, Options(allow_raw=True)),
        ("paced 10,000/s", 10_000, arguments.seconds * 10_000, 200, Options(allow_raw=True)),
        ("paced 10x to 10,000/s", 1_000, arguments.seconds * 10_000, 200, Options(allow_raw=True, rate=10.0)),
        ("top speed", 10_000, 500_000, 1_000, Options(allow_raw=True, top_speed=True)),
        ("top speed", 10_000, 1_000_000, 200, Options(allow_raw=True, top_speed=True)),
    ]
    if arguments.large:
        cases.append(("top speed, large", 10_000, 2_000_000, 1_000, Options(allow_raw=True, top_speed=True)))
    print("".join(f"{column:>{22 if not column else 10}}" for column in _COLUMNS))
    work = Path(tempfile.mkdtemp(prefix="bench-replay-"))
    try:
        if arguments.bootstrap:
            _measure(cases, arguments.bootstrap, arguments.partitions, work)
        else:
            with local_kafka() as cluster:
                _measure(cases, cluster.bootstrap, arguments.partitions, work)
    finally:
        shutil.rmtree(work)


def _long(arguments: argparse.Namespace) -> None:
    from tests.benchmarks import replay_long  # it makes its captures as this module does

    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-replay-")))
        bootstrap = arguments.bootstrap or stack.enter_context(local_kafka()).bootstrap
        if arguments.drift:
            replay_long.drift(bootstrap, arguments.drift, arguments.partitions, work)
        if arguments.inversions:
            replay_long.inversions(bootstrap, arguments.inversions, arguments.partitions, work)


def _measure(cases: list[tuple[str, int, int, int, Options]], bootstrap: str, partitions: int, work: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for number, (name, per_second, records, size, options) in enumerate(cases):
        root = work / f"c{number}"
        make(root, f"bench-{number}-{time.time_ns()}", records, size, per_second, partitions)
        with context.Pool(1) as pool:
            certificate, cpu_seconds, megabytes = pool.apply(_replay, (root, bootstrap, options))
        seconds = (certificate.finished_at_ms - certificate.started_at_ms) / 1e3
        print(
            f"{name:>22}{certificate.acked:>10,}{size:>10,}{seconds:>10.2f}{certificate.acked / seconds:>10,.0f}"
            f"{cpu_seconds:>10.2f}{megabytes:>10.0f}{_lateness(certificate.dispatch_lateness)}{_drift(certificate)}"
        )
        print(f"{'ack lateness' if certificate.ack_lateness else 'round trip':>22}{'':60}"
              f"{_lateness(certificate.ack_lateness or certificate.round_trip)}", flush=True)  # fmt: skip
        shutil.rmtree(root)


def _replay(root: Path, bootstrap: str, options: Options) -> tuple[Certificate, float, float]:
    chosen = Options(
        rate=options.rate, top_speed=options.top_speed, allow_raw=True, create_topics=True, timestamps="now"
    )
    certificate = replay(open_capture(root), connect(bootstrap), chosen)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return certificate, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def make(root: Path, topic: str, records: int, size: int, per_second: int, partitions: int) -> None:
    """A capture of evenly spaced records, spread over the partitions in turn."""
    root.mkdir(parents=True)
    described = []
    noise = np.random.default_rng(7).integers(32, 127, size * 64, np.uint8).tobytes()
    for partition in range(partitions):
        writer, ledger = PartitionWriter(root, topic, partition, row_group_bytes=row_group_bytes(partitions)), Ledger(0)
        numbers = np.arange(partition, records, partitions)
        for start in range(0, len(numbers), 4_096):
            batch = _batch(topic, partition, start, numbers[start : start + 4_096], size, per_second, noise)
            ledger.saw(batch.column("offset").to_numpy(), np.ones(batch.num_rows, np.bool_))
            writer.append(batch)
        writer.seal()
        described.append(writer.describe(ledger))
    topics = (Topic(name=topic, id=None, config={}, partitions=tuple(described)),)
    finish(root, describe(topics, None, clean=False, notes=(), cluster_id="bench", at_ms=T0 + 3_600_000))


def _batch(
    topic: str,
    partition: int,
    start: int,
    numbers: np.ndarray,
    size: int,
    per_second: int,
    noise: bytes,  # type: ignore[type-arg]
) -> pa.RecordBatch:
    count = len(numbers)
    columns = {
        "topic": [topic] * count,
        "partition": [partition] * count,
        "offset": np.arange(start, start + count),
        "timestamp_ms": T0 + numbers * 1_000 // per_second,
        "timestamp_type": ["create"] * count,
        "key": [b"key-%d" % (number % 10_000) for number in numbers.tolist()],
        "value": [noise[(at := number * 31 % (size * 63)) : at + size] for number in numbers.tolist()],
        "headers": [[]] * count,
        "leader_epoch": [0] * count,
    }
    return pa.RecordBatch.from_pydict(columns, schema=RECORD_SCHEMA)


def _lateness(measured: Distribution | None) -> str:
    if measured is None:
        return " " * 50
    figures = (measured.p50_ns, measured.p90_ns, measured.p99_ns, measured.p999_ns, measured.max_ns)
    return "".join(f"{ns / 1e6:>10.3f}" for ns in figures)


def _drift(certificate: Certificate) -> str:
    return "" if certificate.end_drift_ns is None else f"{certificate.end_drift_ns / 1e6:>10.3f}"


if __name__ == "__main__":
    main()
