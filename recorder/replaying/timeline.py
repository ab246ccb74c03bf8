"""The stream that a replay follows: the records of its captures in time order, as columns ready to send, with their
positions, pass after pass and from any point on.

Batches are read ahead in a thread; the step that makes Python objects of them is done in small pieces by whoever
takes them, in time that would be slept away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.merge import EFFECTIVE
from recorder.kafka.producer import Columns, Headers
from recorder.replaying.changes import Change, Changed, Outgoing, changed
from recorder.replaying.read_ahead import ReadAhead
from recorder.replaying.routes import Routes
from recorder.replaying.schedule import whole_milliseconds
from recorder.replaying.streams import STREAM, Streams
from recorder.replaying.stretch import Stretch, numbers_of
from recorder.replaying.survey import Survey, new_schedule

_SENT = ("partition", "offset", "timestamp_ms", "key", "value", "headers")
_INT64 = np.iinfo(np.int64)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some consecutive records of the timeline: columns to send, and beside them what the accounts need."""

    columns: Columns
    positions_ns: Ints
    times_ms: Ints
    """The times that placed them."""
    sizes: Ints
    """Bytes of key, value and headers."""
    topic_numbers: Ints
    source_partitions: Ints
    offsets: Ints
    lanes: Ints
    keyed: npt.NDArray[np.bool_]
    first: int
    """The number of its first record in the timeline."""
    lap: int = 0
    """Which pass over the timeline it belongs to, from 0."""
    changed: Changed | None = None
    """What happened to its records on their way; None: nothing, they are numbered from `first` on."""

    def __len__(self) -> int:
        return len(self.positions_ns)

    @property
    def key_hashes(self) -> Ints:
        """The same for equal keys, in this process."""
        return np.fromiter(map(hash, self.columns.keys), np.int64, len(self))

    @property
    def numbers(self) -> Ints:
        """Each record's number in the timeline; one that was added has that of a record before it."""
        return np.arange(self.first, self.first + len(self)) if self.changed is None else self.changed.numbers

    def reached(self, rows: int) -> int:
        """The number that the timeline has come to when its first `rows` have had their turn."""
        if self.changed is None:
            return self.first + rows
        if rows == len(self):
            return self.changed.stop
        return int(self.changed.numbers[rows - 1]) + 1 if rows else self.first


class Timeline:
    """Hands out pieces, from the pass and the number `begin` on. A context manager, for its reading threads.

    `skip` is a last change, for as long as nobody seeks.
    """

    def __init__(
        self,
        streams: Streams,
        routes: Routes,
        survey: Survey,
        *,
        piece_records: int = 256,
        changes: Sequence[Change] = (),
        begin: tuple[int, int] = (0, 0),
        skip: Change | None = None,
    ) -> None:
        self._streams, self._routes, self._survey = streams, routes, survey
        self._options = streams.options
        self._piece_records, self._changes = piece_records, tuple(changes)
        self._skip = skip
        self.shift_ms = 0
        """What `timestamps="shift"` adds to each; set it before the first `take`."""
        self._cut: Iterator[Piece] = iter(())
        number = begin[1] if begin[1] > survey.first_number else 0  # the beginning is read as it always is
        self._ahead = self._reading(begin[0], survey.start_ms, number)
        self._left: list[ReadAhead[Stretch]] = []
        self.raised_to_1 = 0
        """Records with timestamp 0, which the client would take for "now": sent with 1 ms instead."""

    def __enter__(self) -> Self:
        self._ahead.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for ahead in (*self._left, self._ahead):
            ahead.__exit__(kind, error, trace)

    def wait(self) -> None:
        """Return when the first records were read (or there are none)."""
        self._ahead.wait()

    def take(self) -> Piece | None:
        """The next piece, or None when nothing is read yet or nothing is left (see `finished`). Raises CaptureError."""
        while True:
            piece = next(self._cut, None)
            if piece is not None:
                return piece
            stretch = self._ahead.take()
            if stretch is None:
                return None
            self._cut = self._pieces(stretch)

    def first(self) -> Piece | None:
        """The first piece with a record in it, or None when there is none; it stays to be taken. Waits for it."""
        empty: list[Piece] = []
        while True:
            piece = self.take()
            if piece is None:
                if self.finished:
                    self._cut = iter(empty)
                    return None
                self.wait()
                continue
            empty.append(piece)
            if len(piece):
                self._cut = chain(empty, self._cut)
                return piece

    @property
    def finished(self) -> bool:
        """No piece will come any more; ask only after `take` answered None."""
        return self._ahead.finished

    def seek(self, to_ms: int, lap: int) -> None:
        """Go on with the first record whose effective time is not before `to_ms`, in the same pass."""
        self._ahead.close()
        self._left.append(self._ahead)
        self._cut, self._skip = iter(()), None
        self._ahead = self._reading(lap, max(to_ms, self._survey.start_ms or to_ms))
        self._ahead.__enter__()

    def _reading(self, lap: int, from_ms: int | None, from_number: int = 0) -> ReadAhead[Stretch]:
        topics, routes, records = self._streams.topic_numbers, self._routes, self._piece_records
        # What can be done for many records at once is done in the thread: here it would hold up those that are due.
        stretches = (Stretch(one, topics, routes, records) for one in self._laps(lap, from_ms, from_number))
        return ReadAhead(stretches, self._options.read_ahead_bytes)

    def _laps(self, first: int, from_ms: int | None, from_number: int) -> Iterator[Outgoing]:
        changes = [*self._changes, self._skip] if self._skip else self._changes
        for lap in count(first):
            yield from changed(self._lap(lap, from_ms, from_number), changes)
            if lap + 1 == self._options.loop or not self._survey.records:
                return
            from_ms, from_number = self._survey.start_ms, 0

    def _lap(self, lap: int, from_ms: int | None, from_number: int) -> Iterator[Outgoing]:
        """One pass, or the rest of it."""
        survey, spread = self._survey, self._options.intra_ms == "spread"
        begin = survey.checkpoints.before_number(from_number) if from_number else survey.checkpoints.before(from_ms)
        schedule = new_schedule(self._options, spread=spread, place=None if begin is None else begin.place)
        columns = None if self._changes or self._skip else _SENT
        merged = self._streams.merged(columns=columns, start=begin, unplaced=survey.checkpoints.unplaced)
        number = 0 if begin is None else begin.first
        for batch in whole_milliseconds(merged) if spread else merged:
            times = numbers_of(batch, EFFECTIVE)
            # The schedule must see all that lies between the checkpoint and the first record that is wanted.
            low, wanted, high = (
                int(np.searchsorted(times, edge)) if edge is not None else otherwise
                for edge, otherwise in ((survey.start_ms, 0), (from_ms, 0), (survey.end_ms, len(times)))
            )
            positions = schedule.positions(times[low:high])
            wanted = max(wanted, min(from_number - number, high))
            if wanted < high:
                yield self._outgoing(
                    batch.slice(wanted, high - wanted), positions[wanted - low :], number + wanted, lap
                )
            if high < len(times):
                return
            number += len(times)

    def _outgoing(self, batch: pa.RecordBatch, positions: Ints, first: int, lap: int) -> Outgoing:
        """Records as they were read, on their way to where they would go by themselves."""
        stop = first + batch.num_rows
        return Outgoing(
            batch=batch,
            positions_ns=positions,
            targets=self._routes.target_numbers[self._streams.topic_numbers[numbers_of(batch, STREAM)]],
            partitions=numbers_of(batch, "partition"),
            numbers=np.arange(first, stop),
            added=np.zeros(batch.num_rows, np.bool_),
            first=first,
            stop=stop,
            lap=lap,
        )

    def _pieces(self, stretch: Stretch) -> Iterator[Piece]:
        batch, outgoing = stretch.batch, stretch.outgoing
        start, first = 0, outgoing.first
        for stop in stretch.cuts:
            rows, part = batch.slice(start, stop - start), slice(start, stop)
            sent, zeros = self._stamps(stretch.stamps[part])
            self.raised_to_1 += zeros
            keys = rows.column("key")
            piece = Piece(
                columns=Columns(
                    topics=list(map(self._routes.target_names.__getitem__, outgoing.targets[part].tolist())),
                    partitions=outgoing.partitions[part].tolist(),
                    keys=keys.to_pylist(),
                    values=rows.column("value").to_pylist(),
                    headers=_headers(rows.column("headers")),
                    timestamps=sent,
                ),
                positions_ns=stretch.positions_ns[part],
                times_ms=stretch.times[part],
                sizes=stretch.sizes[part],
                topic_numbers=stretch.topic_numbers[part],
                source_partitions=stretch.recorded[part],
                offsets=stretch.offsets[part],
                lanes=stretch.lanes[part],
                keyed=keys.is_valid().to_numpy(zero_copy_only=False),
                first=first,
                lap=outgoing.lap,
                changed=outgoing.piece(first, start, stop),
            )
            yield piece
            start, first = stop, piece.reached(len(piece))

    def _stamps(self, raw: Ints) -> tuple[list[int], int]:
        """The timestamps to send, and how many were 0: that means "now" to librdkafka, and is used for it only."""
        if self._options.timestamps == "now":
            return [0] * len(raw), 0
        stamps = raw
        if self._options.timestamps == "shift":
            low, high = _INT64.min - min(self.shift_ms, 0), _INT64.max - max(self.shift_ms, 0)
            # A record without a timestamp (-1) stays without one.
            stamps = np.where(raw == -1, raw, np.clip(raw, low, high) + self.shift_ms)
        zero = stamps == 0
        return np.where(zero, 1, stamps).tolist(), int(np.count_nonzero(zero))


def _headers(column: Any) -> list[Headers | None]:
    """Each row's headers as the client wants them; None where there are none."""
    flat = column.flatten()
    if not len(flat):
        return [None] * len(column)
    pairs: Headers = list(zip(flat.field("key").to_pylist(), flat.field("value").to_pylist(), strict=True))
    ends = np.cumsum(column.value_lengths().to_numpy()).tolist()
    return [pairs[start:end] or None for start, end in zip([0, *ends], ends, strict=False)]
