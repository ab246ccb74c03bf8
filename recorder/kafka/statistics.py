"""What a client counts about itself and its brokers, out of the statistics that librdkafka makes every second.

They alone tell a broker that is silent from one that has nothing to say: a fetch that waits is answered after half a
second, also when there is no record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

_UP = "UP"
_LATE_SECONDS = 1.5


class _Broker(msgspec.Struct):
    nodeid: int
    nodename: str
    source: str
    state: str
    waitresp_cnt: int = 0
    rxidle: int = -1
    """Microseconds since anything was received; −1 for never."""
    rxbytes: int = 0
    connects: int = 0
    req: dict[str, int] = {}


class _Partition(msgspec.Struct):
    leader: int
    desired: bool
    fetch_state: str


class _Topic(msgspec.Struct):
    partitions: dict[str, _Partition]


class _Statistics(msgspec.Struct):
    brokers: dict[str, _Broker] = {}
    topics: dict[str, _Topic] = {}


_DECODER = msgspec.json.Decoder(_Statistics)


@dataclass(frozen=True, slots=True)
class Load:
    """What one client asked of the brokers so far."""

    bytes: int = 0
    """Received, as they crossed the network."""
    fetches: int = 0
    connections: int = 0
    """Opened, those that were lost included."""

    def __add__(self, other: Load) -> Load:
        return Load(self.bytes + other.bytes, self.fetches + other.fetches, self.connections + other.connections)

    def __str__(self) -> str:
        return f"{self.bytes / 1e6:,.1f} MB in {self.fetches:,} fetches over {self.connections} connections"


@dataclass(frozen=True, slots=True)
class Pulse:
    """Where the client stands with its brokers at one moment."""

    addresses: Mapping[int, str]
    """Of the brokers that lead what is read."""
    silent: Mapping[int, float]
    """Of those, the ones that can't be reached (0 seconds) or owe an answer, and how long they have been silent."""
    leaderless: int
    """How many of the partitions that are read have no leader that we know of."""
    load: Load


def parse_statistics(text: str) -> Pulse:
    """Read librdkafka's statistics (JSON, as its STATISTICS.md has them)."""
    found = _DECODER.decode(text)
    leaders = [
        partition.leader
        for topic in found.topics.values()
        for partition in topic.partitions.values()
        if partition.desired and partition.fetch_state != "none"
    ]
    brokers = found.brokers.values()
    leading = {one.nodeid: one for one in brokers if one.nodeid in leaders and one.source != "logical"}
    silent = {node: one.rxidle / 1e6 if one.state == _UP else 0.0 for node, one in leading.items()}
    return Pulse(
        addresses={node: one.nodename for node, one in leading.items()},
        silent={
            node: seconds
            for node, seconds in silent.items()
            if leading[node].state != _UP or (leading[node].waitresp_cnt and seconds > _LATE_SECONDS)
        },
        leaderless=leaders.count(-1),
        load=Load(
            bytes=sum(one.rxbytes for one in brokers),
            fetches=sum(one.req.get("Fetch", 0) for one in brokers),
            connections=sum(one.connects for one in brokers),
        ),
    )
