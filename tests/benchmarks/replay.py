"""How exactly and how fast a capture is replayed: `python -m tests.benchmarks.replay`.

Each line is a replay of its own in a process of its own, into a local Kafka on the same machine. Lateness is in
milliseconds after the plan; memory is the peak resident size of that process, preflight included. A paced replay and a
bare loop of deadlines over the same records take turns (`--turns`), and the medians of both stand below, with how many
times the loop's p99 the replay's is; the floors are what the certificate holds, measured just before. A broker's first
writes into a new partition take their time, so the first replay goes into a topic twice. Top speed is held against a
plain loop (one `produce` and one callback a record) over the same records. `--large` adds 2 million records of 1 KB;
`--drift 600` and `--inversions 10000000` are runs of their own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

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
from tests.benchmarks.replay_plain import plain_loop, plain_rhythm, used
from tests.builders import T0, describe
from tests.conftest import create_topic

_COLUMNS = (
    "", "records", "size", "seconds", "records/s", "cpu s", "MB", "p50", "p90", "p99", "p99.9", "max", "drift",
    "x floor",
)  # fmt: skip
_NAME_WIDTH = 26
_PLAIN = "plain loop"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="length of the paced replays")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument(
        "--turns", type=int, default=3, metavar="N", help="how often a paced replay and a bare loop take turns"
    )
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", metavar="NAME", help="only the cases with this in their names: paced, top speed")
    parser.add_argument("--drift", type=float, metavar="SECONDS", help="only: drift at rates 0.5, 1 and 10")
    parser.add_argument("--inversions", type=int, metavar="RECORDS", help="only: order in the log of so many")
    parser.add_argument("-b", "--bootstrap", help="an own cluster instead of a local one")
    arguments = parser.parse_args()
    if arguments.drift or arguments.inversions:
        _long(arguments)
        return
    cases = [
        ("paced 1,000/s, new topic", 1_000, arguments.seconds * 1_000, 1_000, Options()),
        ("paced 1,000/s", 1_000, arguments.seconds * 1_000, 1_000, Options()),
        ("paced 10,000/s", 10_000, arguments.seconds * 10_000, 200, Options()),
        ("paced 10x to 10,000/s", 1_000, arguments.seconds * 10_000, 200, Options(rate=10.0)),
        (_PLAIN, 10_000, 500_000, 1_000, Options(top_speed=True)),
        ("top speed", 10_000, 500_000, 1_000, Options(top_speed=True)),
        (_PLAIN, 10_000, 1_000_000, 200, Options(top_speed=True)),
        ("top speed", 10_000, 1_000_000, 200, Options(top_speed=True)),
    ]
    if arguments.large:
        cases.append(("top speed, large", 10_000, 2_000_000, 1_000, Options(top_speed=True)))
    if arguments.only:
        cases = [case for case in cases if arguments.only in case[0] or (case[-1].top_speed and case[0] == _PLAIN)]
    print("".join(f"{column:>{10 if column else _NAME_WIDTH}}" for column in _COLUMNS))
    work = Path(tempfile.mkdtemp(prefix="bench-replay-"))
    try:
        if arguments.bootstrap:
            _measure(cases, arguments, arguments.bootstrap, work)
        else:
            with local_kafka() as cluster:
                _measure(cases, arguments, cluster.bootstrap, work)
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


def _measure(
    cases: list[tuple[str, int, int, int, Options]], arguments: argparse.Namespace, bootstrap: str, work: Path
) -> None:
    partitions = arguments.partitions
    calibration = f"calibration-{time.time_ns()}"
    create_topic(bootstrap, calibration)
    made: tuple[int, ...] = ()
    root, topic, plain = work, "", 0.0
    for name, per_second, records, size, options in cases:
        if made != (per_second, records, size):
            shutil.rmtree(root, ignore_errors=True)
            root, topic, made = work / f"c{time.time_ns()}", f"bench-{time.time_ns()}", (per_second, records, size)
            make(root, topic, records, size, per_second, partitions)
            if not options.top_speed and "new" not in name:
                _apart(_replay, root, bootstrap, Options(top_speed=True, duration_ms=2_000), None)
        if name == _PLAIN:
            seconds, cpu_seconds, megabytes = _apart(plain_loop, root, topic, bootstrap, partitions)
            plain = records / seconds
            print(_first(name, records, size, seconds, cpu_seconds, megabytes), flush=True)
        elif options.top_speed:
            certificate, cpu_seconds, megabytes = _apart(_replay, root, bootstrap, options, None)
            seconds = (certificate.finished_at_ms - certificate.started_at_ms) / 1e3
            line = _first(name, certificate.acked, size, seconds, cpu_seconds, megabytes)
            print(f"{line}  {certificate.acked / seconds / plain:.2f} x the plain loop; {certificate.confirmed_by}")
        else:
            ours, bare = [], []
            for _ in range(1 if "new" in name else arguments.turns):
                certificate, cpu_seconds, megabytes = _apart(_replay, root, bootstrap, options, calibration)
                _show(name, size, certificate, cpu_seconds, megabytes)
                ours.append(certificate.dispatch_lateness)
                if "new" not in name:
                    lateness, cpu_seconds, megabytes = _apart(
                        plain_rhythm, root, topic, bootstrap, partitions, options.rate
                    )
                    seconds = records / per_second / options.rate
                    line = _first("bare loop", records, size, seconds, cpu_seconds, megabytes)
                    print(f"{line}{_lateness(lateness)}", flush=True)
                    bare.append(lateness)
            if len(bare) > 1:
                _show_medians(ours, bare)


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do it in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _show(name: str, size: int, certificate: Certificate, cpu_seconds: float, megabytes: float) -> None:
    seconds = (certificate.finished_at_ms - certificate.started_at_ms) / 1e3
    line = _first(name, certificate.acked, size, seconds, cpu_seconds, megabytes)
    floor = certificate.floor
    timer, ack, loop = (None, None, None) if floor is None else (floor.timer, floor.ack, floor.bare_loop)
    hand_over = None if floor is None else floor.hand_over
    print(f"{line}{_lateness(certificate.dispatch_lateness)}{_drift(certificate):>10}"
          f"{_times(certificate.dispatch_lateness, loop)}")  # fmt: skip
    print(f"{'ack lateness':>{_NAME_WIDTH}}{'':60}{_lateness(certificate.ack_lateness)}{'':10}"
          f"{_times(certificate.ack_lateness, ack)}")  # fmt: skip
    for what, floored in (("bare loop", loop), ("timer", timer), ("hand-over", hand_over), ("ack", ack)):
        print(f"{f'floor: {what}':>{_NAME_WIDTH}}{'':60}{_lateness(floored)}", flush=True)


def _show_medians(ours: Sequence[Distribution], bare: Sequence[Distribution]) -> None:
    medians = [[median(figures) for figures in zip(*map(_figures, turns), strict=True)] for turns in (ours, bare)]
    for name, figures in zip(("medians: replay", "medians: bare loop"), medians, strict=True):
        print(f"{name:>{_NAME_WIDTH}}{'':60}" + "".join(f"{ns / 1e6:>10.3f}" for ns in figures))
    times = "".join(f"{one / other:>10.2f}" for one, other in zip(*medians, strict=True))
    print(f"{'x bare loop':>{_NAME_WIDTH}}{'':60}{times}", flush=True)


def _figures(measured: Distribution) -> tuple[int, ...]:
    return (measured.p50_ns, measured.p90_ns, measured.p99_ns, measured.p999_ns, measured.max_ns)


def _replay(
    root: Path, bootstrap: str, options: Options, calibrate_topic: str | None
) -> tuple[Certificate, float, float]:
    chosen = replace(options, allow_raw=True, create_topics=True, timestamps="now", calibrate_topic=calibrate_topic)
    certificate = replay(open_capture(root), connect(bootstrap), chosen)
    return certificate, *used()


def _first(name: str, records: int, size: int, seconds: float, cpu_seconds: float, megabytes: float) -> str:
    return (
        f"{name:>{_NAME_WIDTH}}{records:>10,}{size:>10,}{seconds:>10.2f}{records / seconds:>10,.0f}"
        f"{cpu_seconds:>10.2f}{megabytes:>10.0f}"
    )


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
    return "".join(f"{ns / 1e6:>10.3f}" for ns in _figures(measured))


def _drift(certificate: Certificate) -> str:
    return "" if certificate.end_drift_ns is None else f"{certificate.end_drift_ns / 1e6:.3f}"


def _times(measured: Distribution | None, floor: Distribution | None) -> str:
    return "" if measured is None or floor is None else f"{measured.p99_ns / floor.p99_ns:>10.1f}"


if __name__ == "__main__":
    main()
