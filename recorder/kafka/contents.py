"""What lies in stretches of a target's logs, as digests to hold against those of what was to be sent.

It comes in bulk as long as nothing unusual happens, and a whole client reads the rest: also what the leaders won't give
that way, and every stretch that retention, a deleted topic or an open transaction stands in the way of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from typing import Any

import numpy as np
import pyarrow as pa
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from recorder.errors import BlackboxError, KafkaUnavailableError, RefusedError
from recorder.kafka.bulk import Bulk
from recorder.kafka.cluster import Cluster
from recorder.kafka.fetching import Arrived, Failed, Fetcher, Isolation, Message, OutOfRange, ReachedEnd
from recorder.kafka.offsets import Place
from recorder.kafka.record_batches import Records

_SILENT_SECONDS = 60.0

Digest = int
"""Of a record's content, for comparing inside one process."""
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Contents:
    """Records of one partition in offset order, column by column."""

    place: Place
    offsets: Sequence[int]
    keys: Sequence[bytes | None]
    digests: Sequence[Digest]
    stamped: bool
    """The broker stamped some of them; the timestamps of these did not count."""


def content_digest(key: bytes | None, value: bytes | None, headers: Headers | None, timestamp_ms: int | None) -> Digest:
    """64 bits that differ where the content does. Good for one process only; None: the timestamp does not count."""
    return hash((key, value, timestamp_ms, *chain.from_iterable(headers or ())))


def content_digests(
    keys: Iterable[bytes | None],
    values: Iterable[bytes | None],
    headers: Iterable[Headers | None],
    timestamps_ms: Iterable[int | None],
) -> list[Digest]:
    """The same for columns; those of headers and timestamps may be longer."""
    rows = zip(keys, values, timestamps_ms, headers, strict=False)
    return [
        hash((key, value, at, *chain.from_iterable(pairs))) if pairs else hash((key, value, at))
        for key, value, at, pairs in rows
    ]


def read_contents(
    cluster: Cluster,
    spans: Mapping[Place, tuple[int, int]],
    note: Callable[[Contents], object],
    *,
    timeless: bool,
    committed: bool,
    progress: Callable[[int], object] = lambda offsets: None,
) -> None:
    """Read offsets ``[start, end)`` of each place and note what is there, in order for each place; `progress` hears of
    offsets passed.

    `committed`: without records of aborted transactions. With `timeless`, and where the broker stamped a record, its
    timestamp does not count. Raises RefusedError where the start is not in the log any more, and KafkaUnavailableError.
    """
    isolation: Isolation = "read_committed" if committed else "read_uncommitted"
    reading = _Reading({place: span for place, span in spans.items() if span[0] < span[1]}, note, timeless, progress)
    if reading.left:
        reading.read_bulk(cluster, isolation)
    if reading.left:
        reading.read_rest(cluster, isolation)


class _Reading:
    def __init__(
        self,
        spans: Mapping[Place, tuple[int, int]],
        note: Callable[[Contents], object],
        timeless: bool,
        progress: Callable[[int], object],
    ) -> None:
        self.left = dict(spans)
        self._note, self._timeless, self._progress = note, timeless, progress
        self._epochs: dict[Place, int] = {}

    def read_bulk(self, cluster: Cluster, isolation: Isolation) -> None:
        with Bulk(cluster, dict(self.left), isolation) as bulk:
            for piece in bulk.pieces():
                if piece is None or piece.place not in self.left:
                    continue
                if len(piece.records.offsets):
                    self._epochs[piece.place] = int(piece.records.leader_epochs[-1])
                    self._take_records(piece.place, piece.records)
                self._pass(piece.place, piece.next_offset)
                if piece.place not in self.left:
                    bulk.drop(piece.place)

    def read_rest(self, cluster: Cluster, isolation: Isolation) -> None:
        heard = time.monotonic()
        starts = {place: start for place, (start, _) in self.left.items()}
        with Fetcher(cluster.connection, starts, isolation, epochs=self._epochs) as fetcher:
            while self.left:
                for event in fetcher.poll():
                    heard = time.monotonic()
                    match event:
                        case Arrived(place, messages) if place in self.left:
                            self._take_messages(place, messages)
                            self._pass(place, event.next_offset)
                        case ReachedEnd(place, offset) if place in self.left:
                            self._pass(place, offset)
                        case OutOfRange(place) if place in self.left:
                            raise self._gone(place)
                        case Failed(place, error):
                            where = "the target" if place is None else f"{place[0]}/{place[1]}"
                            raise BlackboxError(f"Can't read {where} to see what is there: {error.str()}.")
                if self.left and time.monotonic() - heard > _SILENT_SECONDS:
                    (topic, partition), (_, end) = next(iter(self.left.items()))
                    raise KafkaUnavailableError(
                        f"{topic}/{partition} could not be read to offset {end:,}: is a transaction open in it, or its "
                        "leader away? Try again when that is over."
                    )

    def _gone(self, place: Place) -> RefusedError:
        return RefusedError(
            f"{place[0]}/{place[1]}: its log does not hold offset {self.left[place][0]:,} any more, so what is there "
            "can't be told. Replay into a new topic that keeps records (retention.ms=-1)."
        )

    def _pass(self, place: Place, offset: int) -> None:
        start, end = self.left[place]
        reached = max(start, min(offset, end))
        self._progress(reached - start)
        if reached < end:
            self.left[place] = (reached, end)
        else:
            del self.left[place]

    def _take_records(self, place: Place, records: Records) -> None:
        count = int(np.searchsorted(records.offsets, self.left[place][1]))
        stamped = records.timestamp_types[:count] == TIMESTAMP_LOG_APPEND_TIME
        keys = records.keys[:count].to_pylist()
        stamps: Iterable[int | None] = repeat(None)
        if not self._timeless:
            stamps = records.timestamps[:count].tolist()
            if stamped.any():
                stamps = (None if theirs else at for theirs, at in zip(stamped.tolist(), stamps, strict=True))
        digests = _digests(keys, records.values[:count].to_pylist(), stamps, records, count)
        self._note(Contents(place, records.offsets[:count].tolist(), keys, digests, bool(stamped.any())))

    def _take_messages(self, place: Place, messages: list[Message]) -> None:
        end = self.left[place][1]
        messages = [message for message in messages if (message.offset() or 0) < end]
        kinds, stamps = zip(*map(Message.timestamp, messages), strict=True) if messages else ((), ())
        stamped = [kind == TIMESTAMP_LOG_APPEND_TIME for kind in kinds]
        counting = [None if self._timeless or ours else at for ours, at in zip(stamped, stamps, strict=True)]
        keys = list(map(Message.key, messages))
        digests = content_digests(keys, map(Message.value, messages), map(_headers, messages), counting)
        self._note(Contents(place, [message.offset() or 0 for message in messages], keys, digests, any(stamped)))


def _digests(
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    stamps: Iterable[int | None],
    records: Records,
    count: int,
) -> list[Digest]:
    """`content_digests` of what came in bulk; where all have as many headers, without an object for any pair."""
    ends = records.header_ends[: count + 1]
    most = int(np.diff(ends).max(initial=0))
    if not most:
        return list(map(hash, zip(keys, values, stamps, strict=False)))
    try:
        names = records.header_names.cast(pa.string()).to_pylist()
    except pa.ArrowInvalid:  # names that are not UTF-8: none that we could have sent
        names = [name.decode(errors="surrogateescape") for name in records.header_names.to_pylist()]
    contents = records.header_values.to_pylist()
    if ends[-1] == most * count:
        columns = [column[place::most] for place in range(most) for column in (names, contents)]
        return list(map(hash, zip(keys, values, stamps, *columns, strict=False)))
    pairs = list(zip(names, contents, strict=True))
    headers = [pairs[begin:end] for begin, end in pairwise(ends.tolist())]
    return content_digests(keys, values, headers, stamps)


def _headers(message: Message) -> Any:
    try:
        return message.headers() or ()
    except (SystemError, UnicodeDecodeError):  # likewise
        return (("", b"another's"), ("not UTF-8", None))
