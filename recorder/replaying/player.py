"""The loop that sends: wait for a deadline, hand over all that is due, listen for reports, and nothing else in between.

It knows nothing of Kafka or of files. What is late is sent at once and in order (lateness is counted from the plan),
so time never runs differently for one topic than for another.
"""

from __future__ import annotations

import gc
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, Protocol

from recorder.kafka.producer import Columns, Refusal, Report
from recorder.replaying.clock import PlayerClock, precise_sleep
from recorder.replaying.tally import Tally
from recorder.replaying.timeline import Piece

Ending = Literal["end", "interrupt", "error"]

_BURST = 64  # records handed over before looking at the clock and at reports again
_TOP_SPEED_BURST = 2_048
_ROUND_NS = 50_000_000  # between two looks at the accounts
_PATIENCE_NS = 1_000_000


class Source(Protocol):
    """Where pieces come from (a `Timeline`)."""

    def take(self) -> Piece | None: ...

    @property
    def finished(self) -> bool: ...


class Publisher(Protocol):
    """Where records go (a `RecordProducer`)."""

    def send(
        self, columns: Columns, reports: Sequence[Report], start: int, stop: int
    ) -> tuple[int, Refusal | None]: ...

    def serve(self, wait_ns: int) -> None: ...


class Player:
    """Plays a timeline once. `tick` is called some times a second; `stopped` is asked all the time."""

    def __init__(
        self,
        source: Source,
        clock: PlayerClock,
        publisher: Publisher,
        tally: Tally,
        *,
        stopped: Callable[[], bool] = lambda: False,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._source, self._clock, self._publisher, self._tally = source, clock, publisher, tally
        self._stopped, self._tick = stopped, tick
        self._burst = _TOP_SPEED_BURST if clock.rate is None else _BURST
        self._following: Piece | None = None
        self._last_round_ns = clock.now()
        self.error: str | None = None
        """Why the replay ended early, when the client gave up for good."""
        self.queue_full = 0
        """How often the target was too slow and the client's queue full."""
        self.starved_ns = 0
        """Time in which records were due, or could have been, and reading had not delivered them."""

    def play(self) -> Ending:
        """Send everything; returns when the last record was handed over (not yet confirmed), or earlier if stopped."""
        while (piece := self._next()) is not None:
            if not self._play(piece):
                self._tally.withdraw()
                return "error" if self.error else "interrupt"
        return "interrupt" if self._stopped() and not self._source.finished else "end"

    def _next(self) -> Piece | None:
        piece, self._following = self._following or self._source.take(), None
        while piece is None and not self._stopped():
            since = self._clock.now()
            self._publisher.serve(_PATIENCE_NS)
            piece = self._source.take()
            if piece is None and self._source.finished:
                break
            self.starved_ns += self._clock.now() - since
        return piece

    def _play(self, piece: Piece) -> bool:
        while not self._tally.has_room(len(piece)):
            if self._stopped():
                return False
            self.queue_full += 1
            self._publisher.serve(_PATIENCE_NS)
        clock, publisher, tally = self._clock, self._publisher, self._tally
        due = clock.due(piece.positions_ns)
        reports = tally.admit(piece, due)
        deadlines, at, end = due.tolist(), 0, len(piece)
        while at < end:
            if self._stopped():
                return False
            now = clock.now()
            if deadlines[at] > now:
                if not clock.sleep_until(deadlines[at], self._wait, self._stopped):
                    return False
                now = clock.now()
            upto = bisect_right(deadlines, now, at, min(end, at + self._burst))
            taken, refusal = publisher.send(piece.columns, reports, at, upto)
            if taken:
                tally.dispatched(taken, clock.now())
                at += taken
            if refusal is None:
                publisher.serve(0)
            elif refusal.full:
                self.queue_full += 1
                publisher.serve(_PATIENCE_NS)
            elif refusal.fatal:
                self.error = refusal.error
                return False
            else:
                tally.refused(refusal.error, clock.now())
                at += 1
            if now - self._last_round_ns > _ROUND_NS:
                self._round(now)
        return True

    def _wait(self, spare_ns: int) -> None:
        """Make use of a wait: prepare the next piece, do the sums, or else listen for reports."""
        if spare_ns:
            if self._following is None:
                self._following = self._source.take()
                if self._following is not None:
                    return
            now = self._clock.now()
            if now - self._last_round_ns > _ROUND_NS:
                self._round(now)
                return
        self._publisher.serve(spare_ns)

    def _round(self, now: int) -> None:
        self._last_round_ns = now
        self._tally.settle()
        self._tick()


@contextmanager
def steady_interpreter() -> Iterator[None]:
    """No garbage collection, quick hand-over between threads and exact sleeps, while records are sent."""
    interval = sys.getswitchinterval()
    collecting = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(0.0002)
    try:
        with precise_sleep():
            yield
    finally:
        sys.setswitchinterval(interval)
        gc.unfreeze()
        if collecting:
            gc.enable()
