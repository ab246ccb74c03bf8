"""How the rhythm was kept: gaps between neighbours, records per second, and lateness as it went on.

Series have a bounded number of steps: when a replay outlasts them, two neighbouring steps become one.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from recorder.replaying.histogram import Distribution, Histogram

NS_PER_SECOND = 1_000_000_000
MOST_SECONDS = 3_600
MOST_STEPS = 512
_FIRST_STEP_NS = 1 << 24  # 17 ms
_NONE = np.iinfo(np.int64).min

Ints = npt.NDArray[np.int64]


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Records by the second in which they were due, and in which they were handed over, both since T0.

    A step is one second; in replays of more than an hour 2, 4, …
    """

    step_ns: int
    planned: tuple[int, ...]
    sent: tuple[int, ...]
    mean_error: float
    """Records a second, sent against planned, whichever way; the mean over all steps."""
    max_error: float
    """And the worst step's."""
    error_share: float
    """The mean error as a share of the mean planned rate."""


class LatenessSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Dispatch lateness by when records were due, since T0; a step without records has None."""

    step_ns: int
    mean_ns: tuple[int | None, ...]
    max_ns: tuple[int | None, ...]


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """How the plan's rhythm was kept."""

    gap_error: Distribution | None
    """The actual gap between two consecutive records against the planned one, whichever way."""
    rates: Rates
    lateness: LatenessSeries


class RhythmWatch:
    """Takes in planned records in the order of their sending, and those that were dropped."""

    def __init__(self) -> None:
        self.gap_error = Histogram()
        self.inversions = 0
        """Records handed over after one that was due later."""
        self._rates = _Steps(NS_PER_SECOND, MOST_SECONDS, ("sum", "sum"))
        self._lateness = _Steps(_FIRST_STEP_NS, MOST_STEPS, ("sum", "sum", "max"))
        self._began_ns: int | None = None
        self._last_lateness_ns: int | None = None
        self._latest_due_ns = _NONE

    def sent(self, due: Ints, at: Ints) -> None:
        """Deadlines, and when these records were handed over (steady nanoseconds)."""
        if not len(due):
            return
        planned, sent = self._since_began(due), self._since_began(at)
        lateness = at - due
        before = lateness[:1] if self._last_lateness_ns is None else np.array([self._last_lateness_ns], np.int64)
        gaps = np.abs(np.diff(lateness, prepend=before))
        self.gap_error.record(gaps[1:] if self._last_lateness_ns is None else gaps)
        self._last_lateness_ns = int(lateness[-1])
        latest = np.maximum.accumulate(np.concatenate(([self._latest_due_ns], due)))
        self.inversions += int(np.count_nonzero(due < latest[:-1]))
        self._latest_due_ns = int(latest[-1])
        ones = np.ones(len(due), np.int64)
        self._rates.add(planned, {0: ones})
        self._rates.add(sent, {1: ones})
        self._lateness.add(planned, {0: ones, 1: lateness, 2: lateness})

    def dropped(self, due: Ints) -> None:
        """Deadlines of records that were left out."""
        if len(due):
            self._rates.add(self._since_began(due), {0: np.ones(len(due), np.int64)})

    def rhythm(self) -> Rhythm | None:
        """A summary to keep; None when nothing was planned."""
        if self._began_ns is None:
            return None
        planned, sent = self._rates.columns()
        seconds = self._rates.step_ns / NS_PER_SECOND
        errors = np.abs(sent - planned) / seconds
        counts, sums, most = self._lateness.columns()
        known = (counts > 0).tolist()
        means = np.rint(sums / np.maximum(counts, 1)).astype(np.int64)
        return Rhythm(
            gap_error=self.gap_error.distribution(),
            rates=Rates(
                step_ns=self._rates.step_ns,
                planned=tuple(planned.tolist()),
                sent=tuple(sent.tolist()),
                mean_error=float(errors.mean()),
                max_error=float(errors.max()),
                error_share=float(np.abs(sent - planned).sum() / max(1, planned.sum())),
            ),
            lateness=LatenessSeries(
                step_ns=self._lateness.step_ns,
                mean_ns=tuple(ns if seen else None for ns, seen in zip(means.tolist(), known, strict=True)),
                max_ns=tuple(ns if seen else None for ns, seen in zip(most.tolist(), known, strict=True)),
            ),
        )

    def _since_began(self, times: Ints) -> Ints:
        if self._began_ns is None:
            self._began_ns = int(times[0])
        return np.maximum(times - self._began_ns, 0)


class _Steps:
    """Columns of figures by steps of time."""

    def __init__(self, step_ns: int, most: int, kinds: tuple[Literal["sum", "max"], ...]) -> None:
        self.step_ns = step_ns
        self._kinds = kinds
        self._table = np.full((len(kinds), most), 0, np.int64)
        for row in self._most():
            row[:] = _NONE
        self._used = 0

    def add(self, since_ns: Ints, figures: dict[int, Ints]) -> None:
        """Figures by the number of their column, each with its time."""
        last = int(since_ns.max())
        while last // self.step_ns >= self._table.shape[1]:
            self._fold()
        steps = since_ns // self.step_ns
        self._used = max(self._used, last // self.step_ns + 1)
        for column, values in figures.items():
            gather = np.add if self._kinds[column] == "sum" else np.maximum
            gather.at(self._table[column], steps, values)

    def columns(self) -> Ints:
        return self._table[:, : self._used]

    def _most(self) -> list[Ints]:
        return [row for row, kind in zip(self._table, self._kinds, strict=True) if kind == "max"]

    def _fold(self) -> None:
        half = self._table.shape[1] // 2
        for row, kind in zip(self._table, self._kinds, strict=True):
            gather = np.add if kind == "sum" else np.maximum
            row[:half] = gather(row[0::2], row[1::2])
            row[half:] = 0 if kind == "sum" else _NONE
        self.step_ns *= 2
        self._used = -(-self._used // 2)
