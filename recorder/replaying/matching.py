"""Two long lists of records matched by content, in bounded memory: what was meant to be sent, and what a log holds.

Rows are put aside in buckets by their key's hash, so that all rows of a key are in memory together, a bucket at a time,
and joined there exactly: the n-th of several equal records of a partition is the n-th in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile, TemporaryFile
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from recorder.replaying.order import OrderWatch

BUCKET_RECORDS = 1 << 18
_MOST_BUCKETS = 256
_IN_MEMORY = 16 << 20
_STRIDE = 1 << 18

_LANE, _SPREAD = np.int64(-7046029254386353131), np.int64(-4417276706812531889)  # odd, bits well mixed

PLANNED = np.dtype(
    [
        ("key", "i8"), ("keyed", "?"), ("digest", "i8"), ("lane", "i4"), ("turn", "i8"),
        ("topic", "i4"), ("partition", "i4"), ("offset", "i8"),
    ]
)  # fmt: skip
"""A record of the plan: hashes of key and content, target partition, turn in the plan, where it was recorded."""
FOUND = np.dtype([("key", "i8"), ("keyed", "?"), ("digest", "i8"), ("lane", "i4"), ("offset", "i8")])
"""A record of the log."""

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Matched:
    """One bucket, joined."""

    ours: Rows
    theirs: Rows
    offsets: Ints
    """By row of `ours`: where in the log it is; -1: nowhere."""
    doubled: Ints
    foreign: Ints
    """Rows of `theirs` that are once too many, or nobody's."""
    keys: int
    inverted: Ints
    """Rows of `ours` that lie before the one that precedes them in their key."""


def match(ours: Rows, theirs: Rows) -> Matched:
    """Join rows of the plan, in its order, with those of the log, in its order for each partition."""
    _, ids = np.unique(np.concatenate((_mixed(ours, "digest"), _mixed(theirs, "digest"))), return_inverse=True)
    mine, others = ids[: len(ours)], ids[len(ours) :]
    size = int(ids.max(initial=-1)) + 1
    planned, found = np.bincount(mine, minlength=size), np.bincount(others, minlength=size)
    there, wanted = _ranks(mine) < found[mine], _ranks(others) < planned[others]
    a, b = np.flatnonzero(there), np.flatnonzero(wanted)
    offsets = np.full(len(ours), -1, np.int64)
    offsets[a[np.argsort(mine[a], kind="stable")]] = theirs["offset"][b[np.argsort(others[b], kind="stable")]]
    more = planned[others] > 0
    return Matched(
        ours=ours,
        theirs=theirs,
        offsets=offsets,
        doubled=np.flatnonzero(~wanted & more),
        foreign=np.flatnonzero(~wanted & ~more),
        keys=len(np.unique(ours["key"][ours["keyed"]])),
        inverted=_inverted(ours, offsets),
    )


def _mixed(rows: Rows, column: str) -> Ints:
    """The same for the same record in the same partition."""
    with np.errstate(over="ignore"):
        mixed: Ints = rows[column] * _SPREAD + (rows["lane"].astype(np.int64) + 1) * _LANE
    return mixed


def _ranks(ids: Ints) -> Ints:
    """Of each row among those of the same id."""
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    ranks = np.empty(len(ids), np.int64)
    ranks[order] = np.arange(len(ids)) - np.repeat(starts, np.diff(starts, append=len(ids)))
    return ranks


def _inverted(ours: Rows, offsets: Ints) -> Ints:
    rows = np.flatnonzero((offsets >= 0) & ours["keyed"])
    groups = _mixed(ours[rows], "key")
    order = np.argsort(groups, kind="stable")
    groups, rows = groups[order], rows[order]
    return np.sort(rows[1:][(groups[1:] == groups[:-1]) & (offsets[rows[1:]] < offsets[rows[:-1]])])


class Buckets:
    """Rows of one kind, put aside in files without names. A context manager."""

    def __init__(self, kind: np.dtype[Any], records: int) -> None:
        self.count = min(_MOST_BUCKETS, 1 + records // BUCKET_RECORDS)
        self._kind = kind
        self._files = [SpooledTemporaryFile(max_size=_IN_MEMORY // self.count) for _ in range(self.count)]  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close()

    def add(self, columns: Sequence[Any]) -> None:
        """Rows as columns, in the order of the kind's."""
        rows = np.empty(len(columns[0]), self._kind)
        for name, column in zip(self._kind.names or (), columns, strict=True):
            rows[name] = column
        if self.count == 1:
            self._files[0].write(rows.tobytes())
            return
        numbers = np.where(rows["keyed"], rows["key"], rows["digest"]) % self.count
        rows = rows[np.argsort(numbers, kind="stable")]
        ends = np.cumsum(np.bincount(numbers, minlength=self.count))
        for file, part in zip(self._files, np.split(rows, ends[:-1]), strict=True):
            file.write(part.tobytes())

    def take(self, number: int) -> Rows:
        """A bucket's rows, in the order in which they were added."""
        self._files[number].seek(0)
        return np.frombuffer(self._files[number].read(), self._kind)


class Turns:
    """Where the log has each record of the plan, by its turn: for the order within partitions. A context manager."""

    def __init__(self, records: int, lanes: int) -> None:
        self._file = TemporaryFile()  # noqa: SIM115
        self._lanes, self._records = lanes, records
        self._rows = np.memmap(self._file, np.int64, "w+", shape=(max(records, 1), 2))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._rows
        self._file.close()

    def note(self, matched: Matched) -> None:
        turns = matched.ours["turn"]
        self._rows[turns, 0] = matched.ours["lane"]
        self._rows[turns, 1] = matched.offsets

    def inversions(self) -> int:
        """Records that lie before an earlier one of their partition."""
        watch = OrderWatch(self._lanes)
        for start in range(0, self._records, _STRIDE):
            rows = np.array(self._rows[start : min(start + _STRIDE, self._records)])
            rows = rows[rows[:, 1] >= 0]
            keyless = np.zeros(len(rows), np.bool_)
            if len(rows):
                watch.feed(rows[:, 0], rows[:, 0], keyless, rows[:, 1])
        return watch.partition_inversions
