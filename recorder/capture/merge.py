"""Many partitions as one stream in time order, never reordered inside a partition, in bounded memory.

The merge works on columns: each round emits rows that no later row can precede, a good number at a time. Ties go by
the order in which the streams are given, so the result does not depend on how the rows were cut into batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

EFFECTIVE = "effective_ms"
"""Added column (int64): the time by which rows are ordered, never falling inside a partition."""

_ROUND_RECORDS = 16_384

LookAhead = Callable[[], Iterator[pa.RecordBatch]]
"""Opens a stream again from its start; only its column `timestamp_ms` is looked at."""

Range = tuple[int, int]
"""Lowest and highest time (inclusive) that can place a record."""

_Times = npt.NDArray[np.int64]
_HAS_ROWS = attrgetter("num_rows")


class _Head:
    """One stream's current batches and what is left of them."""

    def __init__(
        self,
        batches: Iterator[pa.RecordBatch],
        sane: Range,
        look_ahead: LookAhead | None,
        floor: int | None,
        by: str,
    ) -> None:
        self._sane, self._by = sane, by
        self._floor = 0
        self._held: deque[pa.RecordBatch] = deque()
        self.times: _Times = np.empty(0, np.int64)
        """Of the rows that it holds; there are none only when the stream has ended."""
        self._batches: Iterator[pa.RecordBatch] = filter(_HAS_ROWS, batches)
        self._few = 0
        """So many rows, and fewer, are joined by the next batch."""
        self._next = next(self._batches, None)
        self.first = floor if floor is not None or self._next is None else self._first_sane(look_ahead)
        """The first usable time of the stream: records before it count with it."""

    def start(self, unplaced: int | None) -> None:
        """Take the first batch; a stream without any usable time begins at `unplaced`, if that is known."""
        if self._next is None:
            return
        if self.first is None:
            edge = int(np.clip(self._raw(self._next)[0], *self._sane))
            self.first = edge if unplaced is None else unplaced
        self._floor = self.first
        self._hold(self._next)
        self._next = None

    def take(self, rows: int) -> tuple[list[pa.RecordBatch], _Times]:
        """The next rows, in slices of one batch or two."""
        times, self.times = self.times[:rows], self.times[rows:]
        taken: list[pa.RecordBatch] = []
        while rows:
            batch = self._held.popleft()
            taken.append(batch.slice(0, rows))
            if batch.num_rows > rows:
                self._held.appendleft(batch.slice(rows))
            rows -= taken[-1].num_rows
        if len(self.times) <= self._few:
            self._hold(next(self._batches, None))
        return taken, times

    def _hold(self, batch: pa.RecordBatch | None) -> None:
        if batch is not None:
            self._held.append(batch)
            raw = self._raw(batch)
            times = np.maximum.accumulate(np.where(self._wild(raw), self._floor, raw))
            self.times = np.concatenate((self.times, np.maximum(times, self._floor)))
            self._floor = int(self.times[-1])
            # Partitions often run out of rows at almost the same time: each alone would make a round of a few rows.
            self._few = batch.num_rows // 2

    def _wild(self, raw: _Times) -> npt.NDArray[np.bool_]:
        return (raw < self._sane[0]) | (raw > self._sane[1])

    def _raw(self, batch: pa.RecordBatch) -> _Times:
        times: _Times = batch.column(self._by).to_numpy()
        return times

    def _first_sane(self, look_ahead: LookAhead | None) -> int | None:
        assert self._next is not None
        held = [self._next]
        for batch in chain(held, look_ahead() if look_ahead else self._holding(held)):
            raw = self._raw(batch)
            sane = raw[~self._wild(raw)]
            if len(sane):
                return int(sane[0])
        return None

    def _holding(self, held: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The stream's next batches, which stay to be merged."""
        rest = self._batches
        self._batches = chain(islice(held, 1, None), rest)
        for batch in rest:
            held.append(batch)
            yield batch


def merge_by_time(
    streams: Sequence[Iterator[pa.RecordBatch]],
    *,
    sane: Range | Sequence[Range],
    look_ahead: Sequence[LookAhead] | None = None,
    by: str = "timestamp_ms",
    floors: Sequence[int | None] | None = None,
    unplaced: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """Merge `streams` (each one partition in offset order) and add the column `EFFECTIVE`.

    A timestamp that falls behind its predecessor in the partition, or lies outside `sane` (inclusive, epoch
    milliseconds), counts with the latest usable time before it in that partition; where there is none before, with
    the first one after it; where the partition has none at all, with the first of the other streams.

    Holds up to one and a half batches of each stream. A stream that begins with unusable times is held until a usable
    one comes, unless `look_ahead` opens it again, with no more than its timestamps.

    `sane` may be said for each stream; `by` is the column that holds the times. To go on with a merge where it was
    left, give what is left of each stream with its latest usable time before that as its floor (None: it had not
    begun), and the time of the very first record as `unplaced`.
    """
    ranges: Sequence[Range] = [sane] * len(streams) if isinstance(sane[0], int) else sane  # type: ignore[list-item,assignment]
    heads = [
        _Head(
            stream,
            ranges[rank],
            look_ahead[rank] if look_ahead is not None else None,
            floors[rank] if floors is not None else None,
            by,
        )
        for rank, stream in enumerate(streams)
    ]
    if unplaced is None:
        unplaced = min((head.first for head in heads if head.first is not None), default=None)
    for head in heads:
        head.start(unplaced)
    while live := [(rank, head) for rank, head in enumerate(heads) if len(head.times)]:
        # No stream gives more than `share` rows a round, so that a round stays small however many streams there are.
        share = max(1, _ROUND_RECORDS // len(live))
        horizon, limiting = min((int(head.times[:share][-1]), rank) for rank, head in live)
        parts: list[pa.RecordBatch] = []
        times: list[_Times] = []
        ranks: list[npt.NDArray[np.int32]] = []
        for rank, head in live:
            side: Literal["left", "right"] = "right" if rank <= limiting else "left"
            rows = int(np.searchsorted(head.times, horizon, side=side))
            if rows:
                taken, part_times = head.take(rows)
                parts += taken
                times.append(part_times)
                ranks.append(np.full(rows, rank, np.int32))
        order_by = np.concatenate(times)
        if len(parts) == 1:
            merged, ordered = parts[0], order_by
        else:
            order = np.lexsort((np.concatenate(ranks), order_by))
            merged, ordered = pa.concat_batches(parts).take(pa.array(order)), order_by[order]
        yield merged.append_column(pa.field(EFFECTIVE, pa.int64(), nullable=False), pa.array(ordered))
