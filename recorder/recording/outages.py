"""Who keeps the recording waiting, and for how long: said while it lasts, and noted when it is over.

A broker that restarts is nothing to worry about, and nothing is lost by it; but whoever watches a recording that stands
still, or finds its records late, should read why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recorder.capture.manifest import Note
from recorder.kafka.statistics import Load, Pulse
from recorder.window import format_duration, format_time

TELL_SECONDS = 3.0
"""Shorter silences are not worth a word: a leader moved, a connection was made anew."""
_NOBODY = -1
"""Stands for the leader that partitions don't have."""


@dataclass(slots=True)
class _Silences:
    """Of one broker. Times in seconds; those of `since` are monotonic."""

    since: float | None = None
    """When the one that lasts began."""
    since_ms: int = 0
    first_ms: int = 0
    times: int = 0
    total: float = 0.0
    longest: float = 0.0


class Outages:
    """Listens to the client's pulse. `clock` gives monotonic seconds, `now_ms` the time of day."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._clock, self._now_ms = clock, now_ms
        self._silences: dict[int, _Silences] = {}
        self._addresses: dict[int, str] = {}
        self._leading = 0
        self.load = Load()
        """What the brokers were asked so far."""
        self._last: Pulse | None = None

    def hear(self, pulse: Pulse) -> None:
        """Take note of who is silent now, and who is not any more."""
        if pulse is self._last:
            return
        self._last = pulse
        self.load = pulse.load
        self._addresses.update(pulse.addresses)
        self._leading = len(pulse.addresses)
        silent = {**pulse.silent, **({_NOBODY: 0.0} if pulse.leaderless else {})}
        for node, seconds in silent.items():
            one = self._silences.setdefault(node, _Silences())
            if one.since is None:
                one.since, one.since_ms = self._clock() - seconds, self._now_ms() - round(seconds * 1_000)
        for node in self._silences.keys() - silent.keys():
            self._end(node)

    @property
    def words(self) -> str:
        """Who keeps the recording waiting now, and for how long; empty when nobody does."""
        lasting = self._lasting()
        brokers = sorted(lasting.keys() - {_NOBODY})
        if not lasting:
            return ""
        seconds = f"for {max(lasting.values()):.0f} s"
        if not brokers:
            return f"partitions without a leader {seconds}"
        if len(brokers) == 1:
            return f"no answer from {self._name(brokers[0])} {seconds}"
        who = "any broker" if len(brokers) >= self._leading else "brokers " + ", ".join(map(str, brokers))
        return f"no answer from {who} {seconds}"

    def notes(self) -> Iterator[Note]:
        """What is worth knowing afterwards."""
        for node in sorted(self._silences):
            self._end(node)
            one = self._silences[node]
            if not one.times:
                continue
            who = "partitions had no leader" if node == _NOBODY else f"no answer from {self._name(node)}"
            long = format_duration(round(one.total * 1_000))
            if one.times > 1:
                long += f" in all ({one.times} times, the longest {format_duration(round(one.longest * 1_000))})"
            text = f"{who} for {long}, from {format_time(one.first_ms)} on: the recording waited"
            yield Note(level="info", text=text)

    def _lasting(self) -> dict[int, float]:
        now = self._clock()
        found = {node: now - one.since for node, one in self._silences.items() if one.since is not None}
        return {node: seconds for node, seconds in found.items() if seconds >= TELL_SECONDS}

    def _end(self, node: int) -> None:
        one = self._silences[node]
        seconds = 0.0 if one.since is None else self._clock() - one.since
        one.since = None
        if seconds >= TELL_SECONDS:
            one.first_ms = one.first_ms or one.since_ms
            one.times += 1
            one.total += seconds
            one.longest = max(one.longest, seconds)

    def _name(self, node: int) -> str:
        return f"broker {node} ({self._addresses.get(node, 'of an unknown address')})"
