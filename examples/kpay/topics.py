"""The topics: the four planes of the system, and how they are created."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from kpay.clients import settings

INCOMING = "payments.incoming"
INFLIGHT = "payments.inflight"
COMPLETE = "payments.complete"
STATS = "payments.confirmed.stats"
DLQ = "payments.dlq"
BALANCE = "accounts.balance"
METRICS = "payments.metrics"
CONTROL = "payments.control"
AUDIT = "payments.audit"

# An account's balance is kept in the partition of the same number as its payments: both are keyed by the account's
# id, so both must have the same count.
PARTITIONS = {
    INCOMING: 4,
    INFLIGHT: 4,
    COMPLETE: 4,
    STATS: 3,
    DLQ: 3,
    BALANCE: 4,
    METRICS: 3,
    CONTROL: 1,
    AUDIT: 3,
}

# The client flags only transactional errors as retriable; these say that a partition is not quite there yet.
_NOT_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError._NOENT,  # "no leaders found"
}


def create_topics(bootstrap: str) -> list[str]:
    """Create those that are missing; their names."""
    admin = AdminClient(settings(bootstrap, "topics"))
    created = []
    futures = admin.create_topics(
        [
            NewTopic(name, num_partitions=count, config={"cleanup.policy": "compact"} if name == BALANCE else {})
            for name, count in PARTITIONS.items()
        ]
    )
    for name, future in futures.items():
        try:
            future.result(timeout=30)
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    _wait_until_they_answer(admin)
    return created


def _wait_until_they_answer(admin: AdminClient) -> None:
    """A topic that was just created is listed a moment before its partitions can be asked for anything."""
    missing = {TopicPartition(name, partition) for name, count in PARTITIONS.items() for partition in range(count)}
    while missing:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        for partition, answer in admin.list_offsets(dict.fromkeys(missing, latest)).items():
            try:
                answer.result(timeout=30)
                missing.discard(partition)
            except KafkaException as error:
                if error.args[0].code() not in _NOT_YET:
                    raise
