"""Recording a window: plan, read, explain, seal, and the manifest last."""

from __future__ import annotations

import gc
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from recorder.capture import writer
from recorder.capture.limits import allow_open_files
from recorder.capture.manifest import Manifest
from recorder.capture.schema import row_group_bytes
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import Connection
from recorder.kafka.offsets import Place
from recorder.recording.describe import Facts, manifest_of, notes_of
from recorder.recording.holes import explain_holes
from recorder.recording.pipeline import Pipeline
from recorder.recording.plan import Plan, make_plan, select_topics
from recorder.recording.read import Reading
from recorder.recording.request import Request
from recorder.recording.tape import Tape
from recorder.recording.throttle import Throttle, fetch_ahead

PROGRESS_SECONDS = 0.1
_AFTER_INTERRUPT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a recording stands: offsets passed of offsets known (None while the window is open)."""

    offsets: int
    total: int | None
    records: int


def record(
    connection: Connection,
    request: Request,
    directory: Path,
    *,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Manifest:
    """Record a window of topics into a new capture at `directory` and return its manifest.

    Setting `stop` ends the recording within about a second; what was read is sealed and the manifest says
    ``interrupt``. Losses don't raise: they are in `Manifest.losses`. Raises UsageError for unknown topics, an
    existing directory or an empty choice (nothing is written then), KafkaUnavailableError, and CaptureError when
    writing fails.
    """
    writer.refuse_existing(directory)
    if cap := request.max_bytes_per_second:
        connection = replace(connection, settings=fetch_ahead(cap) | connection.settings)
    cluster = Cluster(connection)
    started_ms = _now_ms()
    chosen = select_topics(cluster.names(), request.names, request.patterns, request.excludes)
    plan = make_plan(cluster, cluster.topics(chosen), request, now_ms=started_ms)
    writer.create_directory(directory)
    cut = row_group_bytes(len(plan.spans))
    tapes = {place: Tape(directory, place, plan, cut) for place in plan.spans}
    allow_open_files(len(tapes))
    try:
        return _record(cluster, request, plan, tapes, directory, started_ms, stop or threading.Event(), progress)
    except BaseException:
        for tape in tapes.values():
            tape.writer.abandon()
        if not any(tape.writer.segments for tape in tapes.values()):
            shutil.rmtree(directory, ignore_errors=True)
        raise


def _record(
    cluster: Cluster,
    request: Request,
    plan: Plan,
    tapes: dict[Place, Tape],
    directory: Path,
    started_ms: int,
    stop: threading.Event,
    progress: Callable[[Progress], None] | None,
) -> Manifest:
    facts = Facts.of(cluster, plan, request.from_text, request.to_text, request.command, started_ms)
    checkpoint = partial(_checkpoint, directory, facts, tapes)
    checkpoint()
    with without_collector(), Pipeline() as pipeline:
        meter = _Meter(plan.offsets, tapes, progress)
        cap = request.max_bytes_per_second
        throttle = Throttle(cap, rest=stop.wait) if cap else None
        reading = Reading(
            cluster, tapes, pipeline, checkpoint, stop.is_set, meter.advance, request.transaction_seconds, throttle
        )
        reading.run(_now_ms)
    interrupted = stop.is_set() and not request.live
    explain_holes(cluster, tapes, plan.topics, within_seconds=_AFTER_INTERRUPT_SECONDS if interrupted else None)
    for tape in tapes.values():
        tape.writer.seal()
    notes = (*notes_of(cluster, plan, tapes, started_ms), *reading.notes)
    manifest = manifest_of(
        facts,
        {place: tape.describe() for place, tape in tapes.items()},
        finished_by="interrupt" if interrupted else "end",
        at_ms=_now_ms(),
        notes=notes,
    )
    writer.finish(directory, manifest)
    return manifest


@contextmanager
def without_collector() -> Iterator[None]:
    """Switch Python's cyclic garbage collector off: messages make no cycles, and it would walk over all of them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _checkpoint(directory: Path, facts: Facts, tapes: dict[Place, Tape]) -> None:
    sealed = {place: tape.sealed() for place, tape in tapes.items()}
    writer.write_checkpoint(directory, manifest_of(facts, sealed, finished_by="unfinished", at_ms=_now_ms()))


class _Meter:
    """Turns passed offsets into progress, ten times a second at most."""

    def __init__(
        self, total: int | None, tapes: dict[Place, Tape], progress: Callable[[Progress], None] | None
    ) -> None:
        self._total, self._tapes, self._progress = total, tapes, progress
        self._passed = 0
        self._told = 0.0

    def advance(self, offsets: int) -> None:
        self._passed += offsets
        if self._total is not None:
            self._total = max(self._total, self._passed)
        now = time.monotonic()
        if self._progress and now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._progress(Progress(self._passed, self._total, sum(tape.records for tape in self._tapes.values())))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
