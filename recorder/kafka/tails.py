"""Where the logs of a target's partitions end, when it is to be seen what of a replay is there already.

A process that was killed leaves requests behind, in the network's buffers and the brokers', and a leader may hold
records that its followers still lack: until those are settled one way or the other, nobody can say where a log ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaException, TopicCollection

from recorder.errors import KafkaUnavailableError
from recorder.kafka.cluster import ANSWER_SECONDS, Cluster, Patience
from recorder.kafka.offsets import Place, log_ends
from recorder.kafka.probing import answers

_APART_SECONDS = 0.5
_LOOKS = 3
_SETTLE_SECONDS = 90.0  # a follower that lags is out of the in-sync replicas after 30 s, a dead one after 9 s


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
