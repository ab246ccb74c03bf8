"""Three brokers behind doors, and what happens to them: kills, pauses, leaders that move, logs that are cut."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from recorder.kafka.local import Broker, LocalKafka, local_kafka
from tests.conftest import wait_until
from tests.faults.door import Door
from tests.faults.writing import silent

_ELECT_LEADERS, _ALTER_REASSIGNMENTS = 43, 45


@dataclass
class Site:
    """A cluster of three; `bootstrap` leads clients through the doors, `cluster.bootstrap` past them."""

    cluster: LocalKafka
    doors: Sequence[Door]
    chance: random.Random
    admin: AdminClient = field(repr=False)

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{door.port}" for door in self.doors)

    @property
    def brokers(self) -> tuple[Broker, ...]:
        return self.cluster.brokers

    def leaders(self, topic: str) -> list[int]:
        """The leader of each partition; -1 for none."""
        found = self.admin.list_topics(topic, timeout=30).topics[topic].partitions
        return [found[number].leader for number in sorted(found)]

    def leads(self, topic: str) -> Broker:
        """The broker that leads most partitions of a topic."""
        leaders = self.leaders(topic)
        node = max(set(leaders) - {-1}, key=leaders.count)
        return self.brokers[node - 1]

    def start(self, *brokers: Broker) -> None:
        """Start brokers again; returns when the cluster is whole."""
        for broker in brokers:
            broker.start()
        self.wait_whole()

    def wait_whole(self) -> None:
        """Return when every broker is there, and every replica in sync: the next one may go."""
        self.cluster.wait_ready()

        def in_sync(broker: Broker) -> bool:
            # What a broker knows that just started is newer than what the others say of it.
            asked = AdminClient({"bootstrap.servers": f"127.0.0.1:{broker.port}"}, logger=silent())
            try:
                found = asked.list_topics(timeout=5)
            except KafkaException:
                return False
            partitions = [one for topic in found.topics.values() for one in topic.partitions.values()]
            return len(found.brokers) == 3 and all(
                one.leader >= 0 and len(one.isrs) == len(one.replicas) for one in partitions
            )

        wait_until(lambda: all(map(in_sync, self.brokers)), what="all replicas are in sync", seconds=90)

    def wait_for_others(self, gone: Broker) -> None:
        """Return when others lead whatever a broker led."""

        def led() -> bool:
            try:
                found = self.admin.list_topics(timeout=5).topics.values()
            except KafkaException:
                return False
            return all(p.leader not in {-1, gone.node_id} for topic in found for p in topic.partitions.values())

        wait_until(led, what=f"others lead instead of broker {gone.node_id}", seconds=60)

    @contextmanager
    def paused(self, broker: Broker) -> Iterator[None]:
        """The broker's process stands still (SIGSTOP): its connections stay open, and nobody answers."""
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            if broker.running:
                os.kill(broker.pid, signal.SIGCONT)

    def balance(self, topics: Sequence[str]) -> None:
        """Let each partition's first replica lead again, as brokers do by themselves after some minutes."""
        for topic in topics:
            self.elect(topic, preferred=True)

    def elect(self, topic: str, *, preferred: bool) -> None:
        """Hold an election for each partition: of its first replica, or (unclean) of any that is alive."""
        count = len(self.leaders(topic))
        content = struct.pack(">b", 0 if preferred else 1) + _count(1) + _compact(topic) + _count(count)
        content += struct.pack(f">{count}i", *range(count)) + b"\0" + struct.pack(">i", 30_000) + b"\0"
        (error,) = struct.unpack_from(">h", self._ask(_ELECT_LEADERS, 2, content), 4)
        assert error == 0, f"there was no election for {topic}: error {error}"

    def reassign(self, topic: str, replicas: Sequence[Sequence[int]]) -> None:
        """Give each partition these replicas, the first of them to lead; returns when they are in place."""
        content = struct.pack(">i", 30_000) + _count(1) + _compact(topic) + _count(len(replicas))
        for number, nodes in enumerate(replicas):
            content += struct.pack(">i", number) + _count(len(nodes)) + struct.pack(f">{len(nodes)}i", *nodes) + b"\0"
        (error,) = struct.unpack_from(">h", self._ask(_ALTER_REASSIGNMENTS, 0, content + b"\0\0"), 4)
        assert error == 0, f"the brokers refused to reassign {topic} with error {error}"

        def in_place() -> bool:
            found = self.admin.list_topics(topic, timeout=30).topics[topic].partitions
            return all(
                sorted(found[number].replicas) == sorted(nodes) == sorted(found[number].isrs)
                for number, nodes in enumerate(replicas)
            )

        wait_until(in_place, what=f"{topic} lies where it was asked to", seconds=60)
        self.balance([topic])

    def _ask(self, api: int, version: int, content: bytes) -> bytes:
        """Send a request of a flexible version (KIP-482), which the client can't, to a living broker; its answer."""
        request = struct.pack(">hhi", api, version, 1) + struct.pack(">h", 4) + b"test" + b"\0" + content
        port = next(broker.port for broker in self.brokers if broker.running)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            stream = connection.makefile("rb")
            answer = stream.read(struct.unpack(">i", stream.read(4))[0])
        return answer[5:]  # after the correlation id and no tags


@contextmanager
def three_brokers(seed: int = 1) -> Iterator[Site]:
    """Start three brokers behind doors; whatever was done to them, none is left when the block ends."""
    with ExitStack() as stack:
        doors = [stack.enter_context(Door()) for _ in range(3)]
        cluster = stack.enter_context(local_kafka(brokers=3, doors=[door.port for door in doors]))
        for door, address in zip(doors, cluster.secured["DOOR"].split(","), strict=True):
            door.leads_to(int(address.rpartition(":")[2]))
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "reconnect.backoff.max.ms": 500}, logger=silent())
        yield Site(cluster, doors, random.Random(seed), admin)


def _count(number: int) -> bytes:
    """The length of a compact array (KIP-482), below 127."""
    return bytes([number + 1])


def _compact(text: str) -> bytes:
    return _count(len(text)) + text.encode()
