"""The stream that a replay follows: a capture's records in time order, as columns ready to send, with their positions.

Batches are read ahead in a thread; the step that makes Python objects of them is done in small pieces by whoever
takes them, in time that would be slept away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.merge import EFFECTIVE
from recorder.capture.schema import record_sizes
from recorder.kafka.producer import Columns, Headers
from recorder.replaying.options import Timestamps
from recorder.replaying.read_ahead import ReadAhead
from recorder.replaying.routes import Routes
from recorder.replaying.schedule import Schedule

READ_AHEAD_BYTES = 32 << 20
_PIECE_BYTES = 1 << 20
_INT64 = np.iinfo(np.int64)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some consecutive records of the timeline: columns to send, and beside them what the accounts need."""

    columns: Columns
    positions_ns: Ints
    topic_numbers: Ints
    source_partitions: Ints
    offsets: Ints
    lanes: Ints
    key_hashes: Ints
    keyed: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.positions_ns)


class Timeline:
    """Takes merged batches (`Capture.timeline`) and hands out pieces. A context manager, for its reading thread.

    `sane` are the timestamps that could place a record (inclusive).
    """

    def __init__(
        self,
        batches: Iterator[pa.RecordBatch],
        routes: Routes,
        schedule: Schedule,
        *,
        sane: tuple[int, int],
        timestamps: Timestamps = "original",
        piece_records: int = 256,
    ) -> None:
        self._ahead = ReadAhead(batches, READ_AHEAD_BYTES)
        self._routes, self._schedule = routes, schedule
        self._sane, self._timestamps = sane, timestamps
        self.shift_ms = 0
        """What `timestamps="shift"` adds to each; set it before the first `take`."""
        self._piece_records = piece_records
        self._cut: Iterator[Piece] = iter(())
        self.clamped = 0
        """Records whose timestamp fell behind its partition's."""
        self.wild = 0
        """Records whose timestamp could not place them."""
        self.raised_to_1 = 0
        """Records with timestamp 0, which the client would take for "now": sent with 1 ms instead."""

    def __enter__(self) -> Self:
        self._ahead.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ahead.__exit__(kind, error, trace)

    def wait(self) -> None:
        """Return when the first records were read (or there are none)."""
        self._ahead.wait()

    def take(self) -> Piece | None:
        """The next piece, or None when nothing is read yet or nothing is left (see `finished`). Raises CaptureError."""
        while True:
            piece = next(self._cut, None)
            if piece is not None:
                return piece
            batch = self._ahead.take()
            if batch is None:
                return None
            self._cut = self._pieces(batch)

    @property
    def finished(self) -> bool:
        """No piece will come any more; ask only after `take` answered None."""
        return self._ahead.finished

    def _pieces(self, batch: pa.RecordBatch) -> Iterator[Piece]:
        raw, effective = _numbers(batch, "timestamp_ms"), _numbers(batch, EFFECTIVE)
        wild = (raw < self._sane[0]) | (raw > self._sane[1])
        clamped = ~wild & (raw < effective)
        positions = self._schedule.positions(effective)
        sent, zero = self._stamps(raw)
        topic_numbers = self._routes.topic_numbers(batch)
        partitions = _numbers(batch, "partition")
        lanes = self._routes.lanes_of(topic_numbers, partitions)
        offsets = _numbers(batch, "offset")
        filled = np.cumsum(record_sizes(batch))
        start = 0
        while start < batch.num_rows:
            before = filled[start - 1] if start else 0
            fitting = int(np.searchsorted(filled, before + _PIECE_BYTES, side="right"))
            stop = min(batch.num_rows, start + self._piece_records, max(fitting, start + 1))
            rows = batch.slice(start, stop - start)
            keys: list[bytes | None] = rows.column("key").to_pylist()
            numbers = topic_numbers[start:stop]
            self.wild += int(np.count_nonzero(wild[start:stop]))
            self.clamped += int(np.count_nonzero(clamped[start:stop]))
            self.raised_to_1 += int(np.count_nonzero(zero[start:stop]))
            yield Piece(
                columns=Columns(
                    topics=list(map(self._routes.targets.__getitem__, numbers.tolist())),
                    partitions=partitions[start:stop].tolist(),
                    keys=keys,
                    values=rows.column("value").to_pylist(),
                    headers=_headers(rows.column("headers")),
                    timestamps=sent[start:stop].tolist(),
                ),
                positions_ns=positions[start:stop],
                topic_numbers=numbers,
                source_partitions=partitions[start:stop],
                offsets=offsets[start:stop],
                lanes=lanes[start:stop],
                key_hashes=np.fromiter(map(hash, keys), np.int64, len(keys)),
                keyed=rows.column("key").is_valid().to_numpy(zero_copy_only=False),
            )
            start = stop

    def _stamps(self, raw: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """The timestamps to send, and which of them were 0: that means "now" to librdkafka, and is used for it only."""
        if self._timestamps == "now":
            return np.zeros(len(raw), np.int64), np.zeros(len(raw), np.bool_)
        stamps = raw
        if self._timestamps == "shift":
            low, high = _INT64.min - min(self.shift_ms, 0), _INT64.max - max(self.shift_ms, 0)
            # A record without a timestamp (-1) stays without one.
            stamps = np.where(raw == -1, raw, np.clip(raw, low, high) + self.shift_ms)
        zero = stamps == 0
        return np.where(zero, 1, stamps), zero


def _numbers(batch: pa.RecordBatch, column: str) -> Ints:
    return np.asarray(batch.column(column).to_numpy(), np.int64)


def _headers(column: Any) -> list[Headers | None]:
    """Each row's headers as the client wants them; None where there are none."""
    flat = column.flatten()
    if not len(flat):
        return [None] * len(column)
    pairs: Headers = list(zip(flat.field("key").to_pylist(), flat.field("value").to_pylist(), strict=True))
    ends = np.cumsum(column.value_lengths().to_numpy()).tolist()
    return [pairs[start:end] or None for start, end in zip([0, *ends], ends, strict=False)]
