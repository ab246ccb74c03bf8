"""Fetching what leaders have in bulk: whole record batches, a thread for each leader, columns in the end.

It is the fast way through a log that is there already, and knows only fair weather: a partition whose leader moves,
errs, hangs or has nothing more to send is left where it stands, and whoever asked reads on from there with a whole
client, which hears the same and knows what to do then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from types import TracebackType
from typing import NamedTuple, Self

from recorder.errors import KafkaUnavailableError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import Connection
from recorder.kafka.fetching import Isolation
from recorder.kafka.login import UnsuitableError, require_known
from recorder.kafka.offsets import Place
from recorder.kafka.record_batches import Batch, BatchError, Records, committed, read_batches, split
from recorder.kafka.statistics import Load
from recorder.kafka.wire import Answer, Wire

SILENT_SECONDS = 5.0
_WAIT_MS = 500
_MOST_BYTES, _MOST_EACH_BYTES = 8 << 20, 4 << 20
_LOOK_SECONDS = 0.1
PIECE_BYTES = 2 << 20
"""As they were sent: so much is unpacked at a time."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Records of one partition in offset order; all that there is before `next_offset` was handed out then."""

    place: Place
    records: Records
    next_offset: int


class _Sent(NamedTuple):
    """What one answer holds of one partition, asked for from `at` on."""

    answer: Answer
    batches: list[Batch]
    at: int


class Bulk:
    """Reads `spans` (from an offset, up to another one if the end is known); threads and connections end with it."""

    def __init__(self, cluster: Cluster, spans: Mapping[Place, tuple[int, int | None]], isolation: Isolation) -> None:
        self.committed = isolation == "read_committed"
        self._sent: Queue[tuple[list[_Sent], int]] = Queue(1)
        self._closed = threading.Event()
        self._dropped: set[Place] = set()
        self._requests = self._bytes = 0
        led: dict[str, dict[Place, tuple[int, int | None]]] = {}
        with suppress(UnsuitableError, KafkaUnavailableError):
            require_known(cluster.connection)
            addresses, leaders = cluster.brokers, cluster.leaders()
            for place, span in spans.items():
                if (address := addresses.get(leaders.get(place, -1))) is not None:
                    led.setdefault(address, {})[place] = span
        self._leaders = [_Leader(self, cluster.connection, address, of_one) for address, of_one in led.items()]

    def __enter__(self) -> Self:
        for leader in self._leaders:
            leader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        for leader in self._leaders:
            leader.close()

    @property
    def load(self) -> Load:
        return Load(self._bytes, self._requests, len(self._leaders))

    def drop(self, place: Place) -> None:
        """Read no more of this partition."""
        self._dropped.add(place)

    def is_dropped(self, place: Place) -> bool:
        return place in self._dropped

    def put(self, sent: list[_Sent], size: int) -> None:
        """Hand over an answer of so many bytes; waits while the one before is not taken."""
        while not self._closed.is_set():
            with suppress(Full):
                self._sent.put((sent, size), timeout=_LOOK_SECONDS)
                return

    def pieces(self) -> Iterator[Piece | None]:
        """What comes, None when nothing did for a tenth of a second; ends when every partition is read or left."""
        while True:
            ended = not any(leader.is_alive() for leader in self._leaders)
            try:
                sent, size = self._sent.get(timeout=0 if ended else _LOOK_SECONDS)
            except Empty:
                if ended:
                    return
                yield None
                continue
            self._requests += 1
            self._bytes += size
            for of_one in sent:
                yield from self._pieces_of(of_one)

    def _pieces_of(self, sent: _Sent) -> Iterator[Piece]:
        place, data = sent.answer.place, sent.answer.records
        try:
            aborted = sent.answer.aborted if self.committed else ()
            kept = list(committed(sent.batches, data, aborted)) if aborted else sent.batches
            for some in _portions(kept):
                if place in self._dropped:
                    return
                after = (some if some[-1] is not kept[-1] else sent.batches)[-1].next_offset
                yield Piece(place, read_batches(some, data, sent.at), after)
            if not kept:
                yield Piece(place, read_batches((), data, sent.at), sent.batches[-1].next_offset)
        except BatchError:
            self.drop(place)  # the client reads it again, and tells what is wrong


class _Leader(threading.Thread):
    """Asks one broker for its partitions; the next answer is on its way while the last one is taken apart."""

    def __init__(
        self, bulk: Bulk, connection: Connection, address: str, spans: Mapping[Place, tuple[int, int | None]]
    ) -> None:
        super().__init__(name=f"fetch {address}", daemon=True)
        self._bulk, self._connection, self._address = bulk, connection, address
        self._positions = {place: at for place, (at, _) in spans.items()}
        self._ends = {place: end for place, (_, end) in spans.items()}
        self._wire: Wire | None = None

    def run(self) -> None:
        with suppress(OSError, UnsuitableError, BatchError):  # the client that reads on meets the same, and tells
            self._wire = wire = Wire(self._connection, self._address, SILENT_SECONDS)
            try:
                asked = self._ask(wire)
                while asked:
                    answers, size = wire.fetched()
                    sent = [one for answer in answers if (one := self._note(answer))]
                    asked = self._ask(wire)
                    self._bulk.put(sent, size)
            finally:
                wire.close()

    def close(self) -> None:
        """Wake it if it waits for the broker."""
        if self._wire is not None:
            self._wire.close()

    def _ask(self, wire: Wire) -> bool:
        positions = [(place, at) for place, at in self._positions.items() if not self._bulk.is_dropped(place)]
        if positions:
            wire.ask_fetch(
                positions,
                committed=self._bulk.committed,
                wait_ms=_WAIT_MS,
                most=_MOST_BYTES,
                most_each=_MOST_EACH_BYTES,
            )
        return bool(positions)

    def _note(self, answer: Answer) -> _Sent | None:
        """Move on behind what came; a partition that is done, or from which nothing more can be expected, is left."""
        at = self._positions.pop(answer.place, None)
        if at is None or answer.error or answer.preferred_replica >= 0:
            return None
        batches = split(answer.records)
        after = batches[-1].next_offset if batches else at
        end = self._ends[answer.place]
        if after < answer.log_end and (end is None or after < end):
            self._positions[answer.place] = after  # behind the others, so that each has its turn
        return _Sent(answer, batches, at) if batches else None


def _portions(batches: Sequence[Batch]) -> Iterator[Sequence[Batch]]:
    """In runs of about the same size; each holds at least one."""
    begin = size = 0
    for index, batch in enumerate(batches):
        size += batch.length
        if size >= PIECE_BYTES:
            yield batches[begin : index + 1]
            begin, size = index + 1, 0
    if begin < len(batches):
        yield batches[begin:]
