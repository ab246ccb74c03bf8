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
    """The chosen topics and where each goes; partitions keep their numbers unless a change on the way says otherwise.

    Target topics are numbered. A *lane* is a target partition; lanes are numbered through all target topics.
    """

    def __init__(
        self, gathered: Sequence[Gathered], remap: Mapping[str, str], sizes: Mapping[str, int] | None = None
    ) -> None:
        self.gathered, self._remap = tuple(gathered), remap
        self.topics: tuple[Topic, ...] = tuple(one.topic for one in gathered)
        self.target_of = {
            one.topic.name: remap.get(one.topic.name, remap.get(one.belongs, one.belongs)) for one in gathered
        }
        self.partitions: dict[str, int] = {}
        """Target topic to how many partitions it needs at least, for recorded partitions to keep their numbers."""
        for one in gathered:
            target = self.target_of[one.topic.name]
            recorded = max((partition.partition for partition in one.topic.partitions), default=-1) + 1
            needed = recorded if one.home is None else one.home.needed
            self.partitions[target] = max(self.partitions.get(target, 0), needed)
        self.sizes = {target: (sizes or {}).get(target, needed) for target, needed in self.partitions.items()}
        """Target topic to how many partitions of it are written to."""
        self.target_names = list(self.partitions)
        """Target topics, to be looked up by their numbers."""
        self._first_lane = np.cumsum([0, *self.sizes.values()])
        self.lanes = int(self._first_lane[-1])
        numbers = {target: number for number, target in enumerate(self.target_names)}
        self.target_numbers = np.array([numbers[self.target_of[topic.name]] for topic in self.topics], np.int64)
        """Numbers of target topics in the order of `topics`."""

    def resized(self, sizes: Mapping[str, int]) -> Routes:
        """The same with so many partitions in each target topic."""
        return Routes(self.gathered, self._remap, sizes)

    def of(self, gathered: Sequence[Gathered]) -> Routes:
        """The same routes for other records of the same topics."""
        return Routes(gathered, self._remap, self.sizes)

    def lanes_of(self, targets: Ints, partitions: Ints) -> Ints:
        """Lanes by the numbers of target topics and their partitions."""
        lanes: Ints = self._first_lane[targets] + partitions
        return lanes

    def places(self) -> list[tuple[str, int]]:
        """Target topics and partitions in the order of their lanes."""
        return [(target, partition) for target, size in self.sizes.items() for partition in range(size)]

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
    for name in options.remap if options.dead_letters is None else ():
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
