"""The cluster that a replay writes into: what its topics accept, what we may do there, and new topics.

Only a replay creates topics, only those it was asked to, and nothing is ever altered or deleted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, ConfigResource, NewTopic, ResourceType

from recorder.errors import BlackboxError, KafkaUnavailableError
from recorder.kafka.cluster import ANSWER_SECONDS, Cluster

_CREATE_SECONDS = 30.0

KAFKA_DEFAULTS = {
    "cleanup.policy": "delete",
    "max.message.bytes": "1048588",
    "message.timestamp.after.max.ms": "3600000",
    "message.timestamp.before.max.ms": "9223372036854775807",
    "message.timestamp.type": "CreateTime",
    "min.insync.replicas": "1",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
}
"""What Kafka 4 ships; a broker may have others."""

_BROKER_NAMES = {
    "cleanup.policy": "log.cleanup.policy",
    "max.message.bytes": "message.max.bytes",
    "message.timestamp.after.max.ms": "log.message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms": "log.message.timestamp.before.max.ms",
    "message.timestamp.type": "log.message.timestamp.type",
    "min.insync.replicas": "min.insync.replicas",
    "retention.bytes": "log.retention.bytes",
    "retention.ms": "log.retention.ms",
}

TOPIC_SETTINGS = frozenset(
    {
        "cleanup.policy",
        "compression.type",
        "compression.gzip.level",
        "compression.lz4.level",
        "compression.zstd.level",
        "delete.retention.ms",
        "file.delete.delay.ms",
        "flush.messages",
        "flush.ms",
        "index.interval.bytes",
        "max.compaction.lag.ms",
        "max.message.bytes",
        "message.timestamp.after.max.ms",
        "message.timestamp.before.max.ms",
        "message.timestamp.type",
        "min.cleanable.dirty.ratio",
        "min.compaction.lag.ms",
        "min.insync.replicas",
        "preallocate",
        "retention.bytes",
        "retention.ms",
        "segment.bytes",
        "segment.index.bytes",
        "segment.jitter.ms",
        "segment.ms",
        "unclean.leader.election.enable",
    }
)
"""Settings of a topic that mean the same on every Apache Kafka; others belong to one cluster or one vendor."""


@dataclass(frozen=True, slots=True)
class TargetTopic:
    """A topic of the target; None where we may not know."""

    name: str
    partitions: int
    settings: Mapping[str, str] | None
    """All settings in force."""
    in_sync: int | None
    """In-sync replicas of its worst partition."""
    may_write: bool | None
    replicas: int | None = None
    """Copies of each partition."""
    may_read: bool | None = None


@dataclass(frozen=True, slots=True)
class NewTopicPlan:
    """A topic to create."""

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Where and why it differs from the recorded topic."""

    def sentence(self) -> str:
        """`orders: 3 partitions, 1 replica, cleanup.policy=compact (retention.ms=-1, or …)`."""
        parts = [_count(self.partitions, "partition"), _count(self.replicas, "replica")]
        parts += [f"{name}={value}" for name, value in sorted(self.config.items())]
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        return f"{self.name}: {', '.join(parts)}{notes}"


def target_topics(cluster: Cluster, names: Iterable[str]) -> dict[str, TargetTopic]:
    """Those of `names` that exist, described. Raises KafkaUnavailableError."""
    facts = cluster.topics(names)
    replicas, in_sync, rights = _replicas_and_rights(cluster, list(facts))
    return {
        name: TargetTopic(
            name=name,
            partitions=len(topic.partitions),
            settings=topic.effective,
            in_sync=in_sync.get(name),
            may_write=_allows(rights.get(name), AclOperation.WRITE),
            replicas=replicas.get(name),
            may_read=_allows(rights.get(name), AclOperation.READ),
        )
        for name, topic in facts.items()
    }


def default_settings(cluster: Cluster) -> dict[str, str]:
    """What a new topic gets: the brokers' settings, or Kafka's own where we may not read them."""
    answer = _broker_settings(cluster)
    return KAFKA_DEFAULTS | {topic: answer[name] for topic, name in _BROKER_NAMES.items() if name in answer}


def longest_transaction_ms(cluster: Cluster) -> int | None:
    """The longest transaction.timeout.ms that a broker allows; None where we may not read it."""
    value = _broker_settings(cluster).get("transaction.max.timeout.ms")
    return None if value is None else int(value)


def _broker_settings(cluster: Cluster) -> dict[str, str]:
    """Of one broker; none where we may not read them, which is a right of its own."""
    broker = min(cluster.brokers, default=None)
    if broker is None:
        return {}
    resource = ConfigResource(ResourceType.BROKER, str(broker))
    try:
        answer = cluster.admin.describe_configs([resource], request_timeout=ANSWER_SECONDS)[resource].result()
    except KafkaException:
        return {}
    return {name: entry.value for name, entry in answer.items() if entry.value is not None}


def refused_topics(cluster: Cluster, plans: Sequence[NewTopicPlan]) -> dict[str, tuple[str, str]]:
    """Which topics the brokers would not create as planned, what they say and what to do; nothing is created.

    Rights, names, settings and the cluster's own policies: only the brokers know all of these.
    """
    if not plans:
        return {}
    asked = cluster.admin.create_topics(_new(plans), request_timeout=_CREATE_SECONDS, validate_only=True)
    refused: dict[str, tuple[str, str]] = {}
    for name, future in asked.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() > 0:  # the broker's word, not our trouble to reach it
                refused[name] = _creation_trouble(error.args[0])
    return refused


def create_topics(cluster: Cluster, plans: Sequence[NewTopicPlan]) -> None:
    """Create topics and return when all their partitions have leaders.

    Raises BlackboxError naming the topic and the broker's reason; topics created before it stay.
    """
    if not plans:
        return
    for name, future in cluster.admin.create_topics(_new(plans), request_timeout=_CREATE_SECONDS).items():
        try:
            future.result()
        except KafkaException as error:
            what, fix = _creation_trouble(error.args[0])
            raise BlackboxError(f"Topic {name} of the target: {what}. {fix}") from None
    _wait_for_leaders(cluster, {plan.name: plan.partitions for plan in plans})
    cluster.refresh()


def _creation_trouble(reason: KafkaError) -> tuple[str, str]:
    """Why a topic can't be created, and what to do."""
    what = f"It can't be created: {reason.str().rstrip('.')}"
    if reason.code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}:
        return what, "Ask for the right CREATE on the cluster or on the topic, or have it created."
    return what, "Give --topic-config and --partitions-of as the target wants them, or create it yourself."


def _new(plans: Sequence[NewTopicPlan]) -> list[NewTopic]:
    return [NewTopic(plan.name, plan.partitions, plan.replicas, config=dict(plan.config)) for plan in plans]


def _wait_for_leaders(cluster: Cluster, wanted: Mapping[str, int]) -> None:
    deadline = time.monotonic() + _CREATE_SECONDS
    missing = dict(wanted)
    while missing:
        topics = cluster.admin.list_topics(timeout=ANSWER_SECONDS).topics
        for name, partitions in list(missing.items()):
            found = topics[name].partitions if name in topics else {}
            if len(found) == partitions and all(partition.leader >= 0 for partition in found.values()):
                del missing[name]
        if missing and time.monotonic() > deadline:
            raise KafkaUnavailableError(
                f"Topic {next(iter(missing))} was created, but has no leaders after {_CREATE_SECONDS:.0f} s: "
                "see the target's broker logs."
            )
        if missing:
            time.sleep(0.02)


def _replicas_and_rights(
    cluster: Cluster, names: list[str]
) -> tuple[dict[str, int], dict[str, int], dict[str, set[AclOperation]]]:
    replicas: dict[str, int] = {}
    in_sync: dict[str, int] = {}
    rights: dict[str, set[AclOperation]] = {}
    if not names:
        return replicas, in_sync, rights
    answers = cluster.admin.describe_topics(
        TopicCollection(names), include_authorized_operations=True, request_timeout=ANSWER_SECONDS
    )
    for name, future in answers.items():
        try:
            description = future.result()
        except KafkaException:
            continue  # describing is a right of its own; writing will tell
        replicas[name] = max((len(partition.replicas) for partition in description.partitions), default=0)
        in_sync[name] = min((len(partition.isr) for partition in description.partitions), default=0)
        if description.authorized_operations is not None:
            rights[name] = set(description.authorized_operations)
    return replicas, in_sync, rights


def _allows(rights: set[AclOperation] | None, operation: AclOperation) -> bool | None:
    return None if rights is None else bool({operation, AclOperation.ALL} & rights)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
