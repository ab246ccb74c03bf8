"""One partition on its way into the capture: which records are kept, what is late, what happened to every offset.

A tape is driven by one thread at a time (see `recorder.recording.pipeline`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.ledger import Ledger
from recorder.capture.manifest import GapReason, Partition, Prologue, Run, Segment
from recorder.capture.writer import PartitionWriter
from recorder.kafka.offsets import Place
from recorder.payloads.used import Uses
from recorder.recording.journal import Sealed, pack_rows, unpack_rows
from recorder.recording.plan import FOR_EVER_MS, Plan

_MINUTES_MS, _WEEK_MS = 300_000, 604_800_000
SURE_RECORDS = 2_000
"""So many records in a row beyond the window's end and slack, and the window is surely over in this partition."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Runs of one partition's records that are not of committed transactions."""

    aborted: tuple[Run, ...] = ()
    undecided: tuple[Run, ...] = ()


NOTHING_MARKED = Marks()


class Tape:
    """Keeps the window's records of one partition and accounts for all its offsets."""

    def __init__(self, root: Path, place: Place, plan: Plan, row_group_bytes: int) -> None:
        span = plan.spans[place]
        self.place = place
        self.ledger = Ledger(span.start)
        self.writer = PartitionWriter(root, *place, row_group_bytes=row_group_bytes)
        self.end = span.end
        """The offset after the last one to read, once it is known; falls when the window is surely over before."""
        self.records = 0
        self.beyond = 0
        """How many records in a row, up to now, lay beyond the window's end and slack."""
        self.hint = span.hint
        self.until_ms = span.until_ms
        """When a window that is still open will be over."""
        self.uses: Uses | None = None
        """Told of all records that are kept, for the schemas that they name."""
        self.restored = False
        """Whether an earlier recording had begun with it."""
        self._window = span.window
        to_ms, slack = span.window.to_ms, plan.late_slack_ms
        self._over_ms = None if to_ms is None or slack is None or span.until_ms is not None else to_ms + slack
        self._late_until_ms = 0 if to_ms is None else to_ms + (_WEEK_MS if slack is None else max(slack, _MINUTES_MS))
        self._newest_ms = -(2**63)
        self._late_records = 0
        self._latest_ms = 0
        self._headers_lost: list[int] = []
        self._headers_told = 0
        self.advance(max(span.start, span.log_start), "expired")

    def append(self, records: pa.RecordBatch | pa.Table, headers_lost: list[int]) -> list[Sealed]:
        """Take what arrived (RECORD_SCHEMA) and the offsets whose headers could not be read; gives a line for the
        journal for each segment that was sealed. Offsets outside the span are somebody else's.
        """
        offsets = records.column("offset").to_numpy()
        low, high = np.searchsorted(offsets, (self.ledger.position, self.end if self.end is not None else 2**63 - 1))
        timestamps = records.column("timestamp_ms").to_numpy()
        high = low + self._until_over(offsets[low:high], timestamps[low:high])
        records, offsets, timestamps = records.slice(low, high - low), offsets[low:high], timestamps[low:high]
        kept = self._in_window(timestamps)
        self._headers_lost += [offset for offset in headers_lost if offset in offsets[kept]]
        before = len(self.writer.segments)
        if not kept.all():
            records = records.filter(pa.array(kept))
        self.writer.append(records)
        if self.uses is not None:
            for batch in records.to_batches() if isinstance(records, pa.Table) else [records]:
                self.uses.saw(self.place[0], batch)
        lines, at = [], 0
        # Accounted up to where each segment ends, so that its line tells nothing of what came after it.
        for segment, payload_bytes in zip(self.writer.segments[before:], self.writer.payloads[before:], strict=True):
            stop = int(np.searchsorted(offsets, segment.last_offset, side="right"))
            self._account(offsets[at:stop], timestamps[at:stop], kept[at:stop])
            lines.append(self._line(segment, payload_bytes))
            at = stop
        self._account(offsets[at:], timestamps[at:], kept[at:])
        return lines

    def finish(self) -> Sealed:
        """All was read: account for it up to the end and seal the rest."""
        assert self.end is not None
        self.advance(self.end)
        return self.rest()

    def rest(self) -> Sealed:
        """Seal what is there; the line for the journal says that this is how far the partition came."""
        before = len(self.writer.segments)
        self.writer.seal()
        segment = self.writer.segments[-1] if len(self.writer.segments) > before else None
        return self._line(segment, self.writer.payloads[-1] if segment else 0, beyond=self.beyond)

    def restore(self, line: Sealed) -> None:
        """Go on where an earlier tape stood, with the next of the lines that it gave."""
        self.restored = True
        self.ledger.restore(line.position, unpack_rows(line.rows))
        if line.segment:
            self.writer.restore(line.segment, line.payload_bytes)
            self.records += line.segment.records
        self._headers_lost += line.headers_lost
        self._headers_told = len(self._headers_lost)
        self.beyond, self._newest_ms = line.beyond, line.newest_ms
        self._late_records, self._latest_ms = line.late_records, line.latest_ms
        if line.done:
            self.end = line.position

    def standing(self) -> Sealed:
        """A line from which another tape goes on where this one stands, and tells of nothing that was before."""
        return Sealed(
            topic=self.place[0],
            partition=self.place[1],
            position=self.ledger.position,
            done=self.end is not None and self.ledger.position >= self.end,
            beyond=self.beyond,
            newest_ms=self._newest_ms,
            late_records=self._late_records,
            latest_ms=self._latest_ms,
        )

    def advance(self, offset: int, reason: GapReason | None = None) -> None:
        """Nothing more lies before `offset` (at most the span's end): for `reason`, or a hole to be explained."""
        self.ledger.advance(offset if self.end is None else min(offset, self.end), reason)

    @property
    def late(self) -> tuple[int, int]:
        """How many records of the window lay beyond its end in the log, and how far (ms) the last of them."""
        return self._late_records, self._latest_ms

    def cut_short(self, position: int) -> None:
        """Reading ends at `position`: what of the partition was still to be read is booked as unread."""
        if self.end is None or self.until_ms == FOR_EVER_MS or (self.beyond and position >= (self.hint or 0)):
            self.end = position
        elif self.hint is not None and position < self.hint:
            self.end = min(self.end, self.hint)
        self.advance(position)
        self.advance(self.end, "unread")

    def describe(self, marks: Marks = NOTHING_MARKED, prologue: Prologue | None = None) -> Partition:
        """The manifest's entry; call it when everything is sealed and explained."""
        return self.writer.describe(
            self.ledger,
            late_records=self._late_records,
            latest_ms=self._latest_ms,
            headers_lost=tuple(self._headers_lost),
            aborted=marks.aborted,
            undecided=marks.undecided,
            prologue=prologue,
        )

    def _account(
        self, offsets: npt.NDArray[np.int64], timestamps: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]
    ) -> None:
        self._count_late(timestamps, kept)
        self.ledger.saw(offsets, kept)
        self.records += int(kept.sum())

    def _line(self, segment: Segment | None, payload_bytes: int, *, beyond: int = 0) -> Sealed:
        """How the partition stands. After a segment's last record `beyond` is 0: that record lay in the window."""
        position = self.ledger.position
        told = self._headers_told
        self._headers_told = max(told, sum(offset < position for offset in self._headers_lost))
        return Sealed(
            topic=self.place[0],
            partition=self.place[1],
            position=position,
            done=self.end is not None and position >= self.end,
            segment=segment,
            payload_bytes=payload_bytes,
            rows=pack_rows(self.ledger.settle()),
            headers_lost=tuple(self._headers_lost[told : self._headers_told]),
            beyond=beyond,
            newest_ms=self._newest_ms,
            late_records=self._late_records,
            latest_ms=self._latest_ms,
        )

    def _in_window(self, timestamps: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        kept = np.ones(len(timestamps), np.bool_)
        if self._window.from_ms is not None:
            kept &= timestamps >= self._window.from_ms
        if self._window.to_ms is not None:
            kept &= timestamps < self._window.to_ms
        return kept

    def _until_over(self, offsets: npt.NDArray[np.int64], timestamps: npt.NDArray[np.int64]) -> int:
        """How many of these to take; lowers `end` when `SURE_RECORDS` in a row lie beyond the window and its slack.

        The rule looks at records alone, so that recording the same window again ends at the same offset.
        """
        if self._over_ms is None or not len(offsets):
            return len(offsets)
        inside = np.concatenate(([-1 - self.beyond], np.flatnonzero(timestamps < self._over_ms), [len(offsets)]))
        sure = np.flatnonzero(np.diff(inside) > SURE_RECORDS)
        if len(sure):
            taken = int(inside[sure[0]]) + SURE_RECORDS + 1
            self.beyond = SURE_RECORDS
            self.end = int(offsets[taken - 1]) + 1
            return taken
        self.beyond = int(inside[-1] - inside[-2]) - 1
        return len(offsets)

    def _count_late(self, timestamps: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]) -> None:
        """A record of the window is late when one from after its end comes before it; clocks far ahead don't count."""
        to_ms = self._window.to_ms
        if to_ms is None or not len(timestamps):
            return
        counting = np.where(timestamps < self._late_until_ms, timestamps, -(2**63))
        newest = np.maximum(np.maximum.accumulate(counting), self._newest_ms)
        self._newest_ms = int(newest[-1])
        late = kept & (newest >= to_ms)
        if late.any():
            self._late_records += int(late.sum())
            self._latest_ms = max(self._latest_ms, int(newest[late].max()) - to_ms)
