"""Replaying captures: send what was planned in its own rhythm, wait for every confirmation, certify how that went."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import msgspec
import numpy as np

from recorder.capture.lineage import tool_version
from recorder.capture.reader import Capture
from recorder.errors import CaptureError
from recorder.kafka.connection import Connection
from recorder.kafka.producer import RecordProducer
from recorder.kafka.target import create_topics
from recorder.replaying.calibration import Floor, calibrate_for
from recorder.replaying.caps import Caps
from recorder.replaying.certificate import Certificate, Inversions, TopicCount
from recorder.replaying.chain import chain
from recorder.replaying.changes import ChangeError
from recorder.replaying.chaos import Trouble
from recorder.replaying.clock import PlayerClock
from recorder.replaying.conduct import Conduct, Ending
from recorder.replaying.control import Control, Status
from recorder.replaying.course import choices, course
from recorder.replaying.middleware import Middleware
from recorder.replaying.objectives import judge
from recorder.replaying.options import Options
from recorder.replaying.plan import Plan, prepare
from recorder.replaying.player import Player
from recorder.replaying.probe import Probe
from recorder.replaying.steadiness import steady_interpreter
from recorder.replaying.tally import Tally
from recorder.replaying.timeline import Timeline

_LEAD_NS = 50_000_000  # from the decision to begin to T0: the first records are made ready in it
_GIVE_UP_SECONDS = 2.0  # how long an interrupted replay waits for what is in flight
_SHOW_NS = 200_000_000
_PACED_PIECE, _TOP_SPEED_PIECE = 256, 2_048


def replay(
    capture: Capture | Sequence[Capture],
    connection: Connection,
    options: Options | None = None,
    *,
    progress: Callable[[Status], None] = lambda status: None,
    stop: threading.Event | None = None,
    control: Control | None = None,
) -> Certificate:
    """Publish captures into a cluster on one timeline, in their own rhythm, and certify how exact that was.

    Setting `stop` ends it within seconds, with what was handed over confirmed; `control` takes commands meanwhile.
    Records that fail don't raise: they are named in the certificate. Raises RefusedError for the source cluster and
    for raw captures, BlackboxError when preflight finds errors (both before anything was sent or created), and what
    `prepare` raises.
    """
    return run(prepare(capture, connection, options), progress=progress, stop=stop, control=control)


def run(
    plan: Plan,
    *,
    progress: Callable[[Status], None] = lambda status: None,
    stop: threading.Event | None = None,
    control: Control | None = None,
    replay_id: str | None = None,
) -> Certificate:
    """Carry out a prepared replay; see `replay`."""
    plan.require_no_errors()
    control = Control() if control is None else control
    try:
        if plan.translation is not None:
            plan.translation.register()
        create_topics(plan.cluster, plan.to_create)
        return _Run(plan, progress, stop or threading.Event(), control, replay_id or new_replay_id()).run()
    finally:
        control.close()


def new_replay_id() -> str:
    return uuid.uuid4().hex


class _Run:
    """One replay in progress."""

    def __init__(
        self,
        plan: Plan,
        progress: Callable[[Status], None],
        stop: threading.Event,
        control: Control,
        replay_id: str,
    ) -> None:
        self._plan, self._progress, self._stop, self._control = plan, progress, stop, control
        self._id = replay_id
        options = plan.options
        paced = options.pace is not None
        self._clock = PlayerClock(options.pace)
        self._probe = Probe(paced=paced) if options.probe else None
        self._floor: Floor | None = None
        self._tally = Tally(
            plan.routes.topics,
            plan.routes.lanes,
            paced=paced,
            now=self._clock.now,
            matcher=None if self._probe is None else self._probe.matcher,
        )
        self._producer = RecordProducer(plan.cluster.connection, limits=plan.limits, paced=paced)
        self._middleware = None if options.middleware is None else Middleware(options.middleware)
        self._trouble = None if options.chaos is None else Trouble(options.chaos, plan.streams)
        piece_records = _PACED_PIECE if paced else _TOP_SPEED_PIECE
        self._timeline = Timeline(
            plan.streams,
            plan.routes,
            plan.survey,
            piece_records=piece_records,
            changes=chain(plan, replay_id, middleware=self._middleware, trouble=self._trouble),
        )
        capped = options.records_per_second or options.megabits_per_second
        self._caps = Caps(options.records_per_second, options.bytes_per_second) if capped else None
        self._player = Player(
            self._timeline,
            self._clock,
            self._producer,
            self._tally,
            stopped=stop.is_set,
            tick=self._show,
            control=control,
            conduct=Conduct(
                late=options.late,
                late_bound_ns=options.late_bound_ms * 1_000_000,
                caps=self._caps,
                loop_delay_ns=options.loop_delay_ms * 1_000_000,
                max_gap_ms=options.max_gap_ms,
                first_ms=plan.survey.first_ms or 0,
                first=plan.survey.first_number,
                records=plan.survey.records,
            ),
        )
        self._shown_ns = 0
        self._over = False

    def run(self) -> Certificate:
        plan, options = self._plan, self._plan.options
        self._producer.warm_up([name for name, needed in plan.routes.partitions.items() if needed])
        if options.calibrate and plan.survey.records:
            self._floor = calibrate_for(plan, self._producer, self._clock, self._stop.is_set)
        with ExitStack() as stack:
            if self._probe is not None:
                stack.enter_context(self._probe.listening(plan.cluster, plan.routes))
            if self._middleware is not None:
                stack.enter_context(self._middleware)
            stack.enter_context(self._timeline)
            if self._middleware is not None:
                stack.callback(self._middleware.abandon)
            stack.enter_context(steady_interpreter())
            self._timeline.wait()
            lead_ns = 0 if options.step else _LEAD_NS
            start_ms = (time.time_ns() + lead_ns) // 1_000_000
            self._clock.start(lead_ns)
            if options.step:
                self._clock.pause()
            if options.timestamps == "shift" and plan.survey.first_ms is not None:
                self._timeline.shift_ms = start_ms - plan.survey.first_ms
            self._control.begin(self._status, self._stop.set)
            try:
                ending = self._player.play()
            except (CaptureError, ChangeError) as error:  # found while reading: what was sent still gets its account
                ending, self._player.error = "error", str(error)
            finally:
                self._control.close()
            if ending == "interrupt" and self._control.stopped:
                ending = "stop"
            self._over = True
            planned_ns = self._planned_ns(ending)
            self._confirm(ending)
            self._tally.settle(force=True)
            if self._probe is not None:
                self._probe.hear_last(self._producer.serve, self._clock, hurry=ending != "end")
        certificate = self._certify(ending, start_ms, planned_ns)
        return msgspec.structs.replace(certificate, objectives=judge(certificate, options.objectives))

    def _confirm(self, ending: Ending) -> None:
        """Wait for the reports of what was handed over; the client ends this itself (message.timeout.ms)."""
        waited_from = self._clock.now()
        while self._producer.flush(0.1):
            self._show()
            asked_to_end = ending != "end" or self._stop.is_set()
            if asked_to_end and self._clock.now() - waited_from > _GIVE_UP_SECONDS * 1e9:
                self._producer.give_up()
                return

    def _show(self) -> None:
        now = self._clock.now()
        if now - self._shown_ns < _SHOW_NS:
            return
        self._shown_ns = now
        self._tally.settle(force=True)
        if self._probe is not None:
            self._probe.hear()
        self._progress(self._status())

    def _status(self) -> Status:
        """From any thread: figures that were true a moment ago."""
        plan, clock, tally, player = self._plan, self._clock, self._tally, self._player
        survey, options = plan.survey, plan.options
        planned_ms = (clock.position() if clock.rate is not None else player.at_position_ns) / 1e6
        played_ms = min(max(planned_ms, 0.0), survey.duration_ms)
        since_last_ms = played_ms - player.at_position_ns / 1e6
        last_ms = player.at_ms if player.at_ms is not None else survey.first_ms
        return Status(
            replay_id=self._id,
            capture=plan.name,
            target=plan.cluster.cluster_id or plan.cluster.connection.bootstrap,
            pid=os.getpid(),
            state="confirming" if self._over else "paused" if clock.paused else "playing",
            position_ms=None if last_ms is None else last_ms + round(since_last_ms),
            played_ms=played_ms,
            duration_ms=survey.duration_ms,
            rate=clock.rate,
            lap=player.lap + 1,
            laps=options.loop,
            planned=plan.records,
            sent=tally.sent,
            acked=tally.acked,
            failed=tally.failed,
            dropped=tally.dropped,
            lateness_ns=tally.last_lateness_ns,
            eta_ms=self._eta_ms(played_ms),
        )

    def _eta_ms(self, played_ms: float) -> float | None:
        plan, rate, lap = self._plan, self._clock.rate, self._player.lap
        if not plan.options.loop:
            return None
        if rate is None:
            left = (plan.records or 0) - self._tally.sent
            elapsed = (self._clock.now() - self._clock.started_ns) / 1e6
            return left * elapsed / self._tally.sent if self._tally.sent else None
        laps_left = plan.options.loop - lap - 1
        playing_ms = plan.survey.duration_ms * (laps_left + 1) - played_ms
        return playing_ms / rate + plan.options.loop_delay_ms * laps_left

    def _planned_ns(self, ending: Ending) -> int | None:
        """From the first record's deadline to the last one's, by the anchors as they came to be."""
        plan, clock = self._plan, self._clock
        if clock.rate is None:
            return None
        if ending != "end" or clock.paused:
            return None if plan.duration_ms is None else round(plan.duration_ms * 1e6)
        return int(clock.due(np.array([self._player.at_position_ns]))[0]) - clock.started_ns

    def _certify(self, ending: Ending, start_ms: int, planned_ns: int | None) -> Certificate:
        plan, tally, options, player = self._plan, self._tally, self._plan.options, self._player
        manifest, survey = plan.captures[0].manifest, plan.survey
        passes = options.loop or player.lap + 1
        straight = ending == "end" and not self._clock.paused and tally.sent
        return Certificate(
            replay_id=self._id,
            capture_id=manifest.capture_id,
            capture=plan.name,
            further_captures=tuple(capture.manifest.capture_id for capture in plan.captures[1:]),
            tool=tool_version(),
            source_cluster_id=manifest.source.cluster_id,
            target_cluster_id=plan.cluster.cluster_id,
            started_at_ms=start_ms,
            finished_at_ms=time.time_ns() // 1_000_000,
            ended_by=ending,
            error=player.error,
            rate=options.pace,
            timestamps=options.timestamps,
            shifted_by_ms=self._timeline.shift_ms,
            max_gap_ms=options.max_gap_ms,
            remap=dict(options.remap),
            topics=tuple(
                TopicCount(
                    topic=topic.name,
                    target=plan.routes.target_of[topic.name],
                    planned=survey.topics[topic.name].records * passes,
                    acked=int(acked),
                )
                for topic, acked in zip(plan.routes.topics, tally.acked_by_topic, strict=True)
            ),
            planned=survey.records * passes,
            sent=tally.sent,
            acked=tally.acked,
            failed=tally.failed,
            failures=tuple(tally.failures),
            errors=dict(tally.errors),
            planned_ns=planned_ns,
            sending_ns=(tally.last_sent_ns or 0) - (tally.first_sent_ns or 0),
            dispatch_lateness=tally.dispatch_lateness.distribution(),
            ack_lateness=tally.ack_lateness.distribution(),
            round_trip=tally.round_trip.distribution(),
            end_drift_ns=tally.last_lateness_ns if straight and options.pace is not None else None,
            inversions=Inversions(
                partition=tally.order.partition_inversions,
                key=tally.order.key_inversions,
                timeline=tally.rhythm.inversions if options.pace is not None else None,
            ),
            clamped=survey.clamped,
            wild=survey.wild,
            collapsed_gaps=survey.collapsed_gaps,
            collapsed_ms=survey.collapsed_ms,
            timestamp_0_sent_as_1=self._timeline.raised_to_1,
            queue_full=player.queue_full,
            retries=self._producer.retries,
            starved_ns=player.starved_ns,
            created_topics=tuple(plan.name for plan in plan.to_create),
            findings=plan.findings,
            letters=() if plan.letters is None else plan.letters.counts,
            registered_schemas=() if plan.translation is None else plan.translation.registered,
            course=course(
                choices(options, survey), self._clock, player, tally, 0 if self._caps is None else self._caps.waits
            ),
            rhythm=tally.rhythm.rhythm(),
            stamped_by_target=plan.stamped_by_target,
            placements=plan.placements,
            chaos=None if options.chaos is None else options.chaos.text or str(options.chaos),
            perturbations=() if self._trouble is None else tuple(self._trouble.listed),
            changes=player.changes.counts(),
            floor=self._floor,
            probed=None if self._probe is None else self._probe.probed(),
        )
