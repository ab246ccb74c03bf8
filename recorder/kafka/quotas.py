"""How fast a cluster lets us write: producers' quotas, which brokers tell and the client library doesn't ask for.

Kafka keeps quotas for users, for client ids and for pairs of them, by name or as a default. Of those that concern us
the most particular one holds; each broker applies it to what comes to itself.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from recorder.errors import KafkaUnavailableError
from recorder.kafka.cluster import ANSWER_SECONDS, Cluster
from recorder.kafka.connection import CLIENT_ID
from recorder.kafka.login import UnsuitableError, require_known, user_of
from recorder.kafka.wire import Reader, Wire, packed_string

_DESCRIBE_CLIENT_QUOTAS = 48  # KIP-546, Kafka 2.6 and later
_CLUSTER_AUTHORIZATION_FAILED = 31
_EXACT, _DEFAULT = 0, 1
_RATE = "producer_byte_rate"

Part = tuple[str, str | None]
"""A kind of entity (``user``, ``client-id``), and its name, or None for the default."""


@dataclass(frozen=True, slots=True)
class ProducerQuota:
    """What each broker takes from us."""

    bytes_per_second: float | None
    """None: no limit."""
    of: str = ""
    """Whom the limit is for, as Kafka's tools have it: ``--entity-type clients --entity-name me``."""
    unknown: str | None = None
    """Why nobody can say whether there is one."""


def producer_quota(cluster: Cluster) -> ProducerQuota:
    """The quota that holds for a producer of this connection, or why it is unknown. Doesn't raise."""
    try:
        require_known(cluster.connection)
        for address in cluster.brokers.values():
            try:
                wire = Wire(cluster.connection, address, ANSWER_SECONDS)
            except OSError:
                continue  # another broker knows the same
            try:
                return _asked(
                    wire, user_of(cluster.connection), cluster.connection.settings.get("client.id", CLIENT_ID)
                )
            except OSError:
                return ProducerQuota(None, unknown="the brokers don't answer that question (those before 2.6 can't)")
            finally:
                wire.close()
    except (UnsuitableError, KafkaUnavailableError) as error:
        return ProducerQuota(None, unknown=str(error).rstrip("."))
    return ProducerQuota(None, unknown="no broker answers")


def _asked(wire: Wire, user: str | None, client: str) -> ProducerQuota:
    for parts in _candidates(user, client):
        rate = _rate(wire.call(_DESCRIBE_CLIENT_QUOTAS, 0, _question(parts)))
        if rate is not None:
            return ProducerQuota(rate, " ".join(map(_flags, parts)))
    return ProducerQuota(None)


def _candidates(user: str | None, client: str) -> list[Sequence[Part]]:
    """What may have a quota that is ours, the most particular first. Without a name, none of a named user."""
    users = [("user", None)] if user is None else [("user", user), ("user", None)]
    clients: list[Part] = [("client-id", client), ("client-id", None)]
    found: list[Sequence[Part]] = []
    for one in users:
        found += [(one, other) for other in clients]
        found.append((one,))
    return found + [(other,) for other in clients]


def _question(parts: Sequence[Part]) -> bytes:
    body = struct.pack(">i", len(parts))
    for kind, name in parts:
        body += packed_string(kind) + struct.pack(">b", _DEFAULT if name is None else _EXACT) + packed_string(name)
    return body + b"\x01"  # strict: of these kinds and no others


def _rate(answer: Reader) -> float | None:
    _throttled, error = answer.read(">ih")
    why = answer.string()
    if error == _CLUSTER_AUTHORIZATION_FAILED:
        raise UnsuitableError("that takes the right DESCRIBE_CONFIGS on the cluster")
    if error:
        raise UnsuitableError(why or f"the broker's error {error}")
    found = None
    for _ in range(answer.count()):
        for _ in range(answer.count()):
            answer.string(), answer.string()
        for _ in range(answer.count()):
            key, (value,) = answer.string(), answer.read(">d")
            if key == _RATE:
                found = float(value)
    return found


def _flags(part: Part) -> str:
    """As kafka-configs.sh wants it."""
    kind, name = part
    entity = "users" if kind == "user" else "clients"
    return f"--entity-type {entity} " + ("--entity-default" if name is None else f"--entity-name {name}")
