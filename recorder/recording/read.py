"""The read loop: every partition from its start to its end, through what brokers do meanwhile.

A partition is finished by position, not by silence: by a record at or beyond its end, or by the broker's word that
the reader stands at the end of what is readable (a transaction marker or a compacted tail never arrives).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from recorder.capture.manifest import Note
from recorder.errors import BlackboxError, KafkaUnavailableError
from recorder.kafka.cluster import Cluster
from recorder.kafka.fetching import Arrived, Event, Failed, Fetcher, Message, OutOfRange, ReachedEnd, is_denied
from recorder.kafka.offsets import Place, log_ends, log_starts
from recorder.recording.columns import to_batch
from recorder.recording.journal import Sealed
from recorder.recording.pipeline import Pipeline
from recorder.recording.tape import Tape
from recorder.recording.throttle import Throttle

FLUSH_MESSAGES = 250
"""So many of a partition become columns at once, while the processor still has them in its cache."""
FLUSH_BYTES = 1 << 20
PENDING_BYTES = 16 << 20
"""Over all partitions: many of them together hold no more than this before it is flushed."""
STALLED_SECONDS = 60.0
_LIVE_GRACE_MS = 500  # broker clocks: a record of the window's last moment may be appended a little later


@dataclass
class Reading:
    """The state of one pass over the partitions."""

    cluster: Cluster
    tapes: dict[Place, Tape]
    pipeline: Pipeline
    sealed: Callable[[Iterable[Sealed]], None]
    """Told what was sealed, in the thread that writes just then."""
    stopped: Callable[[], bool]
    advanced: Callable[[int], None]
    """Told how many offsets were passed; with 0, that the reading goes on."""
    transaction_seconds: float
    """How long to wait behind an open transaction."""
    throttle: Throttle | None = None
    notes: list[Note] = field(default_factory=list)
    _open: set[Place] = field(default_factory=set)
    _live: dict[Place, int] = field(default_factory=dict)
    """Partitions whose window is still open, and when (epoch ms) it will be over."""
    _position: dict[Place, int] = field(default_factory=dict)
    _pending: dict[Place, list[Message]] = field(default_factory=dict)
    _pending_bytes: dict[Place, int] = field(default_factory=dict)
    _all_pending_bytes: int = 0
    _at_end: dict[Place, float] = field(default_factory=dict)
    """Partitions that stand at the end of what is readable, and since when (monotonic seconds)."""
    _last_event: float = 0.0

    def run(self, now_ms: Callable[[], int]) -> None:
        """Read until every partition is finished, its window is over, or `stopped`."""
        self._position = {place: tape.ledger.position for place, tape in self.tapes.items()}
        self._open = {
            place for place, tape in self.tapes.items() if tape.end is None or tape.ledger.position < tape.end
        }
        self._live = {place: until for place in self._open if (until := self.tapes[place].until_ms) is not None}
        starts = {place: self._position[place] for place in self._open}
        if starts:
            try:
                with Fetcher(self.cluster.connection, starts, "read_committed") as fetcher:
                    self._loop(fetcher, now_ms)
            except KafkaUnavailableError as error:
                # What was read is worth keeping; what was not is named below.
                self.notes.append(Note(level="loss", text=str(error)))
        self._flush_all()
        self.pipeline.wait()
        self.sealed(self.tapes[place].rest() for place in self._open)
        for place in self._open:
            self.tapes[place].cut_short(self._position[place])

    def _loop(self, fetcher: Fetcher, now_ms: Callable[[], int]) -> None:
        self._last_event = time.monotonic()
        while self._open and not self.stopped():
            for event in fetcher.poll():
                if self.throttle and isinstance(event, Arrived):
                    self.throttle.pay(event.bytes)
                self._last_event = time.monotonic()
                self._take(event, fetcher)
                del event  # its messages' memory is good for the next ones
            self.advanced(0)
            if self._live and now_ms() >= min(self._live.values()) + _LIVE_GRACE_MS:
                self._close_windows(fetcher, now_ms() - _LIVE_GRACE_MS)
            if self._live.keys() < self._open and self._give_up(fetcher):
                return

    def _take(self, event: Event, fetcher: Fetcher) -> None:
        match event:
            case Arrived(place, messages):
                if place in self._open:
                    self._at_end.pop(place, None)
                    self._arrived(place, messages, event.next_offset, fetcher)
            case ReachedEnd(place, offset):
                if place in self._open:
                    self._at_end.setdefault(place, time.monotonic())
                    self._reached(place, offset, fetcher)
            case OutOfRange(place):
                if place in self._open:
                    self._out_of_range(place, fetcher)
            case Failed(place, error):
                if place is None:
                    raise self.cluster.connection.unavailable(error, "read")
                if is_denied(error):
                    raise BlackboxError(
                        f"No right to read topic {place[0]}: ask for READ on it. Nothing else is needed."
                    )
                if place in self._open:
                    self._lose(place, fetcher, f"the broker ended the reading: {error.str()}")

    def _arrived(self, place: Place, messages: list[Message], next_offset: int, fetcher: Fetcher) -> None:
        self._move(place, next_offset)
        pending = self._pending.setdefault(place, [])
        pending += messages
        added = sum(map(len, messages))
        size = self._pending_bytes.get(place, 0) + added
        self._pending_bytes[place] = size
        self._all_pending_bytes += added
        if len(pending) >= FLUSH_MESSAGES or size >= FLUSH_BYTES:
            self._flush(place)
        elif self._all_pending_bytes >= PENDING_BYTES:
            self._flush_all()
        if self._is_over(place):
            self._finish(place, fetcher)

    def _reached(self, place: Place, offset: int, fetcher: Fetcher) -> None:
        self._flush(place)
        tape = self.tapes[place]
        if offset > self._position[place]:
            self._move(place, offset)
            self.pipeline.add(partial(tape.advance, offset))
        if self._is_over(place):
            self._finish(place, fetcher)
        elif tape.end is not None and tape.hint is not None and offset >= tape.hint:
            # An open transaction hides the rest; but what was read last lies beyond the window already.
            self.pipeline.wait()
            if tape.beyond:
                tape.end = min(tape.end, offset)
                self._finish(place, fetcher)

    def _move(self, place: Place, offset: int) -> None:
        self.advanced(max(0, offset - self._position[place]))
        self._position[place] = max(offset, self._position[place])

    def _is_over(self, place: Place) -> bool:
        """The reader passed the partition's end; the tape may find, while writing, that it comes earlier."""
        end = self.tapes[place].end
        return end is not None and self._position[place] >= end

    def _out_of_range(self, place: Place, fetcher: Fetcher) -> None:
        """Retention deleted what was to be read next: name the gap and go on where the log begins now."""
        self._flush(place)
        at = self._position[place]
        begins = log_starts(self.cluster, [place], partial=True).get(place)
        if begins is None or begins <= at:
            self._lose(place, fetcher, f"offset {at} vanished: the topic was deleted or recreated, or its log was cut")
            return
        self._move(place, begins)
        self.pipeline.add(partial(self.tapes[place].advance, begins, "expired"))
        if self._is_over(place):
            self._finish(place, fetcher)
        else:
            fetcher.restart(place, begins)

    def _close_windows(self, fetcher: Fetcher, now_ms: int) -> None:
        """The end of windows has come: what the log holds now is what there is to read."""
        over = [place for place, until_ms in self._live.items() if until_ms <= now_ms]
        ends = log_ends(self.cluster, over, partial=True)
        self._last_event = time.monotonic()
        self._at_end |= dict.fromkeys(self._at_end.keys() & over, self._last_event)
        self._flush_all()
        self.pipeline.wait()
        for place in over:
            del self._live[place]
            if place not in ends:
                self._lose(
                    place, fetcher, "the end of its log is unknown: the topic was deleted, or its leader is gone"
                )
                continue
            self.tapes[place].end = max(ends[place], self._position[place])
            if self._is_over(place):
                self._finish(place, fetcher)

    def _give_up(self, fetcher: Fetcher) -> bool:
        """True when nothing more can be expected: all wait behind open transactions, or the brokers are gone."""
        now = time.monotonic()
        for place, since in list(self._at_end.items()):
            if place in self._live:
                continue
            if self._is_over(place):
                self._finish(place, fetcher)
            elif now - since > self.transaction_seconds:
                first = self._position[place]
                self._lose(
                    place, fetcher, f"an open transaction hides the records from offset {first} on: record again later"
                )
        if now - self._last_event > STALLED_SECONDS and self._open - self._at_end.keys() - self._live.keys():
            heard = self.cluster.connection.errors
            why = f": {heard[-1]}" if heard else ""
            self.notes.append(Note(level="loss", text=f"no broker answered for {STALLED_SECONDS:.0f} s{why}"))
            return True
        return False

    def _flush(self, place: Place) -> None:
        messages = self._pending.pop(place, None)
        size = self._pending_bytes.pop(place, 0)
        self._all_pending_bytes -= size
        if messages:
            # Columns are made here, which needs the interpreter; writing them, over there, hardly does.
            batch, lost = to_batch(*place, messages)
            self.pipeline.add(partial(self._append, self.tapes[place], batch, lost), size)

    def _flush_all(self) -> None:
        for place in list(self._pending):
            self._flush(place)

    def _append(self, tape: Tape, batch: pa.RecordBatch, lost: list[int]) -> None:
        if lines := tape.append(batch, lost):
            self.sealed(lines)

    def _finish(self, place: Place, fetcher: Fetcher) -> None:
        self._flush(place)
        self.pipeline.add(partial(self._seal, self.tapes[place]))
        self._drop(place, fetcher)

    def _seal(self, tape: Tape) -> None:
        self.sealed([tape.finish()])

    def _lose(self, place: Place, fetcher: Fetcher, text: str) -> None:
        """End the reading of a partition before its end, and say why."""
        self.notes.append(Note(level="loss", text=text, topic=place[0], partition=place[1]))
        self._flush(place)
        self.pipeline.wait()
        self.sealed([self.tapes[place].rest()])
        self.tapes[place].cut_short(self._position[place])
        self._drop(place, fetcher)

    def _drop(self, place: Place, fetcher: Fetcher) -> None:
        fetcher.drop(place)
        self._at_end.pop(place, None)
        self._live.pop(place, None)
        self._open.discard(place)
