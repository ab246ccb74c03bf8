"""Looking at a cluster before recording from it: who answers, how fast, what its clock says, and a small taste of it.

Only asks and reads: no group is joined, nothing is committed, and no more is fetched than the limits say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from confluent_kafka import OFFSET_INVALID, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from recorder.errors import KafkaUnavailableError
from recorder.kafka.cluster import ANSWER_SECONDS, Cluster
from recorder.kafka.connection import Connection
from recorder.kafka.fetching import is_denied
from recorder.kafka.offsets import Place

WAIT_SECONDS = 0.1
_BATCH_MESSAGES = 500
_QUEUE_KBYTES = 16 << 10
_ASKED_AT_ONCE = 8
_NEWEST: Any = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]  # the client leaves it untyped
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Answer:
    """How one broker answered at the address it advertises; `problem` is why it didn't."""

    broker: int
    address: str
    connect_seconds: float = 0.0
    """From nothing to the first answer: name, connection, TLS, log-in."""
    answer_seconds: float = 0.0
    """For one question on the open connection."""
    problem: str | None = None


def answers(cluster: Cluster) -> list[Answer]:
    """Ask every broker, each through a client of its own, a few at a time."""
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
        return list(threads.map(lambda entry: _answer(cluster.connection, *entry), cluster.brokers.items()))


def _answer(connection: Connection, broker: int, address: str) -> Answer:
    alone = Cluster(replace(connection, bootstrap=address, errors=[], _refused_by=set()))
    begun = time.monotonic()
    try:
        alone.names()
        connected = time.monotonic()
        alone.refresh()
        alone.names()
    except KafkaUnavailableError as error:
        return Answer(broker, address, problem=str(error))
    return Answer(broker, address, connected - begun, time.monotonic() - connected)


def readable_ends(cluster: Cluster, places: Iterable[Place]) -> dict[Place, int]:
    """Each partition's last stable offset: before the high watermark where a transaction is open."""
    return {place: answer.offset for place, answer in _look_up(cluster, places, _LATEST, committed=True).items()}


def newest_times(cluster: Cluster, places: Iterable[Place]) -> dict[Place, int]:
    """The largest timestamp (ms) in each partition that holds a record; absent where unknown."""
    found = _look_up(cluster, places, _NEWEST, committed=False)
    return {place: answer.timestamp for place, answer in found.items() if answer.offset >= 0}


@dataclass(frozen=True, slots=True)
class ClockBounds:
    """Between which milliseconds "the brokers' clock minus ours" must lie."""

    low_ms: int
    high_ms: int

    @property
    def middle_ms(self) -> float:
        return (self.low_ms + self.high_ms) / 2


def clock_bounds(
    cluster: Cluster, stamped_by_brokers: Iterable[Place], seconds: float, now_ms: Callable[[], int]
) -> ClockBounds | None:
    """Compare clocks by watching partitions whose records carry the brokers' time; None when none grew in `seconds`.

    Kafka tells no time. But when the newest timestamp of such a partition changes between two look-ups, a broker's
    clock showed the new one after the first look-up was sent and before the second was answered.
    """
    places = list(stamped_by_brokers)
    deadline = time.monotonic() + seconds
    asked_ms, before = now_ms(), newest_times(cluster, places)
    while time.monotonic() < deadline:
        time.sleep(WAIT_SECONDS / 2)
        asking_ms, after = now_ms(), newest_times(cluster, places)
        answered_ms = now_ms()
        grown = [stamp for place, stamp in after.items() if place in before and stamp > before[place]]
        if grown:
            return ClockBounds(max(grown) - answered_ms, max(grown) - asked_ms)
        asked_ms, before = asking_ms, after
    return None


@dataclass
class Taste:
    """What a short reading of some partitions found."""

    messages: dict[Place, list[Message]] = field(default_factory=dict)
    """The first records of each partition, in offset order; at most as many as were asked for."""
    bytes_per_second: float | None = None
    """Of keys and values, once reading was under way; None when all came at once."""
    denied: set[str] = field(default_factory=set)
    """Topics that we may not read."""
    problems: dict[Place, str] = field(default_factory=dict)
    silent: set[Place] = field(default_factory=set)
    """Neither a record nor the end of the partition came in time."""


def taste(
    connection: Connection,
    spans: Mapping[Place, tuple[int, int]],
    *,
    records: int,
    max_bytes: int,
    seconds: float,
) -> Taste:
    """Read a little of each span of offsets `[start, end)`, keeping up to `records` of each.

    Ends when all spans are read, after `max_bytes`, or after `seconds` (later while a partition said nothing at all).
    """
    found = Taste()
    # Not the recorder's settings: its queue alone would fetch more than this is meant to read.
    consumer = connection.consumer(
        isolation_level="read_committed",
        enable_partition_eof=True,
        auto_offset_reset="error",
        allow_auto_create_topics=False,
        queued_max_messages_kbytes=_QUEUE_KBYTES,
        fetch_max_bytes=_QUEUE_KBYTES << 10,
        fetch_message_max_bytes=max(64 << 10, (_QUEUE_KBYTES << 10) // (4 * max(1, len(spans)))),
        fetch_queue_backoff_ms=2,
    )
    try:
        consumer.assign([TopicPartition(topic, partition, at) for (topic, partition), (at, _) in spans.items()])
        unread, found.silent = set(spans), set(spans)
        total = first_bytes = 0
        first_at = last_at = begun = time.monotonic()
        while unread and total < max_bytes:
            if time.monotonic() - begun > (ANSWER_SECONDS if found.silent else seconds):
                break
            arrived = consumer.consume(_BATCH_MESSAGES, WAIT_SECONDS)
            for message in arrived:
                place, size = _take(message, spans, found, records, unread)
                found.silent.discard(place)
                total += size
            if arrived and total:
                last_at = time.monotonic()
                if not first_bytes:
                    first_at, first_bytes = last_at, total
        if last_at > first_at:
            found.bytes_per_second = (total - first_bytes) / (last_at - first_at)
    finally:
        consumer.close()
    return found


def _take(
    message: Message, spans: Mapping[Place, tuple[int, int]], found: Taste, records: int, unread: set[Place]
) -> tuple[Place, int]:
    """Note what one message says; its place and how many bytes of records it brought."""
    place = (message.topic() or "", message.partition() or 0)
    error = message.error()
    if place not in spans:
        return place, 0  # about the client as a whole, which goes on by itself
    if error is not None:
        if is_denied(error):
            found.denied.add(place[0])
        elif error.code() != KafkaError._PARTITION_EOF:
            if error.retriable():
                return place, 0
            found.problems[place] = str(error.str())
        unread.discard(place)
        return place, 0
    offset = message.offset() or 0
    if offset + 1 >= spans[place][1]:
        unread.discard(place)
        if offset >= spans[place][1]:
            return place, 0
    kept = found.messages.setdefault(place, [])
    if len(kept) < records:
        kept.append(message)
    return place, len(message) + len(message.key() or b"")


def _look_up(cluster: Cluster, places: Iterable[Place], spec: Any, *, committed: bool) -> dict[Place, Any]:
    request = {TopicPartition(*place): spec for place in places}
    if not request:
        return {}
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    found = {}
    futures = cluster.admin.list_offsets(request, isolation_level=level, request_timeout=ANSWER_SECONDS * 3)
    for place, future in futures.items():
        try:
            answer = future.result()
            if answer.offset != OFFSET_INVALID:  # a leader that did not answer in time is no error to the client
                found[place.topic, place.partition] = answer
        except KafkaException:
            continue  # who needs this place finds it missing; the plan has said already why none answers
    return found
