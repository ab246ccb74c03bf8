"""The loop that sends: wait for a deadline, hand over all that is due, listen for reports, and nothing else in between.

It knows nothing of Kafka or of files. What is late is sent at once and in order unless something else was asked for
(lateness is counted from the plan), so time never runs differently for one topic than for another.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from recorder.errors import UsageError
from recorder.kafka.producer import Refusal, Report
from recorder.replaying.changes import ChangeWatch
from recorder.replaying.clock import PlayerClock
from recorder.replaying.conduct import Conduct, Ending, Publisher, Source
from recorder.replaying.control import (
    Burst,
    Command,
    Control,
    Pause,
    Rate,
    Resume,
    Seek,
    Step,
    Toggle,
    new_rate,
)
from recorder.replaying.coverage import Coverage
from recorder.replaying.schedule import NS_PER_MS
from recorder.replaying.supply import Supply
from recorder.replaying.tally import Tally
from recorder.replaying.timeline import Piece

_BURST = 64  # records handed over before looking at the clock and at reports again
_TOP_SPEED_BURST = 2_048
_ROUND_NS = 50_000_000  # between two looks at the accounts
_OVERDUE_NS = 5 * _ROUND_NS  # then it is done although records are due
_SLACK_NS = 500_000  # a wait that has room for something else
_LISTEN_NS = 1_000_000  # between two looks for reports while records are due
_PATIENCE_NS = 1_000_000
_LEAD_NS = 10_000_000  # after a seek: the next piece is made ready in it
_FOREVER_NS = 1 << 62


class Opened(NamedTuple):
    """A piece that has its accounts: delivery callbacks and deadlines (steady nanoseconds) of its records."""

    reports: list[Report]
    deadlines: list[int]
    anchors: int
    """How many the clock had then; since another one, the deadlines are wrong."""


class Player:
    """Plays a timeline. `tick` is called some times a second; `stopped` and `control` are looked at all the time.

    A replay that goes on has a `coverage` and a `lap` already; `moved` hears where seeks lead, before anything is sent.
    """

    def __init__(
        self,
        source: Source,
        clock: PlayerClock,
        publisher: Publisher,
        tally: Tally,
        *,
        stopped: Callable[[], bool] = lambda: False,
        tick: Callable[[], None] = lambda: None,
        control: Control | None = None,
        conduct: Conduct | None = None,
        coverage: Coverage | None = None,
        lap: int = 0,
        moved: Callable[[int, int], None] | None = None,
    ) -> None:
        self._supply, self._clock, self._publisher, self._tally = Supply(source), clock, publisher, tally
        self._stopped, self._tick, self._moved = stopped, tick, moved
        self._control = Control() if control is None else control
        self._conduct = conduct or Conduct()
        top_speed = clock.rate is None
        self._burst = _TOP_SPEED_BURST if top_speed else _BURST
        self._overdue_ns = _ROUND_NS if top_speed else _OVERDUE_NS
        unbounded = top_speed or self._conduct.late == "catchup"
        self._bound_ns = _FOREVER_NS if unbounded else self._conduct.late_bound_ns
        self._last_round_ns = self._listened_ns = clock.now()
        self._opened: Opened | None = None  # accounts of the piece that follows
        self._forced = 0  # records to be sent by command
        self._one_by_one = False
        self._left = False  # what is left of the present piece will not be sent
        self._sought = False  # the next piece is not the one that follows
        self._ending: Ending | None = None
        self.lap = lap
        self.at_position_ns = 0
        """Position of a record sent lately."""
        self.at_ms: int | None = None
        """And its time."""
        self.coverage = coverage or Coverage()
        self.changes = ChangeWatch()
        self.error: str | None = None
        """Why the replay ended early, when not because somebody stopped it."""
        self.queue_full = 0
        """How often the target was too slow and the client's queue full."""
        self.starved_ns = 0
        """Time in which records were due, or could have been, and reading had not delivered them."""
        self.commanded = 0
        """Records sent by command instead of by the plan."""
        self.slowed_ns = 0
        """By how much the plan was put off because records were late."""

    def play(self) -> Ending:
        """Send everything; returns when the last record was handed over (not yet confirmed), or earlier if stopped.

        Raises what reading raised, when all that came before it was handed over.
        """
        while self._ending is None and (piece := self._next()) is not None:
            self._play(piece)
        if self._ending is None and self._stopped() and not self._supply.finished:
            self._ending = "interrupt"
        self._finish_lap(whole=self._ending is None)
        return self._ending or "end"

    def _next(self) -> Piece | None:
        piece = self._supply.next()
        if piece is not None:
            return piece
        since = self._clock.now()
        while piece is None and not self._supply.finished and not self._stopped():
            self._breathe()
            self._obey_all()
            piece = self._supply.next()
        if piece is not None and len(piece) and not self._clock.paused:
            now = self._clock.now()
            self.starved_ns += max(0, min(now - since, now - int(self._clock.due(piece.positions_ns[:1])[0])))
        return piece

    def _play(self, piece: Piece) -> None:
        self._left = False
        if piece.lap != self.lap:
            self._turn(piece)
        if self._sought and not self._arrived(piece):
            return
        if not len(piece):
            self._account(piece, 0)
            return
        while self._opened is None and not self._tally.has_room(len(piece)):
            if not self._attend():
                return
            self.queue_full += self._tally.told  # else it is a rest that we take
            self._breathe()
        opened, self._opened = self._opened or self._open(piece), None
        reports, at, end = opened.reports, 0, len(piece)
        deadlines: list[int] | None = opened.deadlines
        while at < end and self._attend():
            if self._forced:
                at, deadlines = self._force(piece, reports, at), None
                continue
            if deadlines is None or opened.anchors != self._clock.anchored:
                due = self._clock.due(piece.positions_ns)
                self._tally.plan_again(due[at:])
                deadlines = due.tolist()
            at, deadlines = self._pace(piece, reports, deadlines, at), None
        if at < end:
            self._tally.withdraw()
            self._opened = None
        if at:
            self._reached(piece, at)
        self._account(piece, at)

    def _open(self, piece: Piece) -> Opened:
        """Open the accounts of a piece; there must be room."""
        due = self._clock.due(piece.positions_ns)
        return Opened(self._tally.admit(piece, due), due.tolist(), self._clock.anchored)

    def _open_ahead(self) -> bool:
        """Open those of the piece that follows, by the plan as it is now; False when it can't be done, or is."""
        piece = self._supply.ready
        if self._opened is not None or piece is None or not len(piece) or piece.lap != self.lap or self._sought:
            return False
        if self._clock.paused or not self._tally.fits(len(piece)):
            return False
        self._opened = self._open(piece)
        return True

    def _arrived(self, piece: Piece) -> bool:
        """After a seek, when all that was sent before is settled, tell where it led; False: stopped."""
        while self._moved is not None and self._tally.in_flight:
            self._breathe()
            if self._stopped():
                self._ending = "interrupt"
                return False
        self._sought = False
        if self._moved is not None:
            self._tally.settle(force=True)
            self._moved(piece.lap, piece.first)
        return True

    def _account(self, piece: Piece, at: int) -> None:
        reached = piece.reached(at)
        self.coverage.add(piece.first, reached)
        if piece.changed is not None:
            self.changes.sent(piece.changed, at, reached)

    def _pace(self, piece: Piece, reports: Sequence[Report], deadlines: list[int], at: int) -> int:
        """Send by the plan, until the piece is over or something else is to be done; answers how far that was."""
        clock, publisher, tally, caps = self._clock, self._publisher, self._tally, self._conduct.caps
        interrupted, bound, end = self._interrupted, self._bound_ns, len(piece)
        costs = None if caps is None else caps.costs(piece.sizes)
        while at < end:
            if interrupted():
                return at
            now = clock.now()
            if deadlines[at] > now:
                while (spare := deadlines[at] - now) > 0 and (spare > _SLACK_NS or self._pressing(end - at)):
                    if not self._use_wait(now):
                        break
                    now = clock.now()
                if not clock.sleep_until(deadlines[at], self._wait, interrupted):
                    return at
                now = clock.now()
            elif now - deadlines[at] > bound:
                return self._too_late(piece, deadlines, at, now)
            upto = bisect_right(deadlines, now, at, min(end, at + self._burst))
            if caps is not None and costs is not None:
                upto = at + caps.fitting(costs[at:upto], now)
                if upto == at:
                    clock.sleep_until(caps.free_ns, self._wait, interrupted)
                    continue
            taken, refusal = publisher.send(piece.columns, reports, at, upto)
            if taken:
                tally.dispatched(taken, clock.now())
                if caps is not None and costs is not None:
                    caps.spend(costs[at : at + taken], now)
                at += taken
            if refusal is not None:
                at += self._cope(refusal)
                if self._ending:
                    return at
            elif now - self._listened_ns > _LISTEN_NS and (at == end or deadlines[at] <= now):
                self._listened_ns = now  # in a wait, it is done there
                publisher.serve(0)
            if now - self._last_round_ns > self._overdue_ns:
                self._reached(piece, at)
                self._round(now)
        return at

    def _force(self, piece: Piece, reports: Sequence[Report], at: int) -> int:
        """Send what a command asks for, without a deadline."""
        records = 1 if self._one_by_one else min(self._forced, len(piece) - at)
        self._tally.unplan(records)
        taken, refusal = self._publisher.send(piece.columns, reports, at, at + records)
        if taken:
            self._tally.dispatched(taken, self._clock.now())
        passed = taken + (0 if refusal is None else self._cope(refusal))
        self.commanded += passed
        self._forced -= passed
        if passed and not self._forced:
            why: Literal["step", "burst"] = "step" if self._one_by_one else "burst"
            self._clock.jump(why, int(piece.positions_ns[at + passed - 1]))
        while self._one_by_one and self._tally.in_flight and not self._interrupted():
            self._breathe()
        return at + passed

    def _cope(self, refusal: Refusal) -> int:
        """Answers how many records to pass over."""
        if refusal.full:
            self.queue_full += 1
            self._publisher.serve(_PATIENCE_NS)
            return 0
        if refusal.fatal:
            self.error, self._ending = refusal.error, "error"
            return 0
        self._tally.refused(refusal.error, self._clock.now())
        return 1

    def _too_late(self, piece: Piece, deadlines: list[int], at: int, now: int) -> int:
        """A record is later than its bound: do what was asked for in that case."""
        late_ns = now - deadlines[at]
        if self._conduct.late == "slow":
            self.slowed_ns += late_ns
            self._clock.jump("late", int(piece.positions_ns[at]), now)
            return at
        if self._conduct.late == "drop":
            dropped = bisect_left(deadlines, now - self._bound_ns, at) - at
            self._tally.drop(dropped, now)
            return at + dropped
        self._ending = "late"
        self.error = f"a record was {late_ns / 1e6:.0f} ms late, the bound is {self._bound_ns / 1e6:.0f} ms"
        return at

    def _turn(self, piece: Piece) -> None:
        """The first piece of the next pass: it is due when the last record of this one was, and the delay later."""
        self._finish_lap(whole=True)
        self.lap = piece.lap
        clock = self._clock
        if not len(piece):
            return
        if clock.paused or clock.rate is None:
            end_ns = clock.now()
        else:
            end_ns = int(clock.due(np.array([self.at_position_ns]))[0])
        clock.jump("loop", int(piece.positions_ns[0]), end_ns + self._conduct.loop_delay_ns)

    def _finish_lap(self, *, whole: bool) -> None:
        conduct = self._conduct
        stop = conduct.first + conduct.records if whole and conduct.records is not None else None
        self.coverage.finish(conduct.first, stop)

    def _interrupted(self) -> bool:
        return self._stopped() or self._control.pending()

    def _attend(self) -> bool:
        """Obey the commands that wait; False when what is left of the present piece will not be sent."""
        self._obey_all()
        if self._stopped() and self._ending is None:
            self._ending = "interrupt"
        return self._ending is None and not self._left

    def _obey_all(self) -> None:
        while not self._stopped() and (waiting := self._control.take()) is not None:
            command, done = waiting
            try:
                self._obey(command)
            except UsageError as error:
                done.set_exception(error)
            else:
                done.set_result(None)

    def _obey(self, command: Command) -> None:
        clock = self._clock
        if isinstance(command, Toggle):
            command = Resume() if clock.paused else Pause()
        if isinstance(command, Rate):
            clock.change_rate(new_rate(command, clock.rate))
            return
        self._forced = 0
        match command:
            case Pause():
                clock.pause()
            case Resume():
                clock.resume()
            case Seek():
                self._seek(command)
            case Step() | Burst():
                self._forced, self._one_by_one = command.count, isinstance(command, Step)
                if self._one_by_one:
                    clock.pause()

    def _seek(self, command: Seek) -> None:
        conduct, clock = self._conduct, self._clock
        to_ms = max(conduct.first_ms, command.ms + (conduct.first_ms if command.relative else 0))
        self._left = self._sought = True
        self._supply.seek(to_ms, self.lap)
        while (piece := self._supply.look()) is None and not self._supply.finished and not self._stopped():
            self._breathe()
        if piece is None or piece.lap != self.lap or not len(piece):  # nothing is left of this pass
            self.at_position_ns = clock.position()
            return
        ahead_ms = int(piece.times_ms[0]) - to_ms
        if conduct.max_gap_ms is not None:
            ahead_ms = min(ahead_ms, conduct.max_gap_ms)
        clock.jump("seek", int(piece.positions_ns[0]) - ahead_ms * NS_PER_MS, clock.now() + _LEAD_NS)

    def _reached(self, piece: Piece, at: int) -> None:
        self.at_position_ns, self.at_ms = int(piece.positions_ns[at - 1]), int(piece.times_ms[at - 1])

    def _breathe(self) -> None:
        """Listen for reports while there is nothing to send, or no room for it."""
        self._publisher.serve(_PATIENCE_NS)
        now = self._clock.now()
        if now - self._last_round_ns > _ROUND_NS:
            self._round(now)

    def _wait(self, spare_ns: int) -> None:
        """Make use of a wait, or else listen for reports."""
        if not spare_ns or not self._use_wait(self._clock.now()):
            self._publisher.serve(spare_ns)

    def _pressing(self, left: int) -> bool:
        """Something has to be done before it holds up many records, also where there is no pause for it."""
        return self._tally.pressing or (left <= _BURST and self._opened is None and self._supply.more)

    def _use_wait(self, now: int) -> bool:
        """Prepare the next piece, or do some sums; False when there was nothing to do. Each takes about 0.3 ms."""
        if self._supply.prepare() or self._open_ahead():
            return True
        if now - self._last_round_ns > _ROUND_NS:
            self._last_round_ns = now
            self._tick()
            return True
        return self._tally.step(now)

    def _round(self, now: int) -> None:
        self._last_round_ns = now
        self._tally.settle()
        self._tick()
