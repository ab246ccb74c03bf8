"""What happened to every offset of one partition: built while reading, kept as a few runs of equal reason.

Rows of missing offsets are numpy columns, not Python objects: a compacted topic leaves millions of holes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import numpy.typing as npt

from recorder.capture.manifest import LOSS_REASONS, Gap, GapReason

Offsets = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

REASONS: tuple[GapReason, ...] = get_args(GapReason)
_CODE = {reason: code for code, reason in enumerate(REASONS)}
_UNKNOWN = -1
Explain = Callable[[Offsets, Offsets], Offsets]
"""Rows (n, 4: first, last, missing, reason code) for holes given by their first and last offsets."""
MOST_GAPS = 4_096
"""A partition's gaps in a capture made from others, before they are told less finely (FORMAT.md 11)."""
_MOST_ROWS = 1 << 18
_FIRST, _LAST, _MISSING, _REASON = range(4)


class Ledger:
    """Accounts for the offsets of one partition from `start` to `position`, in order.

    Holes are explained later, or at once: `explain` knows them from other captures' ledgers (`Known`).
    """

    def __init__(self, start: int, explain: Explain | None = None) -> None:
        self.start = start
        self._explain = explain
        self.coarse = False
        """Whether so many reasons alternate that what was left out is not told from what was missing before."""
        self._scattered = False
        self.position = start
        """The next offset that nothing is known of."""
        # Each (n, 4): first, last, missing, reason code. The fresh ones are those that `settle` did not give yet.
        self._settled: list[Offsets] = []
        self._fresh: list[Offsets] = []

    def saw(self, offsets: Offsets, kept: Flags, otherwise: GapReason = "filtered") -> None:
        """The broker gave these offsets (increasing, from `position` on); those not `kept` are absent for a reason.

        Offsets that were skipped in between are holes, to be explained later.
        """
        if not len(offsets):
            return
        if offsets[0] < self.position or (np.diff(offsets) <= 0).any():
            raise ValueError(f"offsets must increase from {self.position}, got {offsets[0]} to {offsets[-1]}")
        expected = np.concatenate(([self.position], offsets[:-1] + 1))
        hole = offsets > expected
        left_out = offsets[~kept]
        rows = np.concatenate(
            (
                self._holes(expected[hole], offsets[hole] - 1),
                _rows(left_out, left_out, _CODE[otherwise]),
            )
        )
        self._append(rows[np.argsort(rows[:, _FIRST], kind="stable")])
        self.position = int(offsets[-1]) + 1

    def advance(self, position: int, reason: GapReason | None = None) -> None:
        """Nothing lies between the current position and `position`: for `reason`, or a hole to be explained."""
        if position > self.position:
            first, last = np.array([self.position]), np.array([position - 1])
            self._append(self._holes(first, last) if reason is None else _rows(first, last, _CODE[reason]))
            self.position = position

    def holes(self) -> Offsets:
        """The spans still to be explained, (n, 2): first and last offset, inclusive."""
        rows = self._all()
        spans: Offsets = rows[rows[:, _REASON] == _UNKNOWN][:, : _LAST + 1]
        return spans

    def explain(self, visible: Offsets, rest: GapReason, *, before: int | None = None) -> None:
        """Explain all holes, or those that end `before` an offset: `visible` offsets (sorted) are aborted records, what
        remains is for `rest`.

        `visible` are those that a read_uncommitted reader gets where a read_committed reader gets nothing:
        exactly the records of aborted transactions.
        """
        rows = self._all()
        unknown = rows[:, _REASON] == _UNKNOWN
        if before is not None:
            unknown &= rows[:, _LAST] < before
        first, last = rows[unknown, _FIRST], rows[unknown, _LAST]
        hole = np.searchsorted(first, visible, side="right") - 1
        aborted = visible[(hole >= 0) & (visible <= last[hole])] if len(first) else visible[:0]
        # Each aborted record cuts its hole in two; the pieces' sorted starts and ends belong together.
        starts, ends = np.sort(np.concatenate((first, aborted + 1))), np.sort(np.concatenate((aborted - 1, last)))
        between = ends >= starts
        explained = np.concatenate(
            (
                rows[~unknown],
                _rows(aborted, aborted, _CODE["aborted"]),
                _rows(starts[between], ends[between], _CODE[rest]),
            )
        )
        self._settled, self._fresh = [_coalesce(explained[np.argsort(explained[:, _FIRST], kind="stable")])], []

    def starts_of(self, reason: GapReason) -> list[int]:
        """The first offset of each gap of this reason."""
        rows = self._all()
        starts: list[int] = rows[rows[:, _REASON] == _CODE[reason], _FIRST].tolist()
        return starts

    def gaps(self) -> tuple[Gap, ...]:
        """The ledger as the manifest keeps it; holes that nobody explained are `unexplained`."""
        if self._explain is not None and (self.coarse or len(self._all()) > MOST_GAPS):
            self._coarsen(MOST_GAPS, open_end=0)
        rows = self._all().copy()
        rows[rows[:, _REASON] == _UNKNOWN, _REASON] = _CODE["unexplained"]
        return tuple(
            Gap(first_offset=first, last_offset=last, missing=missing, reason=REASONS[code])
            for first, last, missing, code in _coalesce(rows).tolist()
        )

    def _holes(self, first: Offsets, last: Offsets) -> Offsets:
        return _rows(first, last, _UNKNOWN) if self._explain is None else self._explain(first, last)

    def settle(self) -> Offsets:
        """The rows since the last call, (n, 4); from those of all calls another ledger can be `restore`d."""
        fresh = _joined(self._fresh)
        self._fresh = []
        _add(self._settled, fresh)
        return fresh

    def restore(self, position: int, rows: Offsets) -> None:
        """Go on where another ledger stood at `position`, with the next of the `rows` that it settled."""
        self._fresh = []
        _add(self._settled, rows)
        self.position = position

    def _append(self, rows: Offsets) -> None:
        _add(self._fresh, _coalesce(rows))
        if self._explain is not None and sum(map(len, self._fresh)) > _MOST_ROWS:
            self._coarsen(_MOST_ROWS // 2, open_end=1)

    def _coarsen(self, most: int, *, open_end: int) -> None:
        """Fold rows, everywhere if else there were more than `most`. The last may still grow while the end is open."""
        rows = self._all()
        done, rest = rows[: len(rows) - open_end], rows[len(rows) - open_end :]
        near = _folded(done, everywhere=False)
        self.coarse = True
        self._scattered = self._scattered or len(near) > most
        folded = _folded(near, everywhere=True) if self._scattered else near
        self._settled, self._fresh = [], [np.concatenate((folded, rest))]

    def _all(self) -> Offsets:
        return _joined([*self._settled, *self._fresh])


def _add(pieces: list[Offsets], rows: Offsets) -> None:
    if len(rows):
        pieces.append(rows)
        if len(pieces) > 256:
            pieces[:] = [_joined(pieces)]


def _joined(pieces: list[Offsets]) -> Offsets:
    return _coalesce(np.concatenate(pieces)) if pieces else np.empty((0, 4), np.int64)


def _folded(rows: Offsets, *, everywhere: bool) -> Offsets:
    """Rows where what is no loss and stands beside filtered offsets counts as filtered too: without a record between
    them, or `everywhere` between two losses. What is in quarantine stays told, as losses do.
    """
    reason = rows[:, _REASON]
    filtered = reason == _CODE["filtered"]
    alone = np.isin(reason, [_CODE[one] for one in (*LOSS_REASONS, "quarantined")])
    apart = np.zeros(len(rows), np.bool_)
    if not everywhere:
        alone |= ~filtered & (rows[:, _LAST] - rows[:, _FIRST] + 1 > rows[:, _MISSING])
        apart[1:] = rows[1:, _FIRST] > rows[:-1, _LAST] + 1
    group = np.cumsum(apart | alone | np.concatenate(([False], alone[:-1])))
    beside = np.bincount(group, weights=filtered) > 0
    folded = rows.copy()
    folded[:, _REASON] = np.where(beside[group], _CODE["filtered"], reason)
    return _coalesce(folded)


def _rows(first: Offsets, last: Offsets, code: int) -> Offsets:
    return np.stack((first, last, last - first + 1, np.full(len(first), code)), axis=1).astype(np.int64)


def _coalesce(rows: Offsets) -> Offsets:
    """Join neighbours of one reason; records may lie between them (FORMAT.md 11). Unknown holes stay exact."""
    if len(rows) < 2:
        return rows
    reason = rows[:, _REASON]
    starts = np.flatnonzero(np.concatenate(([True], (reason[1:] != reason[:-1]) | (reason[1:] == _UNKNOWN))))
    ends = np.concatenate((starts[1:], [len(rows)])) - 1
    missing = np.add.reduceat(rows[:, _MISSING], starts)
    return np.stack((rows[starts, _FIRST], rows[ends, _LAST], missing, reason[starts]), axis=1)
