"""The local Kafka starts, answers, ends with its parent, and says what is wrong when it can't."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient

from recorder.kafka.local import LocalKafka

pytestmark = pytest.mark.integration


def test_answers_a_metadata_request_with_the_cluster_id(kafka: LocalKafka) -> None:
    metadata = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=10)
    assert metadata.cluster_id == kafka.cluster_id


def test_a_second_cluster_has_another_id(kafka: LocalKafka, target_kafka: LocalKafka) -> None:
    assert kafka.cluster_id != target_kafka.cluster_id


def test_a_new_topic_is_ready_to_use(kafka: LocalKafka, topic: str) -> None:
    assert topic in AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=10).topics
