"""Reading partitions from given offsets with one consumer: assigned, never subscribed, nothing ever committed.

Hands out whole lists of messages and what happened between them; it judges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import compress, count, islice, pairwise
from operator import ne, or_
from types import TracebackType
from typing import Literal, Self

from confluent_kafka import OFFSET_INVALID, KafkaError, Message, TopicPartition

from recorder.kafka.connection import Connection
from recorder.kafka.offsets import Place
from recorder.kafka.statistics import Pulse, parse_statistics

WAIT_SECONDS = 0.1  # consume() waits for a full batch or this long, and Ctrl-C waits with it
BATCH_MESSAGES = 1_000

_CUT = re.compile(r"log truncation detected .* broker end offset is (\d+)")  # KIP-320
_GOES_ON = {
    # The client tries again by itself; who waits too long notices that nothing arrives.
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    # A broker in trouble, as are those that it goes on from without a word.
    KafkaError.UNKNOWN,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NETWORK_EXCEPTION,
    # It looks for a group's coordinator although no group is joined; reading needs no right to that.
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}

_TUNING = {
    # What the user sets wins. A full local queue must not put the fetcher to sleep for its default second.
    "fetch_queue_backoff_ms": 2,
    # Compressed: in memory it may be twenty times as much.
    "fetch_max_bytes": 8 << 20,
    # Brokers that hang, or behind a network that forgot us, are left within seconds: the others know who leads now.
    "topic_metadata_refresh_interval_ms": 5_000,
    "socket_timeout_ms": 30_000,
    "socket_keepalive_enable": True,
    "reconnect_backoff_max_ms": 2_000,
    "statistics_interval_ms": 1_000,
}
_AHEAD_KBYTES = 32 << 10

_PATIENT = {
    # An answer for every single record is dear where many partitions are read, because each request names them all:
    # for 1,000 of them, a tenth of the requests.
    "fetch_min_bytes": 64 << 10,
    "fetch_wait_max_ms": 500,
}

Isolation = Literal["read_committed", "read_uncommitted"]

__all__ = [
    "Arrived",
    "Event",
    "Failed",
    "Fetcher",
    "Isolation",
    "Message",
    "OutOfRange",
    "ReachedEnd",
    "is_denied",
    "is_missing",
]


@dataclass(frozen=True, slots=True)
class Arrived:
    """Messages of one partition in offset order."""

    place: Place
    messages: list[Message]

    @property
    def next_offset(self) -> int:
        return (self.messages[-1].offset() or 0) + 1

    @property
    def bytes(self) -> int:
        """Of keys and values."""
        return sum(map(len, self.messages)) + sum(map(len, filter(None, map(Message.key, self.messages))))


@dataclass(frozen=True, slots=True)
class ReachedEnd:
    """The reader stands at `offset`, the end of what is readable now: all before it was handed out or is a hole."""

    place: Place
    offset: int


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """The offset to read next is not in the log: deleted by retention, or the log was cut."""

    place: Place
    cut_at: int | None = None
    """The brokers say that the log ends here now for the records that we read: what came after is gone from it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The broker refuses this partition for good (or, without a place, the whole client)."""

    place: Place | None
    error: KafkaError


Event = Arrived | ReachedEnd | OutOfRange | Failed


class Fetcher:
    """A consumer over fixed partitions; use it as a context manager.

    A `patient` one lets the brokers gather records for up to half a second where few arrive. It fetches ahead as far
    as one of so many `processes` may that read at once. `epochs` are the leaders' under which the records before the
    starts were read: a log that was cut since is noticed by them.
    """

    def __init__(
        self,
        connection: Connection,
        starts: Mapping[Place, int],
        isolation: Isolation,
        *,
        patient: bool = False,
        processes: int = 1,
        epochs: Mapping[Place, int] | None = None,
    ) -> None:
        tuning = _TUNING | (_PATIENT if patient else {}) | {"queued_max_messages_kbytes": _AHEAD_KBYTES // processes}
        self._connection = connection
        self.pulse: Pulse | None = None
        """Where the client stood with its brokers at the last full second."""
        self._consumer = connection.consumer(
            isolation_level=isolation,
            enable_partition_eof=True,
            auto_offset_reset="error",
            check_crcs=True,
            stats_cb=self._hear,
            allow_auto_create_topics=False,
            **{name: value for name, value in tuning.items() if name.replace("_", ".") not in connection.settings},
        )
        self._consumer.assign([_position(place, at, (epochs or {}).get(place)) for place, at in starts.items()])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def poll(self) -> Iterator[Event]:
        """What arrived within a tenth of a second, in order for each partition."""
        batch = self._consumer.consume(BATCH_MESSAGES, WAIT_SECONDS)
        if not any(map(Message.error, batch)):  # an error counts as true
            yield from _runs(batch)
            return
        errors = list(map(Message.error, batch))
        begin = 0
        for index, error in enumerate(errors):
            if error is not None:
                yield from _runs(batch[begin:index])
                begin = index + 1
                if event := _event(batch[index], error):
                    yield event
        yield from _runs(batch[begin:])

    def _hear(self, statistics: str) -> None:
        self.pulse = parse_statistics(statistics)

    def drop(self, place: Place) -> None:
        """Read no more of this partition."""
        self._consumer.incremental_unassign([TopicPartition(*place)])

    def restart(self, place: Place, offset: int, *, assigned: bool = True) -> None:
        """Go on reading this partition at `offset`; `assigned` unless it was dropped."""
        if assigned:
            self._consumer.incremental_unassign([TopicPartition(*place)])
        self._consumer.incremental_assign([TopicPartition(*place, offset)])


def _position(place: Place, at: int, epoch: int | None) -> TopicPartition:
    return TopicPartition(*place, at) if epoch is None or epoch < 0 else TopicPartition(*place, at, leader_epoch=epoch)


def is_missing(error: KafkaError) -> bool:
    """The brokers know of no such topic or partition: it was deleted, or one that just started has yet to learn."""
    return error.code() in {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }


def is_denied(error: KafkaError) -> bool:
    """The broker says that we may not read this."""
    return bool(error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED)


def _runs(batch: list[Message]) -> Iterator[Arrived]:
    if not batch:
        return
    topics, partitions = list(map(Message.topic, batch)), list(map(Message.partition, batch))
    differs = map(or_, map(ne, topics, islice(topics, 1, None)), map(ne, partitions, islice(partitions, 1, None)))
    for begin, end in pairwise((0, *compress(count(1), differs), len(batch))):
        topic, partition = topics[begin], partitions[begin]
        assert topic is not None and partition is not None  # only errors lack them
        yield Arrived((topic, partition), batch[begin:end])


def _event(message: Message, error: KafkaError) -> Event | None:
    code, topic, partition = error.code(), message.topic(), message.partition()
    place = None if topic is None or partition is None or partition < 0 else (topic, partition)
    if place and code == KafkaError._PARTITION_EOF:
        offset = message.offset()
        return ReachedEnd(place, OFFSET_INVALID if offset is None else offset)
    if place and code in {KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET}:
        cut = _CUT.search(error.str())
        return OutOfRange(place, int(cut[1]) if cut else None)
    if error.retriable() or code in _GOES_ON:
        return None
    return Failed(place, error)
