"""The topics that are recorded: small, and with all that makes a log hard to account for."""

from __future__ import annotations

import random
from collections.abc import Iterator

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.builders import T0
from tests.conftest import create_topic, wait_until
from tests.integration.producing import New, Raw, produce, produce_raw, read_all, send, transaction

MINUTE = 60_000
WINDOW = ("2026-11-03T14:02:00Z", "2026-11-03T14:12:00Z")
"""Ten minutes from T0, and five of slack."""
COMPACTING = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.001",
    "segment.ms": "200",
    "max.compaction.lag.ms": "100",
}


def fill(bootstrap: str, seed: int, run: str) -> list[str]:
    """Create the topics and write them; the names, each ending in `run`."""
    chance = random.Random(seed)
    payments, balances, many = (f"{name}-{run}" for name in ("payments", "balances", "many"))
    create_topic(bootstrap, payments, partitions=6)
    create_topic(bootstrap, many, partitions=30)
    create_topic(bootstrap, balances, partitions=2, config=COMPACTING)
    for part in range(8):
        produce(bootstrap, payments, _payments(chance, part), compression_type=chance.choice(["none", "lz4", "zstd"]))
        for ending in ("commit_transaction", "abort_transaction"):
            with transaction(bootstrap, f"{payments}-{part}") as producer:
                send(producer, payments, _some(chance, 60, minutes=(part, part + 1)))
                getattr(producer, ending)(30)
        produce_raw(bootstrap, payments, [Raw(b"v", None, [(b"\xff\xfe", b"not UTF-8")], T0 + part * MINUTE)], part % 6)
    # Beyond window and slack: more in a row than make sure that the window is over, then more of the window.
    produce(bootstrap, payments, [New(b"x", timestamp_ms=T0 + 40 * MINUTE, partition=i % 6) for i in range(3_000)])
    produce(bootstrap, payments, _some(chance, 300, minutes=(9, 10)))
    produce(bootstrap, many, [one._replace(partition=chance.choice(range(0, 30, 2))) for one in _some(chance, 1_500)])
    _compact(bootstrap, balances, chance)
    return [payments, balances, many]


def _payments(chance: random.Random, part: int) -> Iterator[New]:
    for _ in range(700):
        minute = chance.choices(
            [part + chance.random(), -5 + 5 * chance.random(), 10 + 4 * chance.random(), 10**5], [90, 4, 5, 1]
        )[0]
        yield New(
            chance.choice([None, b"", chance.randbytes(chance.randrange(1, 900))]),
            chance.choice([None, b"", b"%d" % chance.randrange(50)]),
            chance.choice([(), [("h", b"1"), ("h", None)]]),
            T0 + int(min(minute, 55) * MINUTE),
            chance.randrange(6),
        )


def _some(chance: random.Random, count: int, minutes: tuple[float, float] = (0, 10)) -> list[New]:
    return [
        New(chance.randbytes(200), b"%d" % i, (), T0 + int(chance.uniform(*minutes) * MINUTE), chance.randrange(6))
        for i in range(count)
    ]


def _compact(bootstrap: str, topic: str, chance: random.Random) -> None:
    """Write keys again and again until the cleaner took some away; then it stays as it is."""
    for _ in range(6):
        again = [one._replace(key=b"%d" % chance.randrange(400)) for one in _some(chance, 1_500)]
        produce(bootstrap, topic, [one._replace(partition=i % 2) for i, one in enumerate(again)])
    before = len(read_all(bootstrap, topic))

    def compacted() -> bool:
        produce(bootstrap, topic, [New(b"tick", b"tick", partition=i) for i in range(2)])
        return len(read_all(bootstrap, topic)) < before * 0.6

    wait_until(compacted, what="the log was compacted", seconds=60)
    keep = {"min.compaction.lag.ms": "1000000000", "max.compaction.lag.ms": "9223372036854775807"}
    resource = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in keep.items()
        ],
    )
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)
    stood: list[list[int]] = []

    def still() -> bool:
        stood.append([offset for partition in range(2) for offset in read_all(bootstrap, topic, partition)])
        return len(stood) > 4 and stood[-1] == stood[-4]

    wait_until(still, what="the cleaner has ended", seconds=60)
