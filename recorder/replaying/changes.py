"""What changes records on their way from a capture to the target: a chain of plain functions, chosen at the start.

A change takes the stretches of one pass over the timeline and gives them on, changed. It runs in the thread that reads
ahead, so that what it costs is no lateness. It marks what it did to which record; marks are counted when the record is
sent, so the certificate's counts are exact whatever is sought, looped or interrupted. To add one: write a `Change`
(`each` makes one of a function from stretch to stretch) and name it in `chain.py`, in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.errors import BlackboxError

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LATER = "held back and not sent any more"
"""Why a record is left out that a change holds back for later; when it comes, it is an added one with this mark: """
RETURNED = "sent after all"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A stretch of the timeline on its way: records as they will be sent, and beside them where and when.

    All arrays have a row a record. A change may replace key, value, headers and `timestamp_ms` in `batch` (the other
    columns say where the record comes from), and all arrays; positions and numbers must not fall.
    """

    batch: pa.RecordBatch
    positions_ns: Ints
    targets: Ints
    """The target topic's number in `Routes.target_names`."""
    partitions: Ints
    """And the partition there."""
    numbers: Ints
    """The record's number in the timeline; one that was added has that of a record before it."""
    added: Bools
    """Not from the timeline: one more than was planned."""
    first: int
    stop: int
    """Which part of the timeline this is, by numbers (half-open)."""
    lap: int
    """Which pass it belongs to, from 0."""
    marks: Mapping[str, Bools] = field(default_factory=dict)
    """What was done to which records, in words for the certificate."""
    left_out: Mapping[str, Ints] = field(default_factory=dict)
    """The numbers of records that will not be sent, rising, by why."""

    def __len__(self) -> int:
        return len(self.positions_ns)

    @property
    def nbytes(self) -> int:
        return int(self.batch.nbytes) + 5 * self.positions_ns.nbytes

    def with_columns(self, **columns: pa.Array) -> Outgoing:
        """The same with other columns in its batch."""
        batch = self.batch
        for name, column in columns.items():
            batch = batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), column)
        return replace(self, batch=batch)

    def marked(self, what: str, rows: Bools) -> Outgoing:
        """The same with one thing more that was done to some of its records."""
        known = self.marks.get(what)
        return replace(self, marks={**self.marks, what: rows if known is None else rows | known})

    def taken(self, rows: Ints) -> Outgoing:
        """Only these rows, in that order."""
        return replace(
            self,
            batch=self.batch.take(pa.array(rows)),
            positions_ns=self.positions_ns[rows],
            targets=self.targets[rows],
            partitions=self.partitions[rows],
            numbers=self.numbers[rows],
            added=self.added[rows],
            marks={what: mask[rows] for what, mask in self.marks.items()},
        )

    def without(self, rows: Bools, why: str) -> Outgoing:
        """The same but for some records, which will not be sent."""
        if not rows.any():
            return self
        gone = np.sort(np.concatenate((self.left_out.get(why, self.numbers[:0]), self.numbers[rows & ~self.added])))
        return replace(self.taken(np.flatnonzero(~rows)), left_out={**self.left_out, why: gone})

    def piece(self, first: int, start: int, stop: int) -> Changed | None:
        """What happened to rows `[start, stop)` and between them, from number `first` on; None: nothing."""
        if not self.marks and not self.left_out and len(self) == self.stop - self.first:
            return None
        reached = self.stop if stop == len(self) else int(self.numbers[stop - 1]) + 1
        return Changed(
            numbers=self.numbers[start:stop],
            added=self.added[start:stop],
            stop=reached,
            marks={what: mask[start:stop] for what, mask in self.marks.items()},
            left_out={
                why: numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, reached)]
                for why, numbers in self.left_out.items()
            },
        )


class ChangeError(BlackboxError):
    """Records could not be changed as was asked for; those after them are not sent."""


Change = Callable[[Iterator[Outgoing]], Iterator[Outgoing]]


def each(function: Callable[[Outgoing], Outgoing]) -> Change:
    """A change that looks at one stretch at a time."""
    return lambda stretches: map(function, stretches)


def changed(stretches: Iterator[Outgoing], changes: Sequence[Change]) -> Iterator[Outgoing]:
    """The stretches of a pass after all changes; an empty one is joined to the next, so only the last may be empty."""
    for change in changes:
        stretches = change(stretches)
    empty: Outgoing | None = None
    for one in stretches:
        whole = one if empty is None else _joined(empty, one)
        empty = None if len(whole) else whole
        if empty is None:
            yield whole
    if empty is not None:
        yield empty


def _joined(empty: Outgoing, following: Outgoing) -> Outgoing:
    left_out = dict(empty.left_out)
    for why, numbers in following.left_out.items():
        left_out[why] = np.concatenate((left_out.get(why, numbers[:0]), numbers))
    return replace(following, first=empty.first, left_out=left_out)


class ChangeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to records on their way, on a certificate."""

    marked: dict[str, int] = {}
    """Records that were sent, by what was done to them."""
    left_out: dict[str, int] = {}
    """Records whose turn came and that were not sent, by why."""
    added: int = 0
    """Records sent beyond those of the timeline."""


class ChangeWatch:
    """Counts changes as their records are sent."""

    def __init__(self) -> None:
        self._marked: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._added = 0

    def sent(self, one: Changed, rows: int, reached: int) -> None:
        """The first `rows` of these were sent, and the timeline passed up to number `reached`."""
        for what, mask in one.marks.items():
            self._marked[what] += int(np.count_nonzero(mask[:rows]))
        for why, numbers in one.left_out.items():
            self._left_out[why] += int(np.searchsorted(numbers, reached))
        self._added += int(np.count_nonzero(one.added[:rows]))

    def counts(self) -> ChangeCounts:
        returned = self._marked[RETURNED]
        left_out = self._left_out - Counter({LATER: returned})
        return ChangeCounts(
            marked={what: count for what, count in sorted(self._marked.items()) if count and what != RETURNED},
            left_out={why: count for why, count in sorted(left_out.items()) if count},
            added=self._added - returned,
        )


@dataclass(frozen=True, slots=True)
class Changed:
    """What was done to the records of a piece, and how far in the timeline each of them is."""

    numbers: Ints
    added: Bools
    stop: int
    """The number that the timeline has come to behind this piece."""
    marks: Mapping[str, Bools]
    left_out: Mapping[str, Ints]
