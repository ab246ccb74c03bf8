"""The ends of a target's partitions, read to see what of a replay is there already.

A process that was killed leaves requests behind, in the network's buffers and the brokers', and a leader may hold
records that its followers still lack: until those are settled one way or the other, nobody can say where a log ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaException, Message, TopicCollection

from recorder.errors import BlackboxError, KafkaUnavailableError, RefusedError
from recorder.kafka.cluster import ANSWER_SECONDS, Cluster, Patience
from recorder.kafka.fetching import Arrived, Failed, Fetcher, Isolation, OutOfRange, ReachedEnd
from recorder.kafka.offsets import Place, log_ends
from recorder.kafka.probing import answers

_APART_SECONDS = 0.5
_LOOKS = 3
_SETTLE_SECONDS = 90.0  # a follower that lags is out of the in-sync replicas after 30 s, a dead one after 9 s
_SILENT_SECONDS = 60.0

Digest = int
"""Of a record's content, for comparing inside one process."""
Note = Callable[[Place, Message, Digest, bool], object]

__all__ = ["Digest", "content_digest", "read_tails", "settled_ends"]


def content_digest(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]] | None, timestamp_ms: int | None
) -> Digest:
    """64 bits that differ where the content does. Good for one process only; None: the timestamp does not count."""
    return hash((key, value, tuple(headers or ()), timestamp_ms))


def settled_ends(
    cluster: Cluster, places: Sequence[Place], tell: Callable[[str], object] = lambda words: None
) -> dict[Place, int]:
    """Where each log ends, once every in-sync replica has answered and nothing more came for a while, or so much that
    others must be writing.

    Raises KafkaUnavailableError when that does not come true in a minute and a half.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS
    patient = Patience(_SETTLE_SECONDS, tell)
    topics = {topic for topic, _ in places}
    ends, grown = log_ends(cluster, places, patience=patient), 0
    while True:
        time.sleep(_APART_SECONDS)
        silent = _silent_replicas(cluster, topics)
        before, ends = ends, log_ends(cluster, places, patience=patient)
        grown += ends != before
        if not silent and (ends == before or grown > _LOOKS):
            return ends
        if silent:
            tell(f"waiting for broker {min(silent)}, which holds in-sync replicas and does not answer")
            if time.monotonic() > deadline:
                raise KafkaUnavailableError(
                    f"Broker {min(silent)} holds in-sync replicas and does not answer, so nobody can say where the "
                    "target's logs end. Resume when all brokers are well, or out of the in-sync replicas."
                )


def read_tails(
    cluster: Cluster,
    spans: Mapping[Place, tuple[int, int]],
    note: Note,
    *,
    timeless: bool,
    committed: bool,
) -> None:
    """Read offsets ``[start, end)`` of each place and note each record and its content, in order for each place.

    `committed`: without records of aborted transactions. With `timeless`, and where the broker stamped a record
    (then `note` is told True), its timestamp does not count. Raises RefusedError where the start is not in the log any
    more, and KafkaUnavailableError.
    """
    waiting = {place: end for place, (start, end) in spans.items() if start < end}
    if not waiting:
        return
    heard = time.monotonic()
    isolation: Isolation = "read_committed" if committed else "read_uncommitted"
    with Fetcher(cluster.connection, {place: spans[place][0] for place in waiting}, isolation) as fetcher:
        while waiting:
            for event in fetcher.poll():
                heard = time.monotonic()
                match event:
                    case Arrived(place, messages) if place in waiting:
                        _tell(messages, place, waiting[place], note, timeless)
                        if event.next_offset >= waiting[place]:
                            del waiting[place]
                    case ReachedEnd(place, offset) if offset >= waiting.get(place, offset + 1):
                        del waiting[place]
                    case OutOfRange(place):
                        raise RefusedError(
                            f"{place[0]}/{place[1]}: its log does not hold offset {spans[place][0]:,} any more, so "
                            "what is there can't be told. Replay into a new topic that keeps records (retention.ms=-1)."
                        )
                    case Failed(place, error):
                        where = "the target" if place is None else f"{place[0]}/{place[1]}"
                        raise BlackboxError(f"Can't read {where} to see what is there: {error.str()}.")
            if waiting and time.monotonic() - heard > _SILENT_SECONDS:
                topic, partition = next(iter(waiting))
                raise KafkaUnavailableError(
                    f"{topic}/{partition} could not be read to offset {waiting[topic, partition]:,}: is a transaction "
                    "open in it, or its leader away? Try again when that is over."
                )


def _tell(messages: Sequence[Message], place: Place, end: int, note: Note, timeless: bool) -> None:
    for message in messages:
        if (message.offset() or 0) >= end:
            return
        kind, stamp = message.timestamp()
        stamped = kind == TIMESTAMP_LOG_APPEND_TIME
        counts = None if timeless or stamped else stamp
        digest = content_digest(message.key(), message.value(), _headers(message), counts)
        note(place, message, digest, stamped)


def _headers(message: Message) -> Any:
    try:
        return message.headers() or ()
    except (SystemError, UnicodeDecodeError):  # names that are not UTF-8: none that we could have sent
        return (("", b"another's"), ("not UTF-8", None))


def _silent_replicas(cluster: Cluster, topics: set[str]) -> set[int]:
    """Brokers that are in sync for one of the topics, by the controller's word, and do not answer us."""
    cluster.refresh()
    in_sync: set[int] = set()
    described = cluster.admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=ANSWER_SECONDS)
    for future in described.values():
        try:
            in_sync |= {node.id for partition in future.result().partitions for node in partition.isr}
        except KafkaException:
            continue  # describing is a right of its own; what can be seen has to do
    return in_sync - {answer.broker for answer in answers(cluster) if answer.problem is None}
