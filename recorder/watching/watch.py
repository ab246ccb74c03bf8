"""The watcher: looks, listens, and takes the captures that are due, one at a time, until it is told to end.

One loop looks at records, files and signals; socket and HTTP have threads of their own; captures are taken in another
thread, one after the other, so that a burst of triggers does not become a burst of reading.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.writer import reporting_write_errors
from recorder.errors import BlackboxError, CaptureError, RefusedError, UsageError
from recorder.kafka.cluster import Cluster
from recorder.recording.plan import select_topics
from recorder.watching.answers import answer
from recorder.watching.cleaning import look_at_cleaning
from recorder.watching.conditions import Watched
from recorder.watching.desk import Desk, Moment, Progress, Told
from recorder.watching.figures import Figures
from recorder.watching.files import Basket
from recorder.watching.local_socket import listening
from recorder.watching.observe import Observer
from recorder.watching.payloads import Payloads
from recorder.watching.serving import serving
from recorder.watching.settings import Settings
from recorder.watching.signals import signalled
from recorder.watching.staging import staging
from recorder.watching.state import Pending, State, load_state, locked
from recorder.watching.take import Taken, remove_leftovers, take
from recorder.watching.triggers import Called, Dropped, OnRecords
from recorder.window import format_duration, format_time
from recorder.wording import counted

TURN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Ended:
    """How a watcher's life went."""

    captures: int
    losses: tuple[str, ...]
    """What is missing, each as a sentence; not empty means exit code 3."""
    kept: tuple[str, ...]
    """Captures that the next start will take: their triggers are noted."""


def watch(settings: Settings, socket: Path, *, stop: threading.Event, tell: Told) -> Ended:
    """Watch until `stop` is set; call it in the main thread. `socket` is where `blackbox trigger` calls.

    Raises UsageError, RefusedError, KafkaUnavailableError or CaptureError when it can't begin.
    """
    with ExitStack() as stack:
        stack.enter_context(locked(settings.state))
        with reporting_write_errors(settings.out):
            settings.out.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_leftovers(settings.out)
        memory = None
        if settings.scrub is not None:
            look_at_cleaning(settings.scrub, tell)
            memory = stack.enter_context(staging(settings.scrub.staging, settings.state))
        state = load_state(settings.state)
        _look_ahead(settings, state, tell)
        figures = Figures()
        desk = Desk(settings, state, figures, tell)
        signals = stack.enter_context(signalled())
        watcher = _Watcher(settings, state, desk, figures, memory, signals, stop, tell)
        stack.callback(watcher.close)
        stack.enter_context(listening(socket, lambda name: answer(desk, settings, name, "command")))
        tell(f"'blackbox trigger NAME' calls at {socket}")
        if settings.http is not None:
            port = stack.enter_context(
                serving(settings.http, figures, lambda name: answer(desk, settings, name, "http"))
            )
            tell(f"http://{settings.http.host}:{port} serves /healthz, /metrics and /triggers/NAME")
        watcher.run()
    return watcher.ended()


class _Watcher:
    """The state of one watcher's life."""

    def __init__(
        self,
        settings: Settings,
        state: State,
        desk: Desk,
        figures: Figures,
        memory: Path | None,
        signals: deque[int],
        stop: threading.Event,
        tell: Told,
    ) -> None:
        self._settings, self._desk, self._figures, self._tell = settings, desk, figures, tell
        self._memory, self._signals, self._stop = memory, signals, stop
        self._watched = [
            Watched(one, fired=state.fired.get(one.name, ()), times=state.times.get(one.name, ()))
            for one in settings.triggers
            if isinstance(one, OnRecords)
        ]
        self._payloads = Payloads(settings.registry, figures, tell, settings.formats)
        self._baskets = [Basket(one, desk, tell) for one in settings.triggers if isinstance(one, Dropped)]
        self._observer = self._open_observer(state) if self._watched else None
        self._pool = ThreadPoolExecutor(1, "capture")
        self._taking: tuple[Pending, Future[Taken | None]] | None = None
        self._captures = 0
        self._losses: list[str] = []
        desk.watched([], self._progress, _now_ms())  # where it begins to look is noted before anybody can trigger

    def run(self) -> None:
        while not self._stop.is_set():
            self._figures.turned = time.monotonic()
            self._look()
            self._take_captures()
            if self._observer is None:
                self._stop.wait(TURN_SECONDS)

    def close(self) -> None:
        """Hear what came last, end the capture that is being taken, note everything."""
        self._stop.set()
        self._hear_signals()
        self._pool.shutdown()
        self._finish_capture()
        if self._observer is not None:
            self._observer.close()
        self._desk.close(self._progress(), _now_ms())
        for watched in self._watched:
            watched.close()

    def ended(self) -> Ended:
        kept = tuple(one.capture for one in self._desk.pending)
        unseen = self._observer.losses if self._observer is not None else []
        return Ended(self._captures, (*unseen, *self._losses, *self._desk.lost), kept)

    def _look(self) -> None:
        moments: list[Moment] = []
        for batch in self._observer.poll() if self._observer is not None else ():
            topic = batch.column("topic")[0].as_py()
            decoder = self._payloads.of(batch)
            for watched in self._watched:
                if watched.trigger.topic == topic:
                    found = watched.judge(batch, _now_ms(), decoder)
                    moments += [Moment(watched.trigger.name, at_ms) for at_ms in found]
        self._desk.watched(moments, self._progress, _now_ms())
        for basket in self._baskets:
            basket.collect(_now_ms())
        self._hear_signals()

    def _hear_signals(self) -> None:
        while self._signals:
            at_ms = self._signals.popleft()
            for trigger in self._settings.triggers:
                if isinstance(trigger, Called) and "signal" in trigger.by:
                    try:
                        self._desk.call(trigger.name, "signal", at_ms)
                    except RefusedError as error:
                        self._tell(str(error))
                    except CaptureError as error:
                        self._desk.lose(
                            trigger.name, f"{trigger.name} fired at {format_time(at_ms)} and is lost: {error}"
                        )

    def _take_captures(self) -> None:
        if self._taking is not None and self._taking[1].done():
            self._finish_capture()
        if self._taking is None and (pending := self._desk.due(_now_ms())):
            self._figures.recording = True
            self._taking = (pending, self._pool.submit(take, self._settings, pending, self._memory, self._stop))

    def _finish_capture(self) -> None:
        if self._taking is None:
            return
        pending, future = self._taking
        self._taking, self._figures.recording = None, False
        try:
            taken = future.result()
        except Exception as error:  # noqa: BLE001 - whatever it was, the watcher goes on, says it and tries again
            text = str(error) if isinstance(error, BlackboxError) else f"unexpected {type(error).__name__}: {error}."
            self._figures.failed(f"{pending.capture}: {text}")
            self._desk.failed(pending, text, _now_ms())
            return
        if taken is None:
            return  # it was broken off because the watcher ends; its trigger stays noted
        self._desk.done(pending, _now_ms())
        self._captures += 1
        losses = [loss.sentence() for loss in taken.manifest.losses]
        self._losses += [f"{taken.path}: {loss}" for loss in losses]
        self._figures.count("captures", pending.trigger)
        self._figures.count("captured_records", by=taken.manifest.records)
        self._figures.count("captured_bytes", by=taken.bytes)
        self._figures.count("losses", by=len(losses))
        self._tell(f"{taken.path}: {taken.manifest.records:,} records, {taken.bytes:,} bytes")
        for note in taken.manifest.notes:
            if note.level == "warning":
                self._tell(f"{taken.path}: warning: {note.sentence()}")
        for loss in losses:
            self._tell(f"{taken.path}: loss: {loss}")
        if taken.withheld:
            self._figures.count("withheld_records", pending.trigger, taken.withheld)
            lacks = f"{taken.path} lacks {counted(taken.withheld, 'record')}, held by {taken.quarantine}"
            self._losses.append(lacks)
            self._tell(lacks)

    def _open_observer(self, state: State) -> Observer:
        topics = [one.trigger.topic for one in self._watched]
        return Observer(self._settings.connection, topics, state.places, state.topic_ids, self._figures, self._tell)

    def _progress(self) -> Progress:
        return Progress(
            places=self._observer.places() if self._observer is not None else {},
            topic_ids=self._observer.topic_ids() if self._observer is not None else {},
            fired={one.trigger.name: one.fired for one in self._watched if one.fired},
            times={one.trigger.name: one.times.tolist() for one in self._watched if len(one.times)},
        )


def _look_ahead(settings: Settings, state: State, tell: Told) -> None:
    """What can be known before the first trigger: the topics are there, their retention reaches, the place fits."""
    cluster = Cluster(settings.connection)
    chosen = select_topics(cluster.names(), settings.names, settings.patterns, settings.excludes)
    if state.cluster_id and cluster.cluster_id and state.cluster_id != cluster.cluster_id:
        raise UsageError(
            f"{settings.state} belongs to a watcher of another cluster ({state.cluster_id}): "
            "give this one another state: and out:."
        )
    state.cluster_id = cluster.cluster_id
    tell(
        f"Watching for {', '.join(one.name for one in settings.triggers)}: {format_duration(settings.before_ms)} "
        f"before to {format_duration(settings.after_ms)} after, of {counted(len(chosen), 'topic')}, into {settings.out}"
    )
    needed = settings.before_ms + settings.after_ms + settings.settle_ms
    for topic in cluster.topics(chosen).values():
        kept = int((topic.effective or {}).get("retention.ms", -1))
        if 0 <= kept < needed:
            tell(
                f"warning: {topic.name} keeps records for {format_duration(kept)} (retention.ms), a capture needs them "
                f"for {format_duration(needed)}: the oldest may be gone when it is taken"
            )
    if state.pending:
        tell(f"Still to be taken from before the start: {counted(len(state.pending), 'capture')}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
