"""Which recorded partition goes to which target partition, numbered so that whole columns can be looked up at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from recorder.capture.manifest import Topic
from recorder.capture.reader import Capture
from recorder.capture.selection import compile_pattern, require_known
from recorder.errors import UsageError
from recorder.replaying.gathering import Gathered, gather
from recorder.replaying.options import Options

Ints = npt.NDArray[np.int64]


class Routes:
    """The chosen topics and where each goes; partitions keep their numbers.

    A *lane* is a target partition; lanes are numbered through all target topics.
    """

    def __init__(self, gathered: Sequence[Gathered], remap: Mapping[str, str]) -> None:
        self.gathered = tuple(gathered)
        self.topics: tuple[Topic, ...] = tuple(one.topic for one in gathered)
        self.target_of = {one.topic.name: remap.get(one.topic.name, remap.get(one.name, one.name)) for one in gathered}
        self.partitions: dict[str, int] = {}
        """Target topic to how many partitions it needs at least."""
        for topic in self.topics:
            target = self.target_of[topic.name]
            needed = max((partition.partition for partition in topic.partitions), default=-1) + 1
            self.partitions[target] = max(self.partitions.get(target, 0), needed)
        starts, self.lanes = {}, 0
        for target, needed in self.partitions.items():
            starts[target] = self.lanes
            self.lanes += needed
        self._first_lane = np.array([starts[self.target_of[topic.name]] for topic in self.topics], np.int64)
        self.targets = [self.target_of[topic.name] for topic in self.topics]
        """Target topics in the order of `topics`, to be looked up by topic numbers."""

    def lanes_of(self, topic_numbers: Ints, partitions: Ints) -> Ints:
        lanes: Ints = self._first_lane[topic_numbers] + partitions
        return lanes

    def places(self) -> list[tuple[str, int]]:
        """Target topics and partitions in the order of their lanes."""
        return [(target, partition) for target, needed in self.partitions.items() for partition in range(needed)]

    def sources(self, target: str) -> list[Topic]:
        """The recorded topics that go to a target topic."""
        return [topic for topic in self.topics if self.target_of[topic.name] == target]


def plan_routes(captures: Sequence[Capture], options: Options) -> Routes:
    """The chosen topics; UsageError for names that are not there, for a choice of nothing, and for topics of the same
    name that are not the same topic, unless each has its own place.
    """
    gathered = gather(captures)
    known = list(dict.fromkeys(one.name for one in gathered))
    where = "this capture" if len(captures) == 1 else "these captures"
    for name in options.selection.topics:
        require_known(name, known, where)
    for name in options.remap:
        require_known(name, [*known, *(one.topic.name for one in gathered if one.apart)], where)
    excludes = [compile_pattern(pattern) for pattern in options.excludes]
    chosen = [
        one
        for one in gathered
        if (not options.selection.topics or one.name in options.selection.topics)
        and not any(exclude.fullmatch(one.name) for exclude in excludes)
    ]
    if not chosen:
        raise UsageError(f"No topic is left to replay of {where}: {', '.join(known) or 'it holds none'}.")
    routes = Routes(chosen, options.remap)
    _require_apart(routes, options)
    return routes


def _require_apart(routes: Routes, options: Options) -> None:
    """Two different topics of one name may become one only if every one of them was mapped by its own name."""
    separate = [one for one in routes.gathered if one.apart]
    shared = Counter((one.name, routes.target_of[one.topic.name]) for one in separate)
    for one in separate:
        label = one.topic.name
        if shared[one.name, routes.target_of[label]] > 1 and label not in options.remap:
            raise UsageError(
                f"Topic {one.name} is in several of these captures, which do not continue each other: {one.apart}. "
                f"Send each somewhere, for example -m {label}:={one.name}.{label.split('/')[0]}"
                + (", or join them first with 'blackbox merge'." if "overlap" in (one.apart or "") else ".")
            )
