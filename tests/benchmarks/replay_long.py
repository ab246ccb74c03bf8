"""What shows only in the long run: drift over minutes with loops and pauses, and order over millions of records.

Called by `python -m tests.benchmarks.replay --drift 600` and `--inversions 10000000`.
"""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from recorder.capture import writer
from recorder.capture.reader import open_capture
from recorder.errors import UsageError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.fetching import Arrived, Fetcher
from recorder.kafka.offsets import log_ends
from recorder.replaying import Control, Options, prepare, run
from recorder.replaying.control import Pause, Resume
from recorder.replaying.objectives import parse_objectives
from recorder.replaying.order import OrderWatch
from tests.benchmarks.replay import make

_RATES = (0.5, 1.0, 10.0)
_PASSES = 3
_PER_SECOND = 500


def drift(bootstrap: str, seconds: float, partitions: int, work: Path) -> None:
    """A line for each rate: three passes with a pause in each, over captures of many segments."""
    segment_bytes, writer.SEGMENT_BYTES = writer.SEGMENT_BYTES, 1 << 20
    print(
        f"{'rate':>6}{'records':>12}{'seconds':>10}{'pauses':>8}{'segments':>10}{'end drift ms':>14}"
        f"{'last late ms':>14}{'p50 ms':>10}{'p99 ms':>10}"
    )
    for rate in _RATES:
        root = work / f"drift-{rate:g}"
        records = int(seconds / _PASSES * rate * _PER_SECOND)
        make(root, f"drift-{time.time_ns()}", records, 200, _PER_SECOND, partitions)
        capture = open_capture(root)
        options = Options(rate=rate, loop=_PASSES, create_topics=True, allow_raw=True, timestamps="now")
        control, over = Control(), threading.Event()

        def pauses(control: Control = control, over: threading.Event = over) -> None:
            while not over.wait(seconds / _PASSES / 2):
                with suppress(UsageError):  # the last record was sent meanwhile
                    control.ask(Pause())
                    over.wait(0.5)
                    control.ask(Resume())
                over.wait(seconds / _PASSES / 2)

        thread = threading.Thread(target=pauses, daemon=True)
        thread.start()
        certificate = run(prepare(capture, connect(bootstrap), options), control=control)
        over.set()
        lateness, changes = certificate.dispatch_lateness, certificate.course.changes
        segments = sum(len(partition.segments) for _, partition in capture.manifest.topic_partitions())
        print(
            f"{rate:>6g}{certificate.acked:>12,}{certificate.sending_ns / 1e9:>10.1f}{changes.get('pause', 0):>8}"
            f"{segments:>10}{(certificate.end_drift_ns or 0) / 1e6:>14.3f}"
            f"{(certificate.last_lateness_ns or 0) / 1e6:>14.3f}"
            f"{(lateness.p50_ns if lateness else 0) / 1e6:>10.3f}{(lateness.p99_ns if lateness else 0) / 1e6:>10.3f}",
            flush=True,
        )
        shutil.rmtree(root)
    writer.SEGMENT_BYTES = segment_bytes


def inversions(bootstrap: str, records: int, partitions: int, work: Path) -> None:
    """Replay so many at top speed, and count from the target's log what lies before something that came before it."""
    root, topic = work / "inversions", f"inversions-{time.time_ns()}"
    make(root, topic, records, 100, 1_000, partitions)
    demanded = parse_objectives("inversions=0,key_inversions=0")  # so that the certificate looks at offsets, too
    options = Options(top_speed=True, create_topics=True, allow_raw=True, objectives=demanded)
    certificate = run(prepare(open_capture(root), connect(bootstrap), options))
    shutil.rmtree(root)
    cluster = Cluster(connect(bootstrap))
    ends = log_ends(cluster, [(topic, partition) for partition in range(partitions)])
    # A record's own time rises with its place in the capture: as its number, it is what must not fall in the log.
    watch, held = OrderWatch(partitions), 0
    with Fetcher(cluster.connection, dict.fromkeys(ends, 0), "read_uncommitted") as fetcher:
        while held < sum(ends.values()):
            for event in fetcher.poll():
                if isinstance(event, Arrived):
                    stamps = np.array([message.timestamp()[1] for message in event.messages], np.int64)
                    keys = np.array([hash(message.key()) for message in event.messages], np.int64)
                    lanes = np.full(len(stamps), event.place[1])
                    watch.feed(lanes, keys, np.ones(len(stamps), np.bool_), stamps)
                    held += len(stamps)
    print(
        f"{held:,} records in the log of {certificate.acked:,} confirmed; by the log {watch.partition_inversions:,} "
        f"inversions in partitions, {watch.key_inversions:,} in keys; by the certificate "
        f"{certificate.inversions.partition:,} and {certificate.inversions.key:,}"
    )
