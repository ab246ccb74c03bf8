"""Several captures of one partition as one stream in offset order, each record once, in bounded memory.

A record that more than one capture holds must be the same in all of them. Where one could not read its headers, the
others' count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recorder.capture.ledger import Flags, Offsets
from recorder.capture.manifest import Partition
from recorder.capture.reader import Capture
from recorder.errors import CaptureError


@dataclass(frozen=True, slots=True)
class Strand:
    """One capture's part of a partition; `topic` is its name there."""

    capture: Capture
    topic: str
    ledger: Partition

    @property
    def first(self) -> int:
        """The offset of its first record."""
        return self.ledger.segments[0].first_offset


@dataclass(frozen=True, slots=True)
class Spliced:
    """Records of the partition, and for each whether no capture could read its headers."""

    batch: pa.RecordBatch
    lost: Flags


class _Head:
    """A strand's current batch and what is left of it."""

    def __init__(self, strand: Strand, name: str) -> None:
        self.strand = strand
        self._name = name
        self._lost = np.array(strand.ledger.headers_lost, np.int64)
        self._batches = strand.capture.batches(strand.topic, strand.ledger.partition)
        self.batch: pa.RecordBatch | None = None
        self.offsets: Offsets = np.empty(0, np.int64)
        self._advance()

    def take(self, horizon: int) -> tuple[pa.RecordBatch, Flags]:
        """All rows up to the offset `horizon`."""
        assert self.batch is not None
        rows = int(np.searchsorted(self.offsets, horizon, side="right"))
        taken, lost = self.batch.slice(0, rows), np.isin(self.offsets[:rows], self._lost)
        if rows == len(self.offsets):
            self._advance()
        else:
            self.batch, self.offsets = self.batch.slice(rows), self.offsets[rows:]
        return taken, lost

    def _advance(self) -> None:
        self.batch = next((batch for batch in self._batches if batch.num_rows), None)
        if self.batch is not None:
            self.offsets = self.batch.column("offset").to_numpy()
            if self._name != self.strand.topic:
                column = pa.array([self._name]).take(pa.array(np.zeros(len(self.offsets), np.int8)))
                self.batch = self.batch.set_column(0, self.batch.schema.field(0), column)


def splice(strands: Sequence[Strand], name: str) -> Iterator[Spliced]:
    """The records of all strands, in a topic called `name`. CaptureError where two strands differ, or one is torn.

    Holds a batch of each of the strands that overlap.
    """
    waiting = sorted((strand for strand in strands if strand.ledger.segments), key=lambda strand: strand.first)
    live: list[_Head] = []
    while live or waiting:
        low = min((int(head.offsets[0]) for head in live), default=None)
        while waiting and (low is None or waiting[0].first <= low):
            low = waiting[0].first
            live.append(_Head(waiting.pop(0), name))
        horizon = min(int(head.offsets[-1]) for head in live)
        if waiting:
            horizon = min(horizon, waiting[0].first - 1)
        taken = [(head, *head.take(horizon)) for head in live if head.offsets[0] <= horizon]
        live = [head for head in live if head.batch is not None]
        if len(taken) == 1:
            yield Spliced(*taken[0][1:])
        else:
            yield _each_once(
                [head.strand for head, _, _ in taken], [one[1] for one in taken], [one[2] for one in taken]
            )


def _each_once(strands: Sequence[Strand], batches: Sequence[pa.RecordBatch], flags: Sequence[Flags]) -> Spliced:
    both, lost = pa.concat_batches(batches), np.concatenate(flags)
    ranks = np.repeat(np.arange(len(batches)), [batch.num_rows for batch in batches])
    offsets = both.column("offset").to_numpy()
    order = np.lexsort((ranks, lost, offsets))  # of a record's copies, first one with its headers
    again = np.concatenate(([False], np.diff(offsets[order]) == 0))
    pairs = np.flatnonzero(again)
    if len(pairs):
        one, other = order[pairs - 1], order[pairs]
        compared = lost[one] == lost[other]
        for column in both.schema.names:
            rows = compared if column == "headers" else np.ones(len(pairs), np.bool_)
            _refuse_difference(both, strands, ranks, column, one[rows], other[rows])
    kept = order[~again]
    return Spliced(both.take(pa.array(kept)), lost[kept])


def _refuse_difference(
    both: pa.RecordBatch, strands: Sequence[Strand], ranks: Offsets, column: str, one: Offsets, other: Offsets
) -> None:
    values = both.column(column)
    left, right = values.take(pa.array(one)), values.take(pa.array(other))
    if left.equals(right):
        return
    row = next(row for row, (a, b) in enumerate(zip(left.to_pylist(), right.to_pylist(), strict=True)) if a != b)
    first, second = (strands[int(ranks[rows[row]])] for rows in (one, other))
    offset = both.column("offset")[int(one[row])].as_py()
    scrubbed = any(strand.capture.manifest.clean is not None for strand in (first, second))
    hint = " Clean captures fit only when they were scrubbed by one policy with one key." if scrubbed else ""
    raise CaptureError(
        f"{first.topic}/{first.ledger.partition} offset {offset} has another {column} in {first.capture.root} than in "
        f"{second.capture.root}: two different records can't be merged into one.{hint}"
    )
