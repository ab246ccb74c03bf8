"""Recording on and on, as a row of captures that adjoin by offset: each begins exactly where the last one ended.

Not by time, because a record may carry an older time than its neighbours and would fall between two windows. What the
row holds together is what one long recording of the same window would hold; the manifests alone say where to go on,
so a row is also continued after a crash.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from recorder.capture.writer import reporting_write_errors
from recorder.errors import UsageError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import Connection
from recorder.kafka.offsets import Place, log_starts
from recorder.recording.plan import select_topics
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.watching.rotation import Kept, Limit, finished, next_path, remove, size_of, surplus, unfinished

_LOOK_SECONDS = 0.2

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Followed:
    """How a row of captures went."""

    captures: int
    records: int
    losses: tuple[str, ...]
    """What is missing, each as a sentence; not empty means exit code 3."""


def follow(
    connection: Connection,
    request: Request,
    directory: Path,
    *,
    rotate: Limit | None = None,
    keep: Limit | None = None,
    stop: threading.Event,
    tell: Told,
    progress: Callable[[Progress], None] | None = None,
) -> Followed:
    """Record from the window's start until `stop` is set, or the window's end, into captures below `directory`.

    A new capture is begun whenever `rotate` is reached (about: sizes are those on disk); then the oldest beyond
    `keep` are removed. A directory that holds a row of the same cluster already is continued where it ended.
    Raises as `record`, and UsageError where the row is of another cluster.
    """
    if keep is not None and rotate is None:
        raise UsageError("--keep removes whole captures: say with --rotate when a new one begins.")
    with reporting_write_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for going in directory.glob(".*.going"):
        shutil.rmtree(going, ignore_errors=True)
    torn = unfinished(directory)
    row = _Row(connection, request, directory, tell)
    while True:
        with _Cut(row.path(), rotate, stop) as cut:
            row.record(cut.event, progress)
        for path in torn:  # its records are in the row again
            remove(path)
        torn = []
        if keep is not None:
            row.prune(keep)
        if stop.is_set() or not cut.event.is_set():  # told to end, or the window is over
            break
    return Followed(row.captures, row.records, tuple(row.losses))


@dataclass
class _Row:
    connection: Connection
    request: Request
    directory: Path
    tell: Told
    captures: int = 0
    records: int = 0
    losses: list[str] = field(default_factory=list)
    _path: Path | None = None

    def path(self) -> Path:
        """Where the next capture goes."""
        self._path = next_path(self.directory, _now_ms())
        return self._path

    def record(self, cut: threading.Event, progress: Callable[[Progress], None] | None) -> None:
        """Take one capture, from where the last one ended."""
        assert self._path is not None
        last = next(reversed(finished(self.directory)), None)
        starts = self._starts(last) if last else None
        request = replace(self.request, starts=starts, live=True)
        manifest = record(self.connection, request, self._path, progress=progress, stop=cut)
        self.captures += 1
        self.records += manifest.records
        found = [f"{self._path}: {loss.sentence()}" for loss in manifest.losses]
        if starts is not None:
            found += [
                f"{self._path}: {topic.name}/{partition.partition}: {missing} offsets were deleted by retention "
                "before they were recorded"
                for topic, partition in manifest.topic_partitions()
                if (missing := partition.missing("expired"))
            ]
        self.losses += found
        self.tell(f"{self._path}: {manifest.records:,} records")
        for loss in found:
            self.tell(f"loss: {loss}")

    def prune(self, keep: Limit) -> None:
        for one in surplus(finished(self.directory), keep, _now_ms()):
            remove(one.path)
            self.tell(f"{one.path} is removed: it is beyond what is kept")

    def _starts(self, last: Kept) -> dict[Place, int]:
        """Where the last capture ended; topics and partitions that are new since then begin at their start."""
        cluster = Cluster(self.connection)
        source = last.manifest.source.cluster_id
        if source and cluster.cluster_id and source != cluster.cluster_id:
            raise UsageError(f"{self.directory} holds captures of another cluster ({source}): choose another with -o.")
        request = self.request
        chosen = cluster.topics(select_topics(cluster.names(), request.names, request.patterns, request.excludes))
        places = [(name, partition) for name, facts in chosen.items() for partition in facts.partitions]
        starts = log_starts(cluster, places)
        for topic, partition in last.manifest.topic_partitions():
            now = chosen.get(topic.name)
            if now is not None and (topic.id is None or now.id is None or topic.id == now.id):
                starts[topic.name, partition.partition] = partition.end_offset
        return starts


class _Cut:
    """Sets `event` when the capture at `path` has reached its limit, or `stop` was set."""

    def __init__(self, path: Path, limit: Limit | None, stop: threading.Event) -> None:
        self.event = threading.Event()
        self._path, self._limit, self._stop = path, limit or Limit(), stop
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rotate", daemon=True)

    def __enter__(self) -> _Cut:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.is_set():
            reached = self._limit.ms is not None and (time.monotonic() - began) * 1_000 >= self._limit.ms
            if self._limit.bytes is not None:
                reached = size_of(self._path) >= self._limit.bytes
            if reached or self._stop.is_set():
                self.event.set()
                return
            self._stop.wait(_LOOK_SECONDS)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
