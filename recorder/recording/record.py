"""Recording a window: plan, read, explain, seal, and the manifest last."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from recorder.capture import writer
from recorder.capture.limits import allow_open_files
from recorder.capture.manifest import Manifest, Note, SchemaFile, Segment
from recorder.capture.schema import SEGMENT_BYTES, row_group_bytes
from recorder.errors import BlackboxError, CaptureError
from recorder.kafka.cluster import Cluster, Patience
from recorder.kafka.connection import Connection
from recorder.kafka.offsets import Place
from recorder.kafka.statistics import Load
from recorder.payloads.used import Uses
from recorder.recording.aborted import find_aborted, undecided_notes
from recorder.recording.checkpoint import Checkpoint, write_checkpoint
from recorder.recording.describe import Facts, manifest_of, notes_of
from recorder.recording.growth import Growth
from recorder.recording.holes import explain_holes
from recorder.recording.interpreter import set_for_recording
from recorder.recording.journal import Journal
from recorder.recording.pipeline import Pipeline
from recorder.recording.plan import make_plan, select_topics
from recorder.recording.prologue import segments_of, with_state
from recorder.recording.read import STALLED_SECONDS, Reading
from recorder.recording.request import Request
from recorder.recording.schemas import SchemaKeeper
from recorder.recording.share import shares
from recorder.recording.tape import NOTHING_MARKED, Tape
from recorder.recording.throttle import Throttle, fetch_ahead
from recorder.recording.upload import Upload
from recorder.recording.workers import Workers

PROGRESS_SECONDS = 0.1
_AFTER_INTERRUPT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a recording stands: offsets passed of offsets known (None while the window is open)."""

    offsets: int
    total: int | None
    records: int
    waiting: str = ""
    """Who keeps the recording waiting, if anybody does."""
    load: Load = field(default_factory=Load)
    """What the reading asked of the brokers, to the second; known at its end."""

    @property
    def words(self) -> str:
        """For a person who watches."""
        return f"{self.records:,} records" + (f" · {self.waiting}" if self.waiting else "")


def record(
    connection: Connection,
    request: Request,
    directory: Path,
    *,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    upload: Upload | None = None,
) -> Manifest:
    """Record a window of topics into a new capture at `directory` and return its manifest.

    With `upload`, `directory` is where it is staged; see `record_into`.

    Setting `stop` ends the recording within about a second; what was read is sealed and the manifest says
    ``interrupt``. Losses don't raise: they are in `Manifest.losses`. Raises UsageError for unknown topics, an
    existing directory or an empty choice (nothing is written then), KafkaUnavailableError, and CaptureError when
    writing fails.
    """
    writer.refuse_existing(directory)
    if cap := request.max_bytes_per_second:
        connection = replace(connection, settings=fetch_ahead(cap) | connection.settings)
    stop = stop or threading.Event()
    show = progress or (lambda _: None)
    cluster = Cluster(
        connection, Patience(STALLED_SECONDS, lambda words: show(Progress(0, None, 0, words)), stop.is_set)
    )
    started_ms = _now_ms()
    chosen = select_topics(cluster.names(), request.names, request.patterns, request.excludes)
    _require_rights(cluster, chosen)
    plan = make_plan(cluster, cluster.topics(chosen), request, now_ms=started_ms)
    writer.create_directory(directory)
    tapes: dict[Place, Tape] = {}
    try:
        with Journal(directory) as journal:
            facts = Facts.of(cluster, plan, request, started_ms)
            checkpoint = Checkpoint.of(facts, plan, request)
            write_checkpoint(directory, checkpoint)
            if upload:
                upload.begin()
            tapes |= tapes_of(directory, checkpoint)
            keeper = SchemaKeeper(request.registry, Uses()) if request.registry else None
            return run(cluster, checkpoint, tapes, journal, directory, stop, progress, upload, keeper)
    except BaseException as error:
        sealed = sum(sum(tape.writer.payloads) for tape in tapes.values())
        # Less than a segment is sooner read again than resumed; unless room on the disk is what was missing.
        if upload and upload.is_waiting:
            raise
        if not sealed or (sealed < SEGMENT_BYTES and not isinstance(error, CaptureError)):
            shutil.rmtree(directory, ignore_errors=True)
            if upload:
                upload.abandon()
        raise


def _require_rights(cluster: Cluster, topics: list[str]) -> None:
    """Say before the first byte, and all at once, what we may not read."""
    if denied := cluster.unreadable(topics):
        which = ("topic " if len(denied) == 1 else "topics ") + ", ".join(denied[:10])
        others = f" and {len(denied) - 10} more" if len(denied) > 10 else ""
        raise BlackboxError(f"No right to read {which}{others}: ask for READ there, or leave them out with --exclude.")


def tapes_of(directory: Path, checkpoint: Checkpoint) -> dict[Place, Tape]:
    """A tape at its start for every partition of the plan."""
    plan = checkpoint.plan
    cut = row_group_bytes(len(plan.spans))
    allow_open_files(len(plan.spans))
    return {place: Tape(directory, place, plan, cut) for place in plan.spans}


def run(
    cluster: Cluster,
    checkpoint: Checkpoint,
    tapes: dict[Place, Tape],
    journal: Journal,
    directory: Path,
    stop: threading.Event,
    progress: Callable[[Progress], None] | None,
    upload: Upload | None = None,
    keeper: SchemaKeeper | None = None,
    *,
    notes: Sequence[Note] = (),
    gone: Collection[str] = (),
) -> Manifest:
    """Read on from where the tapes stand, explain what is missing, and write the manifest, with `notes` in it.

    Tapes that stand at their end already are only explained, and those of topics that are `gone` are not.
    """
    try:
        return _run(cluster, checkpoint, tapes, journal, directory, stop, progress, upload, keeper, notes, gone)
    except BaseException as error:
        for tape in tapes.values():
            tape.writer.abandon()
        if isinstance(error, CaptureError) and any(tape.writer.segments for tape in tapes.values()):
            place = f"'{upload.target.uri}'" if upload else directory
            raise CaptureError(f"{error} Go on once that is mended: blackbox record --resume {place}.") from error
        raise


def _run(
    cluster: Cluster,
    checkpoint: Checkpoint,
    tapes: dict[Place, Tape],
    journal: Journal,
    directory: Path,
    stop: threading.Event,
    progress: Callable[[Progress], None] | None,
    upload: Upload | None,
    keeper: SchemaKeeper | None,
    notes: Sequence[Note],
    gone: Collection[str],
) -> Manifest:
    for tape in tapes.values():
        tape.uses = keeper.uses if keeper else None
    facts, plan, cap = checkpoint.facts, checkpoint.plan, checkpoint.max_bytes_per_second
    # What all of it passes through, the cap and the schemas that are named, is in one process.
    own, *others = [list(tapes)] if cap or keeper else shares(tapes)
    processes = 1 + len(others)
    with set_for_recording(), keeper or nullcontext(), Pipeline(processes) as pipeline, ExitStack() as stack:
        meter = _Meter(_to_read(checkpoint), tapes, progress)
        cluster.patience = Patience(STALLED_SECONDS, meter.tell, stop.is_set)
        throttle = Throttle(cap, rest=stop.wait) if cap else None
        checkpoint = with_state(
            cluster,
            checkpoint,
            directory,
            without=gone,
            is_there=partial(_is_there, directory, upload),
            stopped=stop.is_set,
            throttle=throttle,
            passed=meter.advance,
            uses=keeper.uses if keeper else None,
        )
        if upload:
            upload.renew()
            upload.again(segments_of(checkpoint))
        growth = stack.enter_context(
            Growth(cluster.connection, checkpoint, tapes, directory, changed=upload.renew if upload else _nothing)
        )
        meter.advance(sum(tape.ledger.position - tape.ledger.start for tape in tapes.values()))
        sealed = partial(upload.add, journal) if upload else journal.add
        workers = stack.enter_context(Workers(cluster.connection, directory, tapes, others, sealed, journal.lock))

        def stopped() -> bool:
            if stop.is_set():
                workers.stop()
            return stop.is_set() or workers.failed

        reading = Reading(
            cluster,
            {place: tapes[place] for place in own} if others else tapes,
            pipeline,
            sealed,
            stopped,
            lambda offsets: meter.advance(offsets + workers.take_passed()),
            checkpoint.transaction_seconds,
            throttle,
            {name: topic.id for name, topic in plan.topics.items()},
            lambda words: meter.tell(words or workers.words),
            checkpoint.isolation,
            processes,
            growth,
        )
        reading.run(_now_ms)
        elsewhere = workers.wait(stopped, lambda: meter.tell(workers.words, workers.take_passed()))
        meter.end(reading.load + workers.load)
    checkpoint = growth.checkpoint
    facts, plan = checkpoint.facts, checkpoint.plan
    interrupted = stop.is_set() and not checkpoint.live
    there = {place: tape for place, tape in tapes.items() if place[0] not in gone}
    seconds = _AFTER_INTERRUPT_SECONDS if interrupted else None
    place_of = upload.place_of if upload else None
    uncommitted = checkpoint.isolation == "read_uncommitted"
    marks = find_aborted(cluster, there, place_of=place_of, within_seconds=seconds) if uncommitted else {}
    explain_holes(cluster, there, plan.topics, isolation=checkpoint.isolation, within_seconds=seconds)
    journal.sync()
    notes = (
        *notes_of(cluster, plan, tapes, facts.started_ms),
        *growth.notes,
        *undecided_notes(marks),
        *notes,
        *_told_once([*reading.notes, *elsewhere]),
    )
    prologues = {(topic, partition): prologue for topic, partition, prologue in checkpoint.prologues or ()}
    schemas: SchemaFile | msgspec.UnsetType = msgspec.UNSET
    if keeper is not None:
        schemas, of_schemas = keeper.finish(directory, within_seconds=_AFTER_INTERRUPT_SECONDS if interrupted else None)
        notes = (*notes, *of_schemas)
    manifest = manifest_of(
        facts,
        {place: tape.describe(marks.get(place, NOTHING_MARKED), prologues.get(place)) for place, tape in tapes.items()},
        finished_by="interrupt" if interrupted else "end",
        at_ms=_now_ms(),
        notes=notes,
    )
    manifest = msgspec.structs.replace(manifest, schemas=schemas)
    if upload:
        upload.finish(manifest)
    else:
        writer.finish(directory, manifest)
    return manifest


def _told_once(notes: list[Note]) -> list[Note]:
    """Several processes hear that a broker is silent, each for about as long: one of them tells."""
    of_brokers = {note.text.partition(" for ")[0]: note for note in reversed(notes) if note.topic is None}
    return [note for note in notes if note.topic is not None or note in of_brokers.values()]


def _nothing() -> None:
    """What a recording to a directory does when its checkpoint changes."""


def _is_there(directory: Path, upload: Upload | None, segment: Segment) -> bool:
    return (upload.place_of(segment) is not None) if upload else (directory / segment.path).exists()


def _to_read(checkpoint: Checkpoint) -> int | None:
    """How many offsets will be passed, those of the state before the window twice; None while a window is open."""
    total, plan = checkpoint.plan.offsets, checkpoint.plan
    if total is None or not checkpoint.state_prologue or checkpoint.prologues is not None:
        return total
    compacted = [span for (topic, _), span in plan.spans.items() if plan.topics[topic].compacted]
    return total + 2 * sum(max(0, span.start - span.log_start) for span in compacted)


class _Meter:
    """Turns passed offsets into progress, ten times a second at most."""

    def __init__(
        self, total: int | None, tapes: dict[Place, Tape], progress: Callable[[Progress], None] | None
    ) -> None:
        self._total, self._tapes, self._progress = total, tapes, progress
        self._passed = 0
        self._told = 0.0
        self._waiting = ""
        self._load = Load()

    def tell(self, waiting: str, offsets: int = 0) -> None:
        self._waiting = waiting
        self.advance(offsets)

    def end(self, load: Load) -> None:
        self._load, self._told = load, 0.0
        self.advance(0)

    def advance(self, offsets: int) -> None:
        self._passed += offsets
        if self._total is not None:
            self._total = max(self._total, self._passed)
        now = time.monotonic()
        if self._progress and now - self._told >= PROGRESS_SECONDS:
            self._told = now
            records = sum(tape.records for tape in self._tapes.values())
            self._progress(Progress(self._passed, self._total, records, self._waiting, self._load))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
