"""Several captures as one source: which of their topics are one topic that goes on, and which are not.

Captures of the same topic of the same cluster continue each other where their offsets do not overlap. Any other topics
of the same name are different things, and are kept apart by the names of their captures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from recorder.capture.manifest import Manifest, Origin, Partition, Topic
from recorder.capture.reader import Capture
from recorder.replaying.dead_letters import DeadLetters


@dataclass(frozen=True, slots=True)
class Part:
    """One capture's records of a partition."""

    capture: Capture
    topic: str
    partition: Partition


@dataclass(frozen=True, slots=True)
class Home:
    """The topic where letters of a dead-letter topic came from, and to which they go again (see `homes`)."""

    topic: str
    how: DeadLetters
    not_home: frozenset[str]
    recorded: int | None
    """How many partitions it had, when the capture knows."""
    needed: int
    """How many it has in the target, or would get there."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A recorded topic, from one capture or from several that continue each other.

    `topic` is named as the replay calls it: by its name, or, where captures hold different topics of that name, by
    ``capture/name``. `apart` says why it is not one with the others.
    """

    name: str
    topic: Topic
    captures: tuple[Capture, ...]
    apart: str | None = None
    home: Home | None = None
    """Only those of the records that are letters from there."""

    @property
    def belongs(self) -> str:
        """The topic whose records these are: where they were recorded, or where letters came from."""
        return self.name if self.home is None else self.home.topic

    def parts(self, partition: int) -> tuple[Part, ...]:
        """That partition's parts that hold records, by offset."""
        return tuple(sorted(self._parts(partition), key=lambda part: part.partition.segments[0].first_offset))

    def _parts(self, partition: int) -> list[Part]:
        return [
            Part(capture, self.name, found)
            for capture in self.captures
            for found in capture.manifest.topic(self.name).partitions
            if found.partition == partition and found.records
        ]


def gather(captures: Sequence[Capture]) -> tuple[Gathered, ...]:
    """All topics of all captures, in the order in which they first come."""
    names = dict.fromkeys(topic.name for capture in captures for topic in capture.manifest.topics)
    called = capture_names(captures)
    gathered: list[Gathered] = []
    for name in names:
        holding = [capture for capture in captures if any(topic.name == name for topic in capture.manifest.topics)]
        apart = _apart(name, holding)
        if apart is None:
            gathered.append(Gathered(name, _joined(name, holding), tuple(holding)))
        else:
            for capture in holding:
                label = f"{called[captures.index(capture)]}/{name}"
                topic = msgspec.structs.replace(capture.manifest.topic(name), name=label)
                gathered.append(Gathered(name, topic, (capture,), apart))
    return tuple(gathered)


def capture_names(captures: Sequence[Capture]) -> list[str]:
    """What each capture is called: its directory's name, with a number where that is taken."""
    names = [capture.root.resolve().name for capture in captures]
    taken: Counter[str] = Counter()
    called = []
    for name in names:
        taken[name] += 1
        called.append(name if taken[name] == 1 else f"{name}-{taken[name]}")
    return called


def together(captures: Sequence[Capture]) -> Manifest:
    """One manifest for choosing among the records of all: all topics, from the first moment to the last."""
    manifests = [capture.manifest for capture in captures]
    if len(manifests) == 1:
        return manifests[0]
    windows = [manifest.window for manifest in manifests]
    starts, ends = ([getattr(window, edge) for window in windows] for edge in ("from_ms", "to_ms"))
    return msgspec.structs.replace(
        manifests[0],
        created_at_ms=max(manifest.created_at_ms for manifest in manifests),
        window=msgspec.structs.replace(
            windows[0],
            from_ms=None if None in starts else min(starts),
            to_ms=None if None in ends else max(ends),
        ),
        topics=tuple(
            _joined(name, [capture for capture in captures if any(t.name == name for t in capture.manifest.topics)])
            for name in dict.fromkeys(topic.name for manifest in manifests for topic in manifest.topics)
        ),
    )


def _joined(name: str, holding: Sequence[Capture]) -> Topic:
    """The topic as the last capture saw it, with every partition that any of them has."""
    topics = [capture.manifest.topic(name) for capture in holding]
    if len(topics) == 1:
        return topics[0]
    newest = max(holding, key=lambda capture: capture.manifest.created_at_ms).manifest.topic(name)
    found: dict[int, Partition] = {}
    for topic in topics:
        for one in topic.partitions:
            known = found.get(one.partition)
            found[one.partition] = one if known is None else _sum(known, one)
    return msgspec.structs.replace(newest, partitions=tuple(found[number] for number in sorted(found)))


def _sum(one: Partition, other: Partition) -> Partition:
    newest = [p.max_timestamp_ms for p in (one, other) if p.max_timestamp_ms is not None]
    oldest = [p.min_timestamp_ms for p in (one, other) if p.min_timestamp_ms is not None]
    return msgspec.structs.replace(
        one,
        start_offset=min(one.start_offset, other.start_offset),
        end_offset=max(one.end_offset, other.end_offset),
        records=one.records + other.records,
        payload_bytes=one.payload_bytes + other.payload_bytes,
        min_timestamp_ms=min(oldest, default=None),
        max_timestamp_ms=max(newest, default=None),
        segments=one.segments + other.segments,
        gaps=(),
    )


def _cluster(capture: Capture, name: str) -> str | None:
    origin = capture.manifest.topic(name).origin
    return origin.cluster_id if isinstance(origin, Origin) else capture.manifest.source.cluster_id


def _apart(name: str, holding: Sequence[Capture]) -> str | None:
    """Why captures of a topic do not continue each other; None when they do."""
    if len(holding) == 1:
        return None
    clusters = {_cluster(capture, name) for capture in holding}
    if None in clusters or len(clusters) > 1:
        return "they come from different clusters"
    if len({capture.manifest.topic(name).id for capture in holding}) > 1:
        return "the topic was created anew between them"
    spans: dict[int, list[tuple[int, int]]] = {}
    for capture in holding:
        for one in capture.manifest.topic(name).partitions:
            if one.segments:
                spans.setdefault(one.partition, []).append((one.segments[0].first_offset, one.segments[-1].last_offset))
    for partition, found in spans.items():
        for (_, end), (start, _) in pairwise(sorted(found)):
            if start <= end:
                return f"they overlap: partition {partition} has offset {start} in more than one of them"
    return None
