"""Conditions on records: which of those that arrived fire a trigger, judged by the records' own times.

By their own times, because after a restart or an outage an hour of records arrives in a second, in the order of the
partitions rather than of time, and must be judged as if the watcher had been there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.query.decoding import TopicDecoder
from recorder.watching.payloads import condition
from recorder.watching.triggers import OnRecords

Times = npt.NDArray[np.int64]

_MONTH_MS, _MINUTE_MS = 30 * 86_400_000, 60_000
_SPREAD_MS = 60_000
"""How far apart in time the partitions of a topic may arrive and still be counted together."""
_REMEMBERED = 1_000


class Watched:
    """One trigger on records: its condition, when it fired, and the times that its rate still counts."""

    def __init__(self, trigger: OnRecords, *, fired: Iterable[int] = (), times: Iterable[int] = ()) -> None:
        self.trigger = trigger
        self.fired = list(fired)
        """Epoch ms, as they were found."""
        self.times: Times = np.array(sorted(times), np.int64)
        self._condition = condition(trigger.where) if trigger.where is not None else None

    def judge(self, batch: pa.RecordBatch, now_ms: int, decoder: TopicDecoder | None = None) -> list[int]:
        """The moments (epoch ms) at which this batch (RECORD_SCHEMA, of the trigger's topic) fires it.

        Without the batch's `decoder`, the condition sees what needs no schema.
        """
        found = _sane(batch.column("timestamp_ms").to_numpy(), now_ms)
        if self._condition is not None:
            found = found[self._condition.holds(batch, decoder)]
        for at_ms in self.fired:
            found = self._unheld(found, at_ms)
        found = np.sort(found)
        fired = list(self._each(found) if self.trigger.most is None else self._bursts(found, self.trigger.most))
        if self.trigger.hold_ms:
            self.fired = [*self.fired, *fired][-_REMEMBERED:]
        return fired

    def close(self) -> None:
        if self._condition is not None:
            self._condition.close()

    def _each(self, found: Times) -> Iterator[int]:
        while len(found):
            at_ms = int(found[0])
            yield at_ms
            found = self._unheld(found[1:], at_ms)

    def _bursts(self, found: Times, most: int) -> Iterator[int]:
        """Each time up to which (inclusive) more than `most` records lie within the trigger's span."""
        if not len(found):
            return
        self.times = np.sort(np.concatenate((self.times, found)))
        while len(self.times) > most:
            close = np.flatnonzero(self.times[most:] - self.times[: len(self.times) - most] < self.trigger.over_ms)
            if not len(close):
                break
            end = most + int(close[0])
            at_ms = int(self.times[end])
            yield at_ms
            # What made this burst is not counted again.
            self.times = self._unheld(self.times[end + 1 :], at_ms)
        if len(self.times):
            self.times = self.times[self.times > self.times[-1] - self.trigger.over_ms - _SPREAD_MS]

    def _unheld(self, times: Times, at_ms: int) -> Times:
        """Without those so near to a moment that it stands for them too."""
        return times[np.abs(times - at_ms) >= self.trigger.hold_ms]


def sane_time(at_ms: int, now_ms: int) -> int:
    """A time that lies in the future, or a month back, is a mistake: it means now."""
    return at_ms if now_ms - _MONTH_MS < at_ms <= now_ms + _MINUTE_MS else now_ms


def _sane(times: Times, now_ms: int) -> Times:
    return np.where((times > now_ms - _MONTH_MS) & (times <= now_ms + _MINUTE_MS), times, now_ms)
