"""Replaying captures: send what was planned in its own rhythm, wait for every confirmation, certify how that went."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import msgspec

from recorder.capture.reader import Capture
from recorder.errors import CaptureError
from recorder.kafka.connection import Connection
from recorder.kafka.producer import RecordProducer
from recorder.kafka.target import create_topics
from recorder.kafka.transactions import TransactionalProducer
from recorder.replaying.calibration import Floor, calibrate_for
from recorder.replaying.caps import Caps
from recorder.replaying.certificate import Certificate
from recorder.replaying.chain import chain
from recorder.replaying.changes import ChangeError
from recorder.replaying.chaos import Trouble
from recorder.replaying.clock import PlayerClock
from recorder.replaying.conduct import Conduct, Ending
from recorder.replaying.control import Control, Status
from recorder.replaying.issuing import Played, issue, planned_by
from recorder.replaying.judging import judge
from recorder.replaying.keeping import Keeper, new_keeper
from recorder.replaying.look import Looking
from recorder.replaying.middleware import Middleware
from recorder.replaying.opening import Opened, new_producer, opened
from recorder.replaying.options import Options
from recorder.replaying.patience import Patience
from recorder.replaying.plan import Plan, prepare
from recorder.replaying.player import Player
from recorder.replaying.present import skipping
from recorder.replaying.probe import Probe
from recorder.replaying.proving import prove, starting_points
from recorder.replaying.resumption import Resumption
from recorder.replaying.retracing import ends_by_lane
from recorder.replaying.showing import Showing
from recorder.replaying.silence import Silence, may_be_silent
from recorder.replaying.state import StateFile
from recorder.replaying.steadiness import steady_interpreter
from recorder.replaying.tally import Tally
from recorder.replaying.timeline import Timeline

_LEAD_NS = 50_000_000  # from the decision to begin to T0: the first records are made ready in it
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
    state: StateFile | None = None,
    resumption: Resumption | None = None,
    tell: Callable[[str], object] = lambda words: None,
    proving: Looking = lambda done, total: None,
) -> Certificate:
    """Carry out a prepared replay; see `replay`. `tell` hears at once what a person could do something about, and
    `proving` how far a proof has come.

    `state` is where it leaves what resuming needs, for the caller to remove when nothing is left to resume;
    `resumption` says where to go on (`find_place`).
    """
    plan.require_no_errors()
    control = Control() if control is None else control
    try:
        if plan.translation is not None:
            plan.translation.register()
        create_topics(plan.cluster, plan.to_create)
        known = resumption.state.replay_id if resumption else replay_id or new_replay_id()
        stop = stop or threading.Event()
        starts = starting_points(plan, resumption) if plan.options.prove else None
        before = opened(plan, known, stop.is_set, resumed=resumption is not None)
        keeper = None
        whole = before is None or before.ending == "end"
        paced, silent = plan.options.pace is not None, may_be_silent(plan.options)
        producer = new_producer(plan, known, paced=paced, only_failures=silent)
        if state is not None and whole:
            keeper = new_keeper(plan, state, known, resumption, producer)
        playing = _Run(plan, progress, stop, control, known, producer, keeper, resumption, tell, before)
        certificate = playing.run()
        if starts is None:
            return certificate
        proof = prove(plan, certificate, starts, resumption, stop=stop, progress=proving)
        return msgspec.structs.replace(certificate, proof=proof)
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
        producer: RecordProducer,
        keeper: Keeper | None,
        resumption: Resumption | None,
        tell: Callable[[str], object],
        before: Opened | None,
    ) -> None:
        self._plan, self._stop, self._control = plan, stop, control
        self._id, self._keeper, self._resumption, self._before = replay_id, keeper, resumption, before
        options = plan.options
        paced = options.pace is not None
        self._clock = PlayerClock(options.pace)
        self._probe = Probe(paced=paced) if options.probe else None
        self._floor: Floor | None = None
        silent = may_be_silent(options)
        self._producer = producer
        self._tally = Tally(
            plan.routes.topics,
            plan.routes.lanes,
            paced=paced,
            now=self._clock.now,
            matcher=None if self._probe is None else self._probe.matcher,
            frontier=None if keeper is None else keeper.frontier,
            silence=Silence(lambda: producer.holds, self._clock.now, ends=ends_by_lane(plan)) if silent else None,
        )
        self._patience = Patience(self._producer, self._tally, self._clock)
        self._middleware = None if options.middleware is None else Middleware(options.middleware)
        self._trouble = None if options.chaos is None else Trouble(options.chaos, plan.streams)
        piece_records = _PACED_PIECE if paced else _TOP_SPEED_PIECE
        self._timeline = Timeline(
            plan.streams,
            plan.routes,
            plan.survey,
            piece_records=piece_records,
            changes=chain(plan, replay_id, middleware=self._middleware, trouble=self._trouble),
            begin=(0, 0) if resumption is None else resumption.begin,
            skip=None if resumption is None else skipping(resumption.present.rows, plan.routes),
        )
        capped = options.records_per_second or options.megabits_per_second
        self._caps = Caps(options.records_per_second, options.bytes_per_second) if capped else None
        self._player = Player(
            self._timeline,
            self._clock,
            self._producer,
            self._tally,
            stopped=self._stopped,
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
            coverage=None if resumption is None else resumption.coverage,
            lap=0 if resumption is None else resumption.begin[0],
            moved=None if keeper is None else self._moved,
        )
        earlier = 0 if resumption is None else resumption.earlier.found
        self._showing = Showing(plan, replay_id, self._clock, self._tally, self._player, earlier, progress, tell)
        self._shown_ns = 0

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
            start_ns = time.time_ns() + lead_ns
            start_ms = start_ns // 1_000_000
            self._timeline.shift_ms = self._shift_ms(start_ms)
            if self._keeper is not None and self._resumption is None:
                self._keeper.begin(start_ms=start_ms, shift_ms=self._timeline.shift_ms)
            elif self._keeper is not None:
                self._keeper.go_on()
            self._begin(max(0, start_ns - time.time_ns()))
            if options.step:
                self._clock.pause()
            self._control.begin(self._showing.status, self._stop.set)
            try:
                ending = self._play()
            except (CaptureError, ChangeError) as error:  # found while reading: what was sent still gets its account
                ending, self._player.error = "error", str(error)
            finally:
                self._control.close()
            if ending == "interrupt" and self._control.stopped:
                ending = "stop"
            self._showing.over = True
            planned_ns = planned_by(plan, self._clock, self._player, ending)
            self._patience.confirm(lambda: ending != "end" or self._stop.is_set(), self._show)
            failure = self._producer.commit() if isinstance(self._producer, TransactionalProducer) else None
            if self._patience.over or failure:
                ending, self._player.error = "error", self._patience.sentence if self._patience.over else failure
            self._tally.settle(force=True)
            if self._keeper is not None:
                self._keeper.note()
            if self._probe is not None:
                self._probe.hear_last(self._producer.serve, self._clock, hurry=ending != "end")
        findings = () if self._keeper is None else self._keeper.findings()
        played = Played(
            self._clock, self._timeline, self._player, self._tally, self._producer, ending, start_ms, planned_ns
        )
        certificate = issue(
            plan,
            self._id,
            played,
            capped=0 if self._caps is None else self._caps.waits,
            floor=self._floor,
            probed=None if self._probe is None else self._probe.probed(),
            resumption=self._resumption,
            findings=findings,
            trouble=self._trouble,
            prologue=None if self._before is None else self._before.count,
        )
        return msgspec.structs.replace(certificate, objectives=judge(certificate, options.objectives))

    def _play(self) -> Ending:
        """Send everything, unless the state before it is not there as it should be."""
        if self._before is None or self._before.ending == "end":
            return self._player.play()
        self._player.error = self._before.error
        return self._before.ending

    def _begin(self, lead_ns: int) -> None:
        """Set the clock: to the beginning, or to the first record that an earlier part did not get to."""
        if self._resumption is None:
            self._clock.start(lead_ns)
            return
        first = self._timeline.first()
        if first is not None:
            self._player.at_position_ns = int(first.positions_ns[0])
        self._clock.start(lead_ns, position_ns=self._player.at_position_ns)

    def _shift_ms(self, start_ms: int) -> int:
        if self._resumption is not None:
            return self._resumption.state.shifted_by_ms
        shifts = self._plan.options.timestamps == "shift" and self._plan.survey.first_ms is not None
        return start_ms - self._plan.survey.first_ms if shifts else 0  # type: ignore[operator]

    def _stopped(self) -> bool:
        return self._patience.over or self._stop.is_set()

    def _moved(self, lap: int, number: int) -> None:
        if isinstance(self._producer, TransactionalProducer) and self._producer.commit() is not None:
            return  # what was sent before is not there, and nothing will be sent after it
        if self._keeper is not None:
            self._keeper.moved(lap, number, self._player.coverage.known)

    def _show(self) -> None:
        now = self._clock.now()
        if now - self._shown_ns < _SHOW_NS:
            return
        self._shown_ns = now
        self._patience.look()
        if self._keeper is not None:
            self._keeper.tick(now)
        if self._probe is not None:
            self._probe.hear()
        self._showing.show()
