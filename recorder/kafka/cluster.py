"""What a cluster says about itself: id, brokers, topics with ids and configurations. Only ever asks, never alters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, ConfigResource, ConfigSource, ResourceType

from recorder.kafka.connection import Connection

ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a question may wait for a partition's leader, who hears of it meanwhile, and whether that goes on."""

    seconds: float = 3 * ANSWER_SECONDS
    tell: Callable[[str], object] = lambda _words: None
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as the cluster describes it; None where we may not or could not know."""

    name: str
    id: str | None
    partitions: tuple[int, ...]
    overrides: dict[str, str] | None
    """Settings made for this topic."""
    effective: dict[str, str] | None
    """All settings in force, the brokers' defaults included."""

    @property
    def compacted(self) -> bool:
        return "compact" in (self.effective or {}).get("cleanup.policy", "")


class Cluster:
    """A cluster asked through one admin client; raises KafkaUnavailableError when no broker answers in 5 s."""

    def __init__(self, connection: Connection, patience: Patience = Patience()) -> None:
        self.connection = connection
        self.patience = patience
        self.admin = connection.admin()

    @cached_property
    def _metadata(self) -> Any:
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return self.admin.list_topics(timeout=1.0)
            except KafkaException as error:
                self.admin.poll(0)  # lets the client tell why: refused, unknown host, no TLS, wrong password
                fatal = not error.args[0].retriable() and error.args[0].code() != KafkaError._TRANSPORT
                if fatal or self.connection.refused or time.monotonic() >= deadline:
                    raise self.connection.unavailable(error, "reach a broker") from error

    @property
    def cluster_id(self) -> str | None:
        return self._metadata.cluster_id or None

    @property
    def brokers(self) -> dict[int, str]:
        """Broker ids and their advertised addresses."""
        return {broker.id: f"{broker.host}:{broker.port}" for broker in self._metadata.brokers.values()}

    def leaders(self) -> dict[tuple[str, int], int]:
        """The broker that leads each partition; −1 for none."""
        return {
            (name, number): partition.leader
            for name, topic in self._metadata.topics.items()
            for number, partition in topic.partitions.items()
        }

    def names(self) -> list[str]:
        """All topics we may see, sorted, internal ones included."""
        return sorted(self._metadata.topics)

    def partition_counts(self) -> dict[str, int]:
        """How many partitions each topic that we may see has."""
        return {name: len(topic.partitions) for name, topic in self._metadata.topics.items()}

    def topics(self, names: Iterable[str] | None = None) -> dict[str, TopicFacts]:
        """Describe `names` (all when None). Unknown names are left out; missing rights leave fields None."""
        wanted = [name for name in (self.names() if names is None else names) if name in self._metadata.topics]
        ids = self.topic_ids(wanted)
        configs = self._configs(wanted)
        return {
            name: TopicFacts(
                name=name,
                id=ids.get(name),
                partitions=tuple(sorted(self._metadata.topics[name].partitions)),
                overrides=configs[name][0] if name in configs else None,
                effective=configs[name][1] if name in configs else None,
            )
            for name in wanted
        }

    def topic_ids(self, names: list[str]) -> dict[str, str]:
        """The topics' unique ids as the brokers know them now (not cached); absent where unknown."""
        if not names:
            return {}
        ids = {}
        for name, future in self.admin.describe_topics(TopicCollection(names), request_timeout=ANSWER_SECONDS).items():
            try:
                ids[name] = str(future.result().topic_id)
            except KafkaException:
                continue  # no right to describe it, or just deleted: its id stays unknown
        return ids

    def unreadable(self, names: list[str]) -> list[str]:
        """The topics that we may not read, as far as the brokers tell (those before 2.3 don't)."""
        asked = self.admin.describe_topics(
            TopicCollection(names), include_authorized_operations=True, request_timeout=ANSWER_SECONDS
        )
        denied = []
        for name, future in asked.items():
            try:
                allowed = future.result().authorized_operations
            except KafkaException:
                continue  # reading will show
            if allowed and AclOperation.READ not in allowed:
                denied.append(name)
        return denied

    def refresh(self) -> None:
        """Ask again at the next question: topics were created or changed."""
        self.__dict__.pop("_metadata", None)

    def _configs(self, names: list[str]) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        found: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
        if not resources:
            return found
        for resource, future in self.admin.describe_configs(resources, request_timeout=ANSWER_SECONDS).items():
            try:
                entries = future.result().values()
            except KafkaException:
                continue  # describing configurations is a right of its own; recording needs only READ
            overrides = {
                entry.name: entry.value for entry in entries if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
            }
            found[resource.name] = (
                overrides,
                {entry.name: entry.value for entry in entries if entry.value is not None},
            )
        return found
