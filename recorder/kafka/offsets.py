"""Offsets by question: where a partition begins and ends, and where a time lies in it. Batched, read only."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import wait
from typing import Any

from confluent_kafka import OFFSET_INVALID, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from recorder.kafka.cluster import ANSWER_SECONDS, Cluster, Patience

Place = tuple[str, int]
"""A topic and a partition number."""

NOTHING_THAT_LATE = -1

_TURN_SECONDS = 0.25
_PASSING = {
    # A leader that is away or moves: another try may do better.
    KafkaError._NOENT,  # no leader at all was found
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._WAIT_COORD,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.UNKNOWN_LEADER_EPOCH,
}

_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # the client leaves it untyped
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]


def log_starts(cluster: Cluster, places: Iterable[Place], *, partial: bool = False) -> dict[Place, int]:
    """The first offset that each partition still holds; with `partial`, of those that answer."""
    return _ask(cluster, dict.fromkeys(places, _EARLIEST), partial=partial)


def log_ends(
    cluster: Cluster, places: Iterable[Place], *, partial: bool = False, patience: Patience | None = None
) -> dict[Place, int]:
    """Each partition's high watermark: the offset after the last record, open transactions included."""
    return _ask(cluster, dict.fromkeys(places, _LATEST), partial=partial, patience=patience)


def at_time(cluster: Cluster, times: Mapping[Place, int]) -> dict[Place, int]:
    """The offset of the first record at or after a time (ms) in each place; NOTHING_THAT_LATE (−1) where there is none.

    Exact for a window's start (all before it is older), not for its end: later records may be older again.
    """
    return _ask(cluster, {place: OffsetSpec.for_timestamp(min(max(at, 0), 2**63 - 1)) for place, at in times.items()})


def _ask(
    cluster: Cluster, questions: Mapping[Place, Any], *, partial: bool = False, patience: Patience | None = None
) -> dict[Place, int]:
    """Ask the partitions' leaders; again while some have none or it is away, as long as patience lasts."""
    answers: dict[Place, int] = {}
    patience = patience or cluster.patience
    began = time.monotonic()
    gone: dict[Place, KafkaException] = {}
    while questions:
        found, errors = _ask_once(cluster, questions)
        answers |= found
        waited = time.monotonic() - began
        lasting = [place for place, error in errors.items() if error.args[0].code() in _PASSING]
        if lasting and waited < patience.seconds and not patience.stopped():
            topic, partition = lasting[0]
            others = f" and {len(lasting) - 1} more" if len(lasting) > 1 else ""
            if waited >= 1:
                patience.tell(f"waiting for a leader of {topic}/{partition}{others} for {waited:.0f} s")
            topics = _learn_leaders(cluster)
            lasting = [place for place in lasting if topics is None or place[0] in topics]
        else:
            lasting = []
        gone |= {place: errors[place] for place in errors.keys() - lasting}
        questions = {place: questions[place] for place in lasting}
        if gone and not partial:
            (topic, partition), error = next(iter(gone.items()))
            raise cluster.connection.unavailable(error, f"look up offsets of {topic}/{partition}") from error
    return answers


def _ask_once(cluster: Cluster, questions: Mapping[Place, Any]) -> tuple[dict[Place, int], dict[Place, KafkaException]]:
    request = {TopicPartition(topic, partition): spec for (topic, partition), spec in questions.items()}
    futures = cluster.admin.list_offsets(
        request, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=ANSWER_SECONDS
    )
    while wait(futures.values(), _TURN_SECONDS).not_done and not cluster.patience.stopped():
        pass
    answers: dict[Place, int] = {}
    errors: dict[Place, KafkaException] = {}
    for place, future in futures.items():
        try:
            offset = future.result(0 if cluster.patience.stopped() else None).offset
            if offset == OFFSET_INVALID:  # a leader that did not answer in time is no error to the client
                raise TimeoutError
            answers[place.topic, place.partition] = offset
        except KafkaException as error:
            errors[place.topic, place.partition] = error
        except TimeoutError:
            errors[place.topic, place.partition] = KafkaException(KafkaError(KafkaError._TIMED_OUT))
    return answers, errors


def _learn_leaders(cluster: Cluster) -> Collection[str] | None:
    """Have the client ask who leads, which it would remember for minutes; the topics there are, None if nobody says."""
    began = time.monotonic()
    try:
        return [name for name, topic in cluster.admin.list_topics(timeout=1.0).topics.items() if topic.partitions]
    except KafkaException:
        return None
    finally:
        time.sleep(max(0.0, _TURN_SECONDS - (time.monotonic() - began)))
