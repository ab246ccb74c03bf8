"""Offsets by question: where a partition begins and ends, and where a time lies in it. Batched, read only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from recorder.kafka.cluster import ANSWER_SECONDS, Cluster

Place = tuple[str, int]
"""A topic and a partition number."""

NOTHING_THAT_LATE = -1

_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # the client leaves it untyped
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]


def log_starts(cluster: Cluster, places: Iterable[Place], *, partial: bool = False) -> dict[Place, int]:
    """The first offset that each partition still holds; with `partial`, of those that answer."""
    return _ask(cluster, dict.fromkeys(places, _EARLIEST), partial=partial)


def log_ends(cluster: Cluster, places: Iterable[Place], *, partial: bool = False) -> dict[Place, int]:
    """Each partition's high watermark: the offset after the last record, open transactions included."""
    return _ask(cluster, dict.fromkeys(places, _LATEST), partial=partial)


def at_time(cluster: Cluster, times: Mapping[Place, int]) -> dict[Place, int]:
    """The offset of the first record at or after a time (ms) in each place; NOTHING_THAT_LATE (−1) where there is none.

    Exact for a window's start (all before it is older), not for its end: later records may be older again.
    """
    return _ask(cluster, {place: OffsetSpec.for_timestamp(min(max(at, 0), 2**63 - 1)) for place, at in times.items()})


def _ask(cluster: Cluster, questions: Mapping[Place, Any], *, partial: bool = False) -> dict[Place, int]:
    if not questions:
        return {}
    request = {TopicPartition(topic, partition): spec for (topic, partition), spec in questions.items()}
    futures = cluster.admin.list_offsets(
        request, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=ANSWER_SECONDS * 3
    )
    answers = {}
    for place, future in futures.items():
        try:
            answers[place.topic, place.partition] = future.result().offset
        except KafkaException as error:
            if not partial:
                doing = f"look up offsets of {place.topic}/{place.partition}"
                raise cluster.connection.unavailable(error, doing) from error
    return answers
