"""Many partitions as one stream in time order, never reordered inside a partition, in bounded memory.

The merge works on columns: each round emits every row that no later row can precede, which uses up at least one
partition's batch. Ties go by the order in which the streams are given, so the result does not depend on how the
rows were cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

EFFECTIVE = "effective_ms"
"""Added column (int64): the time by which rows are ordered, never falling inside a partition."""

_Times = npt.NDArray[np.int64]


class _Head:
    """One stream's current batch and what is left of it."""

    def __init__(self, batches: Iterator[pa.RecordBatch], sane: tuple[int, int]) -> None:
        self._batches = batches
        self._sane = sane
        self._floor: int | None = None
        self.batch: pa.RecordBatch | None = None
        self.times: _Times = np.empty(0, np.int64)
        self.advance()

    def advance(self) -> None:
        for batch in self._batches:
            if batch.num_rows:
                self.batch = batch
                self.times = self._effective(batch.column("timestamp_ms").to_numpy())
                return
        self.batch = None

    def take(self, rows: int) -> tuple[pa.RecordBatch, _Times]:
        assert self.batch is not None
        taken, times = self.batch.slice(0, rows), self.times[:rows]
        if rows == len(self.times):
            self.advance()
        else:
            self.batch, self.times = self.batch.slice(rows), self.times[rows:]
        return taken, times

    def _effective(self, raw: _Times) -> _Times:
        low, high = self._sane
        wild = (raw < low) | (raw > high)
        if wild.any():
            if self._floor is None and wild.all():
                # Nothing to hold on to yet: place them at the edge that they overshot.
                usable = np.clip(raw[:1], low, high)[0]
            else:
                usable = self._floor if self._floor is not None else raw[~wild][0]
            raw = np.where(wild, usable, raw)
        times = np.maximum.accumulate(raw)
        if self._floor is not None:
            times = np.maximum(times, self._floor)
        self._floor = int(times[-1])
        return times


def merge_by_time(streams: Sequence[Iterator[pa.RecordBatch]], *, sane: tuple[int, int]) -> Iterator[pa.RecordBatch]:
    """Merge `streams` (each one partition in offset order) and add the column `EFFECTIVE`.

    A timestamp that falls behind its predecessor in the partition, or lies outside `sane` (inclusive, epoch
    milliseconds), counts with the latest time seen before it in that partition. Holds one batch of each stream.
    """
    heads = [_Head(stream, sane) for stream in streams]
    while live := [(rank, head) for rank, head in enumerate(heads) if head.batch is not None]:
        horizon, limiting = min((int(head.times[-1]), rank) for rank, head in live)
        parts: list[pa.RecordBatch] = []
        times: list[_Times] = []
        ranks: list[npt.NDArray[np.int32]] = []
        for rank, head in live:
            side: Literal["left", "right"] = "right" if rank <= limiting else "left"
            rows = int(np.searchsorted(head.times, horizon, side=side))
            if rows:
                part, part_times = head.take(rows)
                parts.append(part)
                times.append(part_times)
                ranks.append(np.full(rows, rank, np.int32))
        order_by = np.concatenate(times)
        if len(parts) == 1:
            merged, ordered = parts[0], order_by
        else:
            order = np.lexsort((np.concatenate(ranks), order_by))
            merged, ordered = pa.concat_batches(parts).take(pa.array(order)), order_by[order]
        yield merged.append_column(pa.field(EFFECTIVE, pa.int64(), nullable=False), pa.array(ordered))
