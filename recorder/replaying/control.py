"""A replay in hand while it runs: commands from other threads, obeyed by the player between two records.

The player alone touches clock and records, so a command never meets a half-sent piece; who asked waits for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from typing import Annotated, Literal

import msgspec

from recorder.errors import BlackboxError, UsageError
from recorder.replaying.options import Point
from recorder.window import format_duration, format_time

State = Literal["playing", "paused", "confirming"]
LOWEST_RATE, HIGHEST_RATE = 0.001, 1_000_000.0
_SECONDS = 30.0


class Pause(msgspec.Struct, frozen=True, tag="pause", tag_field="command"):
    """Let time stand still."""


class Resume(msgspec.Struct, frozen=True, tag="resume", tag_field="command"):
    """Let it run again."""


class Toggle(msgspec.Struct, frozen=True, tag="toggle", tag_field="command"):
    """Pause or resume."""


class Rate(msgspec.Struct, frozen=True, tag="rate", tag_field="command"):
    """Play at another rate, or, if `relative`, so many times as fast as now."""

    rate: Annotated[float, msgspec.Meta(gt=0)]
    relative: bool = False


def new_rate(command: Rate, rate: float | None) -> float:
    """What a rate becomes by a command. Raises UsageError."""
    if rate is None:
        raise UsageError("It plays at top speed, which has no rate: start it with --rate to change it.")
    rate = command.rate * rate if command.relative else command.rate
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UsageError(f"{rate:g} is not a rate: give a factor such as 0.5, 1 or 10.")
    return rate


class Seek(msgspec.Struct, frozen=True, tag="seek", tag_field="command"):
    """Go on from another moment: epoch milliseconds, or, if `relative`, milliseconds after the first record."""

    ms: int
    relative: bool = False


class Step(msgspec.Struct, frozen=True, tag="step", tag_field="command"):
    """Pause, and send so many records now, one by one, each confirmed before the next."""

    count: Annotated[int, msgspec.Meta(ge=1)] = 1


class Burst(msgspec.Struct, frozen=True, tag="burst", tag_field="command"):
    """Send so many records at once, then go on from there (or stay paused)."""

    count: Annotated[int, msgspec.Meta(ge=1)] = 1


class Stop(msgspec.Struct, frozen=True, tag="stop", tag_field="command"):
    """End the replay as Ctrl-C does: what was sent is confirmed, the rest is not sent."""


class AskStatus(msgspec.Struct, frozen=True, tag="status", tag_field="command"):
    """Change nothing."""


Command = Pause | Resume | Toggle | Rate | Seek | Step | Burst | Stop | AskStatus


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Where a replay stands."""

    replay_id: str
    capture: str
    target: str
    pid: int
    state: State
    position_ms: int | None
    """The recorded time that the plan has come to; None before the first record."""
    played_ms: float
    """How far that is from the timeline's first record, and of how much."""
    duration_ms: float
    first_ms: int | None = None
    last_ms: int | None = None
    """Recorded times of the timeline's first and last records."""
    rate: float | None
    """None: top speed."""
    lap: int
    laps: int
    """How many passes; 0 is for ever."""
    planned: int | None
    """Records in all passes; None for ever."""
    sent: int
    acked: int
    earlier: int
    """Records that were in the target already when this part of a resumed replay began."""
    failed: int
    dropped: int
    lateness_ns: int
    """Of the record sent last by the plan."""
    eta_ms: float | None
    """Real time to go by the plan; None when nothing says."""


Waiting = tuple[Command, "Future[None]"]


class Control:
    """The line between those who command and the player."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._lock = threading.Lock()
        self._begun = threading.Event()
        self._over = False
        self._describe: Callable[[], Status] | None = None
        self._stop: Callable[[], None] = lambda: None
        self.stopped = False
        """The end was asked for by a command."""

    def begin(self, describe: Callable[[], Status], stop: Callable[[], None]) -> None:
        """Commands are obeyed from now on: how to tell where the replay stands, and how to end it."""
        self._describe, self._stop = describe, stop
        self._begun.set()

    def pending(self) -> bool:
        """Is a command waiting?"""
        return bool(self._waiting)

    def ask(self, command: Command) -> Status:
        """Have a command obeyed, and say where the replay stands then; from any thread but the player's.

        Waits for the replay to begin. Raises UsageError for what can't be done, BlackboxError when there is nobody to
        do it.
        """
        if not self._begun.wait(_SECONDS) or self._describe is None:
            raise UsageError("The replay has not begun.")
        if isinstance(command, Stop):
            self.stopped = True
            self._stop()
        elif not isinstance(command, AskStatus):
            if isinstance(command, Seek):
                _require_within(command, self._describe())
            done: Future[None] = Future()
            with self._lock:
                if self._over:
                    raise UsageError("The replay is not playing any more: all is sent.")
                self._waiting.append((command, done))
            try:
                done.result(_SECONDS)
            except TooLate:
                raise BlackboxError(f"The replay did not obey within {_SECONDS:.0f} s.") from None
        return self._describe()

    def take(self) -> Waiting | None:
        """The next command, for the player: it sets the result when it has obeyed, or the error."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def close(self) -> None:
        """No command can be obeyed any more."""
        with self._lock:
            self._over = True
            self._begun.set()
            while (waiting := self.take()) is not None:
                waiting[1].set_exception(UsageError("The replay has just ended."))


def _require_within(seek: Seek, now: Status) -> None:
    """A slip of the finger must not end a replay: what lies behind a pass's end is the next pass, but for the last."""
    if now.first_ms is None or now.last_ms is None or now.lap != now.laps:
        return
    if seek.ms + (now.first_ms if seek.relative else 0) > now.last_ms:
        raise UsageError(
            f"The timeline ends at {format_time(now.last_ms)} (+{format_duration(now.last_ms - now.first_ms)}), before "
            "that: 'blackbox ctl stop' ends the replay."
        )


def seek_to(point: Point) -> Seek:
    """The command to go to a moment of the timeline."""
    return Seek(point.ms, point.relative)
