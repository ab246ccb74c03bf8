"""What lies in a target after a replay that was killed and resumed, against one that nobody disturbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from recorder.capture.reader import Capture
from tests.replay_crash.variants import Variant

OTHERS = b"somebody else's"
"""The key of records that the replay did not send."""
_PROVENANCE = "blackbox-replay-id"

Lane = tuple[str, int]
Content = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong with a target."""

    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    """Partitions whose records are all there once, in another order."""
    others: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        return self == Found()


def compare(wanted: Mapping[Lane, Sequence[Content]], got: Mapping[Lane, Sequence[Content]]) -> Found:
    lost = doubled = disordered = 0
    for lane in wanted.keys() | got.keys():
        ours, theirs = wanted.get(lane, ()), got.get(lane, ())
        missing, more = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
        lost += missing.total()
        doubled += more.total()
        disordered += not missing and not more and list(ours) != list(theirs)
    return Found(lost, doubled, disordered)


def recorded(capture: Capture) -> dict[Lane, list[Content]]:
    """What a capture holds, as it should arrive."""
    found: dict[Lane, list[Content]] = {
        (topic.name, partition.partition): [] for topic, partition in capture.manifest.topic_partitions()
    }
    for one in capture.records():
        stamp = one.timestamp_ms or 1  # 0 means "now" to the client
        found[one.topic, one.partition].append((one.key, one.value, tuple(one.headers), 0, stamp))
    return found


def read_target(bootstrap: str, suffix: str, variant: Variant, named: str = "") -> dict[Lane, list[Content]]:
    """The committed records of all topics that end in `suffix`, by recorded topic (or as `named`) and partition, as far
    as they can be compared between two replays.
    """
    topics = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    lanes = {
        (name, number): (named or name.removesuffix(suffix), number)
        for name, topic in topics.items()
        if name.endswith(suffix)
        for number in topic.partitions
    }
    found: dict[Lane, list[Content]] = {lane: [] for lane in lanes.values()}
    for place, key, value, headers, stamp in _read(bootstrap, list(lanes)):
        if key == OTHERS:
            continue
        own = tuple(pair for pair in headers if pair[0] != _PROVENANCE)
        found[lanes[place]].append((key, value, own, len(headers) - len(own), stamp if variant.times else None))
    if "shift" in variant.options:
        return {lane: _relative(records) for lane, records in found.items()}
    return found


def aborted_in(bootstrap: str, topics: Sequence[str]) -> int:
    """Records in their logs that nobody is shown who reads committed ones."""
    known = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    places = [(name, number) for name in topics if name in known for number in known[name].partitions]
    seen = (sum(1 for _ in _read(bootstrap, places, isolation)) for isolation in ("read_uncommitted", "read_committed"))
    return next(seen) - next(seen)


def _relative(records: list[Content]) -> list[Content]:
    """Timestamps from the first on."""
    first = next((one[-1] for one in records if one[-1] > 1), 0)
    return [(*one[:-1], one[-1] - first if one[-1] > 1 else one[-1]) for one in records]


def _read(
    bootstrap: str, places: Sequence[Lane], isolation: str = "read_committed"
) -> Iterator[tuple[Lane, Any, Any, Any, int]]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "check", "enable.auto.commit": False,
         "enable.partition.eof": True, "isolation.level": isolation}
    )  # fmt: skip
    consumer.assign([TopicPartition(*place, 0) for place in places])
    waiting = set(places)
    try:
        while waiting:
            for message in consumer.consume(5_000, 0.05):
                topic, partition, error = message.topic(), message.partition(), message.error()
                assert topic is not None and partition is not None
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    waiting.discard((topic, partition))
                else:
                    headers = tuple(message.headers() or ())
                    yield (topic, partition), message.key(), message.value(), headers, message.timestamp()[1]
    finally:
        consumer.close()
