"""Which recorded partition goes to which target partition, numbered so that whole columns can be looked up at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder.capture.manifest import Manifest, Topic
from recorder.capture.selection import compile_pattern, require_known
from recorder.errors import UsageError
from recorder.replaying.options import Options

Ints = npt.NDArray[np.int64]


class Routes:
    """The chosen topics of a capture and where each goes; partitions keep their numbers.

    A *lane* is a target partition; lanes are numbered through all target topics.
    """

    def __init__(self, topics: Sequence[Topic], remap: Mapping[str, str]) -> None:
        self.topics = tuple(topics)
        self.target_of = {topic.name: remap.get(topic.name, topic.name) for topic in topics}
        self.partitions: dict[str, int] = {}
        """Target topic to how many partitions it needs at least."""
        for topic in topics:
            target = self.target_of[topic.name]
            needed = max((partition.partition for partition in topic.partitions), default=-1) + 1
            self.partitions[target] = max(self.partitions.get(target, 0), needed)
        starts, self.lanes = {}, 0
        for target, needed in self.partitions.items():
            starts[target] = self.lanes
            self.lanes += needed
        self._names = pa.array([topic.name for topic in topics], pa.string())
        self._first_lane = np.array([starts[self.target_of[topic.name]] for topic in topics], np.int64)
        self.targets = [self.target_of[topic.name] for topic in topics]
        """Target topics in the order of `topics`, to be looked up by `topic_numbers`."""

    def topic_numbers(self, batch: pa.RecordBatch) -> Ints:
        """Each row's index in `topics`."""
        found = pc.index_in(batch.column("topic"), value_set=self._names)
        return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)

    def lanes_of(self, topic_numbers: Ints, partitions: Ints) -> Ints:
        lanes: Ints = self._first_lane[topic_numbers] + partitions
        return lanes

    def sources(self, target: str) -> list[Topic]:
        """The recorded topics that go to a target topic."""
        return [topic for topic in self.topics if self.target_of[topic.name] == target]


def plan_routes(manifest: Manifest, options: Options) -> Routes:
    """The chosen topics; UsageError for names that are not there and for a choice of nothing."""
    known = [topic.name for topic in manifest.topics]
    for name in [*options.selection.topics, *options.remap]:
        require_known(name, known, "this capture")
    excludes = [compile_pattern(pattern) for pattern in options.excludes]
    chosen = [
        topic
        for topic in manifest.topics
        if (not options.selection.topics or topic.name in options.selection.topics)
        and not any(exclude.fullmatch(topic.name) for exclude in excludes)
    ]
    if not chosen:
        raise UsageError(f"No topic is left to replay: the capture holds {', '.join(known) or 'no topics'}.")
    return Routes(chosen, options.remap)
