"""Where every trigger arrives: named, counted against the day's cap, and noted on disk before anybody hears "yes".

The threads of the socket and of HTTP come here as well as the watcher's own; one lock keeps the notes whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from recorder.errors import CaptureError, RefusedError, UsageError
from recorder.watching.figures import Figures
from recorder.watching.settings import Settings
from recorder.watching.state import Pending, State, save_state
from recorder.watching.triggers import Called, Way
from recorder.window import format_duration, format_time

GIVE_UP_MS = 86_400_000
"""A capture that could not be taken within a day of its window's end is given up."""
_FIRST_RETRY_MS, _LONGEST_RETRY_MS = 5_000, 300_000
_SAVE_EVERY_MS = 5_000
_RECENT = 10_000

Told = Callable[[str], None]
"""Takes a line for the person or the journal."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A trigger fired at `at_ms`. What has an `origin` (a file) never fires twice."""

    trigger: str
    at_ms: int
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far conditions have come: the fields of `State` of the same names."""

    places: dict[str, dict[int, int]]
    topic_ids: dict[str, str]
    fired: dict[str, list[int]]
    times: dict[str, list[int]]


class Desk:
    """Takes triggers, and hands out the captures that are due."""

    def __init__(self, settings: Settings, state: State, figures: Figures, tell: Told) -> None:
        self.lost: list[str] = []
        """Triggers that no capture came of, each as a sentence."""
        self._settings = settings
        self._state = state
        self._figures = figures
        self._tell = tell
        self._lock = threading.Lock()
        self._saved = b""
        self._saved_ms = 0
        figures.pending = len(state.pending)

    @property
    def unsaved(self) -> bool:
        """The state can't be written at present: what is taken now would be taken in vain."""
        return bool(self._figures.unsaved)

    @property
    def pending(self) -> tuple[Pending, ...]:
        with self._lock:
            return tuple(self._state.pending)

    def call(self, name: str, way: Way, now_ms: int) -> Pending:
        """Somebody calls a trigger by its name.

        Raises UsageError for a name that can't be called this way, RefusedError beyond the daily cap, and
        CaptureError when the trigger can't be noted: nothing will come of it.
        """
        known = [one.name for one in self._settings.triggers if isinstance(one, Called) and way in one.by]
        if name not in known:
            raise UsageError(
                f"No trigger '{name}' can be called by {way}: {', '.join(known) or 'none'} can. "
                f"See {self._settings.file.name}."
            )
        taken = self.take(Moment(name, now_ms), now_ms)
        assert taken is not None
        return taken

    def take(self, moment: Moment, now_ms: int) -> Pending | None:
        """Note one trigger durably; None when its origin triggered already. Raises as `call`."""
        with self._lock:
            taken = self._admit(moment, now_ms)
            if taken is None:
                return None
            if error := self._save(now_ms):
                self._state.pending.remove(taken)
                self._state.taken -= 1
                self._state.recent = [one for one in self._state.recent if one != moment.origin]
                raise error
        self._announce(taken)
        return taken

    def watched(self, moments: Sequence[Moment], progress: Callable[[], Progress], now_ms: int) -> None:
        """Note what conditions found and, at once with it, how far they have come; without finds, now and then.

        When the state can't be written, finds are kept in memory and the next call tries again.
        """
        taken = []
        with self._lock:
            for moment in moments:
                try:
                    taken.append(self._admit(moment, now_ms))
                except RefusedError as error:
                    self._tell(str(error))
            if not moments and now_ms - self._saved_ms < _SAVE_EVERY_MS:
                return
            self._come_to(progress())
            self._save(now_ms)
        for one in taken:
            if one is not None:
                self._announce(one)

    def due(self, now_ms: int) -> Pending | None:
        """The capture to take now: its window is over (and has settled), and no retry is being waited for."""
        with self._lock:
            ready = [
                one
                for one in self._state.pending
                if one.to_ms + self._settings.settle_ms <= now_ms and one.not_before_ms <= now_ms
            ]
        return min(ready, key=lambda one: (one.not_before_ms, one.to_ms), default=None)

    def done(self, taken: Pending, now_ms: int) -> None:
        """Its capture stands: forget it."""
        with self._lock:
            self._state.pending.remove(taken)
            self._save(now_ms)

    def failed(self, taken: Pending, reason: str, now_ms: int) -> None:
        """Its capture could not be taken: try again later, or give it up after a day."""
        with self._lock:
            if now_ms - taken.to_ms > GIVE_UP_MS:
                self._give_up(taken, f"for a day it could not be taken: {reason}")
            else:
                self._state.pending.remove(taken)
                wait = min(_FIRST_RETRY_MS << min(taken.attempts, 10), _LONGEST_RETRY_MS)
                self._state.pending.append(
                    msgspec.structs.replace(taken, attempts=taken.attempts + 1, not_before_ms=now_ms + wait)
                )
                self._tell(f"{taken.capture}: {reason} It is tried again in {format_duration(wait)}.")
            self._save(now_ms)

    def close(self, progress: Progress, now_ms: int) -> None:
        """Note everything a last time. What can't be noted is lost, and named."""
        with self._lock:
            self._come_to(progress)
            if error := self._save(now_ms):
                for one in tuple(self._state.pending):
                    self._give_up(one, f"it was not taken before the end, and could not be noted: {error}")

    def _come_to(self, progress: Progress) -> None:
        self._state.places, self._state.topic_ids = progress.places, progress.topic_ids
        self._state.fired, self._state.times = progress.fired, progress.times

    def _admit(self, moment: Moment, now_ms: int) -> Pending | None:
        if moment.origin is not None:
            if moment.origin in self._state.recent:
                return None
            self._state.recent = [*self._state.recent, moment.origin][-_RECENT:]
        self._figures.count("triggers_seen", moment.trigger)
        today = format_time(now_ms)[:10]
        if self._state.day != today:
            self._state.day, self._state.taken = today, 0
        if self._state.taken >= self._settings.daily_cap:
            self._figures.count("triggers_capped", moment.trigger)
            raise RefusedError(
                f"{moment.trigger} fired at {format_time(moment.at_ms)}, but the {self._settings.daily_cap} captures "
                f"of {today} (UTC) are taken: raise daily_cap in {self._settings.file.name}."
            )
        self._state.taken += 1
        taken = Pending(
            capture=self._name(moment),
            trigger=moment.trigger,
            at_ms=moment.at_ms,
            from_ms=moment.at_ms - self._settings.before_ms,
            to_ms=moment.at_ms + self._settings.after_ms,
        )
        self._state.pending.append(taken)
        self._figures.count("triggers_taken", moment.trigger)
        return taken

    def _name(self, moment: Moment) -> str:
        name = f"{moment.trigger}-" + format_time(moment.at_ms).replace("-", "").replace(":", "")
        used = {one.capture for one in self._state.pending}
        number, unique = 1, name
        while unique in used or (self._settings.out / unique).exists():
            number += 1
            unique = f"{name}-{number}"
        return unique

    def _save(self, now_ms: int) -> CaptureError | None:
        """Write the state when it changed; the error, told once, when that fails: the next turn tries again."""
        self._figures.pending = len(self._state.pending)
        self._saved_ms = now_ms
        content = msgspec.json.encode(self._state)
        if content == self._saved:
            return None
        try:
            save_state(self._settings.state, self._state)
        except CaptureError as error:
            if not self._figures.unsaved:
                self._tell(f"The watcher can't keep its notes: {error}")
                self._figures.failed(str(error))
            self._figures.unsaved = str(error)
            return error
        self._figures.unsaved = ""
        self._saved = content
        return None

    def _give_up(self, taken: Pending, why: str) -> None:
        self._state.pending.remove(taken)
        self.lose(taken.trigger, f"{taken.capture} is lost: {why}")

    def lose(self, trigger: str, sentence: str) -> None:
        """No capture comes of a trigger that nobody can be told of: count it, name it."""
        self._figures.count("triggers_lost", trigger)
        self._figures.pending = len(self._state.pending)
        self.lost.append(sentence)
        self._tell(sentence)

    def _announce(self, taken: Pending) -> None:
        self._tell(
            f"{taken.trigger} fired: {format_time(taken.from_ms)} to {format_time(taken.to_ms)} "
            f"becomes {self._settings.out / taken.capture}"
        )
