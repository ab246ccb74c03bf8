"""The configuration of a local broker: small, quick, and quick to do what tests wait for (retention, aborts)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recorder.kafka.local_security import Security

LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c)%n%throwable
"""

# Kafka's own defaults fit servers with weeks of up-time; each of these is here because a laptop or a test needs it.
_FIXED = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": (
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,DOOR:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL"
    ),
    "inter.broker.listener.name": "PLAINTEXT",
    # A mistyped topic name is an error, as in production.
    "auto.create.topics.enable": "false",
    # Consumers and transactions are served at once.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    # A dead broker is noticed sooner (9 s otherwise), but not one that only waits for the processor.
    "broker.heartbeat.interval.ms": "1000",
    "broker.session.timeout.ms": "6000",
    # Nothing expires unless a topic says so (old timestamps are evidence here), but then within seconds, as do
    # compaction and deletion.
    "log.retention.ms": "-1",
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.segment.delete.delay.ms": "500",
    "log.cleaner.enable": "true",
    "log.cleaner.backoff.ms": "500",
    # Records of 10 MB are welcome.
    "message.max.bytes": "10485760",
    "replica.fetch.max.bytes": "10485760",
    # A broker fits in 512 MB and leaves the processor to others.
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
}


def server_properties(
    *,
    node_id: int,
    ports: list[tuple[int, int]],
    data_dir: Path,
    security: Security | None = None,
    secured: Mapping[str, int] | None = None,
    door: int | None = None,
) -> str:
    """The properties file of broker `node_id` (from 1); `ports` holds (client port, controller port) by node.

    With `security`, the broker listens also at the ports `secured` (by listener name); what comes in by the listener
    DOOR is told the port `door`.
    """
    nodes = len(ports)
    client, controller = ports[node_id - 1]
    listeners = {"PLAINTEXT": client, **(secured or {})}
    replicas = str(min(3, nodes))
    in_sync = str(min(2, nodes))
    settings = _FIXED | {
        "node.id": str(node_id),
        "listeners": _addresses(listeners | {"CONTROLLER": controller}),
        "advertised.listeners": _addresses(listeners | ({"DOOR": door} if door else {})),
        "controller.quorum.voters": ",".join(
            f"{node}@127.0.0.1:{port}" for node, (_, port) in enumerate(ports, start=1)
        ),
        "log.dirs": str(data_dir),
        "default.replication.factor": replicas,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
    }
    if security is not None:
        settings |= security.server_settings(secured or {})
    return "".join(f"{key}={value}\n" for key, value in sorted(settings.items()))


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
