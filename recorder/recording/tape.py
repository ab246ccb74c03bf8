"""One partition on its way into the capture: which records are kept, what is late, what happened to every offset.

A tape is driven by one thread at a time (see `recorder.recording.pipeline`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.ledger import Ledger
from recorder.capture.manifest import GapReason, Partition
from recorder.capture.writer import PartitionWriter
from recorder.kafka.fetching import Message
from recorder.kafka.offsets import Place
from recorder.recording.columns import to_batch
from recorder.recording.plan import Span
from recorder.window import Window


class Tape:
    """Keeps the window's records of one partition and accounts for all its offsets."""

    def __init__(self, root: Path, place: Place, span: Span, window: Window, row_group_bytes: int) -> None:
        self.place = place
        self.ledger = Ledger(span.start)
        self.writer = PartitionWriter(root, *place, row_group_bytes=row_group_bytes)
        self.end = span.end
        """The offset after the last one to read, once it is known."""
        self.records = 0
        self._late_from = span.late_from
        self._window = window
        self._newest_ms = -(2**63)
        self._late_records = 0
        self._latest_ms = 0
        self._headers_lost: list[int] = []

    def append(self, messages: list[Message]) -> bool:
        """Take what arrived; True when a segment was sealed. Offsets outside the span are somebody else's."""
        batch, lost = to_batch(*self.place, messages)
        offsets = batch.column("offset").to_numpy()
        low, high = np.searchsorted(offsets, (self.ledger.position, self.end if self.end is not None else 2**63 - 1))
        batch, offsets = batch.slice(low, high - low), offsets[low:high]
        timestamps = batch.column("timestamp_ms").to_numpy()
        kept = self._in_window(timestamps)
        self._count_late(offsets, timestamps, kept)
        self._headers_lost += [offset for offset in lost if offset in offsets[kept]]
        self.ledger.saw(offsets, kept)
        self.records += int(kept.sum())
        return self.writer.append(batch if kept.all() else batch.filter(pa.array(kept)))

    def advance(self, offset: int, reason: GapReason | None = None) -> None:
        """Nothing more lies before `offset` (at most the span's end): for `reason`, or a hole to be explained."""
        self.ledger.advance(offset if self.end is None else min(offset, self.end), reason)

    @property
    def late(self) -> tuple[int, int]:
        """How many records of the window lay beyond its end in the log, and how far (ms) the last of them."""
        return self._late_records, self._latest_ms

    def describe(self) -> Partition:
        """The manifest's entry; call it when everything is sealed and explained."""
        return self.writer.describe(
            self.ledger,
            late_records=self._late_records,
            latest_ms=self._latest_ms,
            headers_lost=tuple(self._headers_lost),
        )

    def sealed(self) -> Partition:
        """The checkpoint's entry: what is sealed so far, and where reading would go on (FORMAT.md 18)."""
        segments = self.writer.segments
        end = segments[-1].last_offset + 1 if segments else self.ledger.start
        return Partition(
            partition=self.place[1], start_offset=self.ledger.start, end_offset=end, **self.writer.written()
        )

    def _in_window(self, timestamps: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        kept = np.ones(len(timestamps), np.bool_)
        if self._window.from_ms is not None:
            kept &= timestamps >= self._window.from_ms
        if self._window.to_ms is not None:
            kept &= timestamps < self._window.to_ms
        return kept

    def _count_late(
        self, offsets: npt.NDArray[np.int64], timestamps: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]
    ) -> None:
        if not len(offsets):
            return
        newest = np.maximum(np.maximum.accumulate(timestamps), self._newest_ms)
        self._newest_ms = int(newest[-1])
        if self._late_from is None or self._window.to_ms is None:
            return
        late = kept & (offsets >= self._late_from)
        if late.any():
            self._late_records += int(late.sum())
            self._latest_ms = max(self._latest_ms, int(newest[late].max()) - self._window.to_ms)
