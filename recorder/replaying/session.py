"""Replaying a capture: send what was planned in its own rhythm, wait for every confirmation, certify how that went."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from recorder.capture.lineage import tool_version
from recorder.capture.reader import Capture
from recorder.errors import CaptureError
from recorder.kafka.connection import Connection
from recorder.kafka.producer import RecordProducer
from recorder.kafka.target import create_topics
from recorder.replaying.certificate import Certificate, Inversions, TopicCount
from recorder.replaying.clock import PlayerClock
from recorder.replaying.options import Options
from recorder.replaying.plan import Plan, prepare
from recorder.replaying.player import Ending, Player, steady_interpreter
from recorder.replaying.schedule import Schedule
from recorder.replaying.tally import Tally
from recorder.replaying.timeline import Timeline

_LEAD_NS = 50_000_000  # from the decision to begin to T0: the first records are made ready in it
_GIVE_UP_SECONDS = 2.0  # how long an interrupted replay waits for what is in flight
_SHOW_NS = 200_000_000
_PACED_PIECE, _TOP_SPEED_PIECE = 256, 2_048


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a replay stands. Lateness is that of the record sent last."""

    sent: int
    acked: int
    failed: int
    total: int
    lateness_ns: int
    eta_ms: float | None
    """Real time to go by the plan; None at top speed."""


def replay(
    capture: Capture,
    connection: Connection,
    options: Options | None = None,
    *,
    progress: Callable[[Progress], None] = lambda progress: None,
    stop: threading.Event | None = None,
) -> Certificate:
    """Publish a capture into a cluster in its own rhythm and certify how exact that was.

    Setting `stop` ends it within seconds, with what was handed over confirmed. Records that fail don't raise: they are
    named in the certificate. Raises RefusedError for the source cluster and for raw captures, BlackboxError when
    preflight finds errors (both before anything was sent or created), and what `prepare` raises.
    """
    return run(prepare(capture, connection, options), progress=progress, stop=stop)


def run(
    plan: Plan,
    *,
    progress: Callable[[Progress], None] = lambda progress: None,
    stop: threading.Event | None = None,
) -> Certificate:
    """Carry out a prepared replay; see `replay`."""
    plan.require_no_errors()
    create_topics(plan.cluster, plan.to_create)
    return _Run(plan, progress, stop or threading.Event()).run()


class _Run:
    """One replay in progress."""

    def __init__(self, plan: Plan, progress: Callable[[Progress], None], stop: threading.Event) -> None:
        self._plan, self._progress, self._stop = plan, progress, stop
        self._clock = PlayerClock(plan.options.pace)
        paced = plan.options.pace is not None
        self._tally = Tally(plan.routes.topics, plan.routes.lanes, paced=paced, now=self._clock.now)
        self._producer = RecordProducer(plan.cluster.connection, limits=plan.limits, paced=paced)
        self._shown_ns = 0

    def run(self) -> Certificate:
        plan, options = self._plan, self._plan.options
        self._producer.warm_up([name for name, needed in plan.routes.partitions.items() if needed])
        schedule = Schedule(None if options.top_speed else options.max_gap_ms)
        timeline = Timeline(
            plan.capture.timeline(plan.selection),
            plan.routes,
            schedule,
            sane=plan.capture.sane_times(),
            timestamps=options.timestamps,
            piece_records=_TOP_SPEED_PIECE if options.top_speed else _PACED_PIECE,
        )
        player = Player(timeline, self._clock, self._producer, self._tally, stopped=self._stop.is_set, tick=self._show)
        with timeline, steady_interpreter():
            timeline.wait()
            start_ms = (time.time_ns() + _LEAD_NS) // 1_000_000
            self._clock.start(_LEAD_NS)
            if options.timestamps == "shift" and plan.survey.first_ms is not None:
                timeline.shift_ms = start_ms - plan.survey.first_ms
            try:
                ending = player.play()
            except CaptureError as error:  # the capture was whole when surveyed; what was sent still gets its account
                ending, player.error = "error", str(error)
            self._confirm(ending)
        self._tally.settle(force=True)
        return self._certify(ending, player, timeline, schedule, start_ms)

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
        duration = self._plan.duration_ms
        elapsed_ms = (now - self._clock.started_ns) / 1e6
        self._progress(
            Progress(
                sent=self._tally.sent,
                acked=self._tally.acked,
                failed=self._tally.failed,
                total=self._plan.survey.records,
                lateness_ns=self._tally.last_lateness_ns,
                eta_ms=None if duration is None else max(0.0, duration - elapsed_ms),
            )
        )

    def _certify(
        self, ending: Ending, player: Player, timeline: Timeline, schedule: Schedule, start_ms: int
    ) -> Certificate:
        plan, tally, options = self._plan, self._tally, self._plan.options
        manifest = plan.capture.manifest
        paced = options.pace is not None
        sent_for = (tally.last_sent_ns or 0) - (tally.first_sent_ns or 0)
        return Certificate(
            replay_id=uuid.uuid4().hex,
            capture_id=manifest.capture_id,
            capture=plan.capture.root.resolve().name,
            tool=tool_version(),
            source_cluster_id=manifest.source.cluster_id,
            target_cluster_id=plan.cluster.cluster_id,
            started_at_ms=start_ms,
            finished_at_ms=time.time_ns() // 1_000_000,
            ended_by=ending,
            error=player.error,
            rate=options.pace,
            timestamps=options.timestamps,
            shifted_by_ms=timeline.shift_ms,
            max_gap_ms=options.max_gap_ms,
            remap=dict(options.remap),
            topics=tuple(
                TopicCount(
                    topic=topic.name,
                    target=plan.routes.target_of[topic.name],
                    planned=plan.survey.topics[topic.name].records,
                    acked=int(acked),
                )
                for topic, acked in zip(plan.routes.topics, tally.acked_by_topic, strict=True)
            ),
            planned=plan.survey.records,
            sent=tally.sent,
            acked=tally.acked,
            failed=tally.failed,
            failures=tuple(tally.failures),
            errors=dict(tally.errors),
            planned_ns=round((plan.duration_ms or 0) * 1e6) if paced else None,
            sending_ns=sent_for,
            dispatch_lateness=tally.dispatch_lateness.distribution(),
            ack_lateness=tally.ack_lateness.distribution(),
            round_trip=tally.round_trip.distribution(),
            end_drift_ns=tally.last_lateness_ns if paced and ending == "end" and tally.sent else None,
            inversions=Inversions(partition=tally.order.partition_inversions, key=tally.order.key_inversions),
            clamped=timeline.clamped,
            wild=timeline.wild,
            collapsed_gaps=schedule.collapsed_gaps,
            collapsed_ms=schedule.collapsed_ms,
            timestamp_0_sent_as_1=timeline.raised_to_1,
            queue_full=player.queue_full,
            retries=self._producer.retries,
            starved_ns=player.starved_ns,
            created_topics=tuple(plan.name for plan in plan.to_create),
            findings=plan.findings,
        )
