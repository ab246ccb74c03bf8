"""The read loop: every partition from its start to its end, through what brokers do meanwhile.

A partition is finished by position, not by silence: by a record at or beyond its end, or by the broker's word that
the reader stands at the end of what is readable (a transaction marker or a compacted tail never arrives).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import pyarrow as pa

from recorder.capture.manifest import Note
from recorder.errors import BlackboxError, KafkaUnavailableError
from recorder.kafka.bulk import Bulk
from recorder.kafka.cluster import Cluster, Patience
from recorder.kafka.fetching import (
    Arrived,
    Event,
    Failed,
    Fetcher,
    Isolation,
    Message,
    OutOfRange,
    ReachedEnd,
    is_denied,
    is_missing,
)
from recorder.kafka.offsets import Place, log_ends, log_starts
from recorder.kafka.statistics import Load
from recorder.recording.growth import Growth
from recorder.recording.journal import Sealed
from recorder.recording.outages import Outages
from recorder.recording.pending import Pending
from recorder.recording.pipeline import Pipeline
from recorder.recording.tape import Tape
from recorder.recording.throttle import Throttle

MANY_PARTITIONS = 100
"""From so many on, a window that is still open is read with fewer and larger requests."""
STALLED_SECONDS = 120.0
"""Brokers that restart, and leaders that are chosen, may take minutes; nobody waits for ever behind a closed window."""
_AGAIN_SECONDS = 1.0
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
    topic_ids: Mapping[str, str | None] = field(default_factory=dict)
    """Of the topics as they were planned."""
    tell: Callable[[str], None] = lambda words: None
    """Told who keeps the reading waiting; with no words, that nobody does."""
    isolation: Isolation = "read_committed"
    processes: int = 1
    """How many read at once, this one included, and share the memory."""
    growth: Growth | None = None
    """Where partitions come from that are added while a window is open."""
    notes: list[Note] = field(default_factory=list)
    cut_short: dict[Place, int] = field(default_factory=dict)
    """Partitions whose reading ended before their end, and where."""
    _open: set[Place] = field(default_factory=set)
    _live: dict[Place, int] = field(default_factory=dict)
    """Partitions whose window is still open, and when (epoch ms) it will be over."""
    _position: dict[Place, int] = field(default_factory=dict)
    _at_end: dict[Place, float] = field(default_factory=dict)
    """Partitions that stand at the end of what is readable, and since when (monotonic seconds)."""
    _regrowing: dict[Place, float] = field(default_factory=dict)
    """Partitions whose log was cut below what was read, and when (monotonic seconds) to look again how far it goes."""
    _last_event: float = 0.0
    _outages: Outages = field(default_factory=Outages)
    _bulk_load: Load = field(default_factory=Load)
    _epoch: dict[Place, int] = field(default_factory=dict)
    """The leader's, of the last record that came in bulk."""

    def __post_init__(self) -> None:
        self._pending = Pending(self._write)

    @property
    def load(self) -> Load:
        """What the brokers were asked so far."""
        return self._outages.load + self._bulk_load

    def run(self, now_ms: Callable[[], int]) -> None:
        """Read until every partition is finished, its window is over, or `stopped`."""
        self._position = {place: tape.ledger.position for place, tape in self.tapes.items()}
        self._open = {
            place for place, tape in self.tapes.items() if tape.end is None or tape.ledger.position < tape.end
        }
        self._live = {place: until for place in self._open if (until := self.tapes[place].until_ms) is not None}
        try:
            if self.throttle is None and not self._live:
                self._read_bulk()
            if starts := {place: self._position[place] for place in self._open}:
                patient = bool(self._live) and len(starts) >= MANY_PARTITIONS
                with Fetcher(
                    self.cluster.connection,
                    starts,
                    self.isolation,
                    patient=patient,
                    processes=self.processes,
                    epochs=self._epoch,
                ) as fetcher:
                    self._loop(fetcher, now_ms)
        except KafkaUnavailableError as error:
            # What was read is worth keeping; what was not is named below.
            self.notes.append(Note(level="loss", text=str(error)))
        self._pending.flush_all()
        self.pipeline.wait()
        self.sealed(self.tapes[place].rest() for place in self._open)
        for place in self._open:
            self._cut_short(place)
        self.notes += self._outages.notes()

    def _read_bulk(self) -> None:
        """What is there already comes in bulk, as long as nothing unusual happens; the client reads the rest."""
        spans = {place: (self._position[place], self.tapes[place].end) for place in self._open}
        with Bulk(self.cluster, spans, self.isolation) as bulk:
            for piece in bulk.pieces():
                if self.stopped():
                    break
                if piece is not None and piece.place in self._open:
                    place, records = piece.place, piece.records
                    self._move(place, piece.next_offset)
                    if len(records.offsets):
                        self._epoch[place] = int(records.leader_epochs[-1])
                        self._pending.add_records(place, records)
                    if self._is_over(place):
                        self._finish(place, bulk)
                self.advanced(0)
            self._bulk_load = bulk.load

    def _loop(self, fetcher: Fetcher, now_ms: Callable[[], int]) -> None:
        self._last_event = time.monotonic()
        while self._open and not self.stopped():
            for event in fetcher.poll():
                if self.throttle and isinstance(event, Arrived):
                    self.throttle.pay(event.bytes)
                self._last_event = time.monotonic()
                self._take(event, fetcher)
                del event  # its messages' memory is good for the next ones
            if fetcher.pulse is not None:
                self._outages.hear(fetcher.pulse)
            self.tell(self._outages.words)
            self.advanced(0)
            if self._live:
                self._grow(fetcher)
            if self._regrowing:
                self._look_again(fetcher)
            if self._live and now_ms() >= min(self._live.values()) + _LIVE_GRACE_MS:
                self._close_windows(fetcher, now_ms() - _LIVE_GRACE_MS)
            if self._live.keys() < self._open and self._give_up(fetcher):
                return

    def _grow(self, fetcher: Fetcher, *, now: bool = False) -> None:
        """Read also what was added since the window was opened."""
        grown = self.growth.take(now=now) if self.growth else ()
        if grown:
            with suppress(
                KafkaUnavailableError
            ):  # else this client would not know of them when it is asked for their ends
                self.cluster.refresh()
                self.cluster.names()
        for tape in grown:
            assert tape.until_ms is not None
            self._position[tape.place] = tape.ledger.position
            self._live[tape.place] = tape.until_ms
            self._open.add(tape.place)
            fetcher.restart(tape.place, tape.ledger.position, assigned=False)

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
                    self._out_of_range(place, event.cut_at, fetcher)
            case Failed(None, error):
                raise self.cluster.connection.unavailable(error, "read")
            case Failed(place):
                if place in self._open:
                    self._failed(event, place, fetcher)

    def _arrived(self, place: Place, messages: list[Message], next_offset: int, fetcher: Fetcher) -> None:
        self._move(place, next_offset)
        self._pending.add(place, messages)
        if self._is_over(place):
            self._finish(place, fetcher)

    def _reached(self, place: Place, offset: int, fetcher: Fetcher) -> None:
        self._pending.flush(place)
        tape = self.tapes[place]
        if offset > self._position[place]:
            self._move(place, offset)
            self.pipeline.add(partial(tape.advance, offset), key=place)
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

    def _failed(self, event: Failed, place: Place, fetcher: Fetcher) -> None:
        """The client says that it reads this partition no more."""
        error = event.error
        if is_denied(error):
            text = f"No right to read topic {place[0]}: ask for READ on it. Nothing else is needed."
            if not any(self._position[one] > tape.ledger.start for one, tape in self.tapes.items()):
                raise BlackboxError(text)
            self._lose(place, fetcher, "the right to read it was taken away: ask for READ on the topic")
        elif is_missing(error) and self._still_there(place[0]):
            fetcher.restart(place, self._position[place])
        else:
            self._lose(place, fetcher, f"the broker ended the reading: {error.str()}")

    def _out_of_range(self, place: Place, cut_at: int | None, fetcher: Fetcher) -> None:
        """What was to be read next is not in the log: name what is missing, and go on where that is possible."""
        self._pending.flush(place)
        at = self._position[place]
        begins = log_starts(self.cluster, [place], partial=True).get(place)
        ends = log_ends(self.cluster, [place], partial=True).get(place)
        if begins is None or ends is None or not self._still_there(place[0]):
            self._lose(place, fetcher, f"offset {at} vanished: the topic was deleted or recreated")
        elif begins > at:
            self._expired(place, begins, fetcher)
        else:
            self._was_cut(place, min(at, ends) if cut_at is None else cut_at, ends, fetcher)

    def _expired(self, place: Place, begins: int, fetcher: Fetcher) -> None:
        """Retention deleted what was to be read next: go on where the log begins now; the ledger names the gap."""
        self._move(place, begins)
        self.pipeline.add(partial(self.tapes[place].advance, begins, "expired"), key=place)
        if self._is_over(place):
            self._finish(place, fetcher)
        else:
            fetcher.restart(place, begins)

    def _was_cut(self, place: Place, cut_at: int, ends: int, fetcher: Fetcher) -> None:
        """A broker that lacked the latest records became the leader: other records take the offsets of those we have.

        What was recorded stays, and is what consumers saw. The log is followed again from where we stand.
        """
        at, end = self._position[place], self.tapes[place].end
        text = "its log was cut by an unclean leader election"
        if cut_at < at:
            text += f": offsets {cut_at} to {at - 1} are recorded as they were before, not what has their place now"
        if end is not None and ends < end:
            self._lose(place, fetcher, f"{text}; it ends at {ends} now")
            return
        self._note("loss", place, text)
        if ends >= at:
            fetcher.restart(place, at)
        else:
            fetcher.drop(place)
            self._regrowing[place] = time.monotonic() + _AGAIN_SECONDS

    def _look_again(self, fetcher: Fetcher) -> None:
        """Go on with partitions whose log has grown again to where we stood before it was cut."""
        now = time.monotonic()
        due = [place for place, then in self._regrowing.items() if now >= then]
        for place, ends in log_ends(self.cluster, due, partial=True, patience=Patience(0)).items():
            if ends >= self._position[place]:
                del self._regrowing[place]
                fetcher.restart(place, self._position[place], assigned=False)
        self._regrowing |= {place: now + _AGAIN_SECONDS for place in due if place in self._regrowing}

    def _still_there(self, topic: str) -> bool:
        """The topic exists, and is the one that was planned."""
        self.cluster.refresh()
        if topic not in self.cluster.names():
            return False
        before, now = self.topic_ids.get(topic), self.cluster.topic_ids([topic]).get(topic)
        return before is None or now is None or before == now

    def _close_windows(self, fetcher: Fetcher, now_ms: int) -> None:
        """The end of windows has come: what the log holds now is what there is to read."""
        self._grow(fetcher, now=True)
        over = [place for place, until_ms in self._live.items() if until_ms <= now_ms]
        ends = log_ends(self.cluster, over, partial=True)
        self._last_event = time.monotonic()
        self._at_end |= dict.fromkeys(self._at_end.keys() & over, self._last_event)
        self._pending.flush_all()
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
        if waiting_for := self._outages.words:
            # Who is silent may be the leader that would have more to say, or who would end a transaction.
            self._at_end = dict.fromkeys(self._at_end, now)
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
            why = f": {waiting_for or heard[-1]}" if waiting_for or heard else ""
            self.notes.append(Note(level="loss", text=f"nothing came for {STALLED_SECONDS:.0f} s{why}"))
            return True
        return False

    def _write(self, place: Place, records: pa.Table, headers_lost: list[int], size: int) -> None:
        self.pipeline.add(partial(self._append, self.tapes[place], records, headers_lost), size, place)

    def _append(self, tape: Tape, records: pa.Table, headers_lost: list[int]) -> None:
        if lines := tape.append(records, headers_lost):
            self.sealed(lines)

    def _finish(self, place: Place, fetcher: Fetcher | Bulk) -> None:
        self._pending.flush(place)
        self.pipeline.add(partial(self._seal, self.tapes[place]), key=place)
        self._drop(place, fetcher)

    def _seal(self, tape: Tape) -> None:
        self.sealed([tape.finish()])

    def _lose(self, place: Place, fetcher: Fetcher, text: str) -> None:
        """End the reading of a partition before its end, and say why."""
        self._note("loss", place, text)
        self._pending.flush(place)
        self.pipeline.wait()
        self.sealed([self.tapes[place].rest()])
        self._cut_short(place)
        self._drop(place, fetcher)

    def _cut_short(self, place: Place) -> None:
        self.cut_short[place] = self._position[place]
        self.tapes[place].cut_short(self._position[place])

    def _note(self, level: Literal["warning", "loss"], place: Place, text: str) -> None:
        self.notes.append(Note(level=level, text=text, topic=place[0], partition=place[1]))

    def _drop(self, place: Place, fetcher: Fetcher | Bulk) -> None:
        if self._regrowing.pop(place, None) is None:
            fetcher.drop(place)
        self._at_end.pop(place, None)
        self._live.pop(place, None)
        self._open.discard(place)
