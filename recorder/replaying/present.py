"""Which records of a plan are in the target already: its log compared with what was to be sent, partition by partition.

The plan sends each partition's records in one order, whatever the timing, so what an earlier part sent is a beginning
of that order, as it lies in the log: perhaps with records of others in between, and without those that were lost.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recorder.errors import RefusedError
from recorder.kafka.contents import Digest, content_digests
from recorder.replaying.changes import Change, Outgoing
from recorder.replaying.routes import Routes
from recorder.replaying.tally import NAMED_FAILURES, Failure
from recorder.replaying.timeline import Piece

_MISSING = "not in the target's log, although later records of its partition are"
_BEYOND = 1 << 20  # records: no more are in flight, or were sent since a point was noted, unless the log is longer

Ints = npt.NDArray[np.int64]
Log = Mapping[int, Sequence[Digest]]
"""What the log holds from the point on, by lane, in order."""


@dataclass(frozen=True, slots=True)
class Present:
    """What is there, from the point on."""

    rows: Ints
    """By lane: how many records of the plan have had their turn, the last of them being in the log."""
    by_topic: Ints
    """By number of the recorded topic: how many of these are in the log."""
    foreign: int
    """Records of the log that are none of the plan's."""
    missing: int
    """Records that have had their turn, and are not in the log."""
    named: tuple[Failure, ...]
    """The first of these."""
    turns: int
    """Records of the timeline among all these: those that were added on the way are none."""
    until: tuple[int, int] | None
    """Pass and number of the last record that is there."""

    @property
    def found(self) -> int:
        return int(self.by_topic.sum())


class _Lane:
    """A lane's records by the plan, from the point on, as columns."""

    def __init__(self) -> None:
        self.digests, self.laps, self.numbers = array("q"), array("q"), array("q")
        self.topics, self.partitions, self.offsets = array("q"), array("q"), array("q")
        self.added = array("b")


def find_present(
    pieces: Iterable[Piece],
    log: Log,
    *,
    routes: Routes,
    timeless: Callable[[int], bool],
    progress: Callable[[int], object] = lambda records: None,
) -> Present:
    """Compare the plan's pieces, from the point on, with the log; `timeless` lanes without their timestamps.
    `progress` hears of records of the plan.

    Raises RefusedError where records of others can't be told from ours.
    """
    planned, places = _planned(pieces, log, timeless, progress), routes.places()
    rows, by_topic = np.zeros(routes.lanes, np.int64), np.zeros(len(routes.topics), np.int64)
    foreign, lost, turns = 0, 0, 0
    named: list[Failure] = []
    until: tuple[int, int] | None = None
    for lane, ours in planned.items():
        topic, partition = places[lane]
        reached, missing, others = _aligned(ours.digests, log[lane], f"{topic}/{partition}")
        rows[lane], foreign, lost = reached, foreign + others, lost + len(missing)
        turns += reached - sum(ours.added[:reached])
        counted = np.array(ours.topics[:reached], np.int64)
        by_topic += np.bincount(np.delete(counted, missing), minlength=len(by_topic))
        for row in missing[: NAMED_FAILURES - len(named)]:
            where = routes.topics[ours.topics[row]].name, ours.partitions[row], ours.offsets[row]
            named.append(Failure(topic=where[0], partition=where[1], offset=where[2], error=_MISSING))
        if reached:
            last = (ours.laps[reached - 1], ours.numbers[reached - 1])
            until = last if until is None else max(until, last)
    return Present(rows, by_topic, foreign, lost, tuple(named), turns, until)


def _planned(
    pieces: Iterable[Piece], log: Log, timeless: Callable[[int], bool], progress: Callable[[int], object]
) -> dict[int, _Lane]:
    """The plan's records, as many as could be in the log."""
    wanted = {lane: len(found) for lane, found in log.items() if found}
    most = most_compared(sum(wanted.values()))
    planned = {lane: _Lane() for lane in wanted}
    seen = 0
    for piece in pieces:
        columns, numbers, offsets = piece.columns, piece.numbers.tolist(), piece.offsets.tolist()
        added = [False] * len(piece) if piece.changed is None else piece.changed.added.tolist()
        topics, partitions = piece.topic_numbers.tolist(), piece.source_partitions.tolist()
        lanes = piece.lanes.tolist()
        stamps = [None if timeless(lane) else at for lane, at in zip(lanes, columns.timestamps, strict=True)]
        digests = content_digests(columns.keys, columns.values, columns.headers, stamps)
        for row, lane in enumerate(lanes):
            one = planned.get(lane)
            if one is None:
                continue
            one.digests.append(digests[row])
            one.laps.append(piece.lap)
            one.numbers.append(numbers[row])
            one.topics.append(topics[row])
            one.partitions.append(partitions[row])
            one.offsets.append(offsets[row])
            one.added.append(added[row])
        seen += len(piece)
        progress(len(piece))
        if seen > most:
            break
    return planned


def most_compared(records: int) -> int:
    """How many records of the plan are looked for at most in a log of so many."""
    return _BEYOND + 2 * records


def _aligned(ours: Sequence[Digest], log: Sequence[Digest], name: str) -> tuple[int, list[int], int]:
    """How many of `ours` the log has come to, which of these it lacks, and how many of its records are none of ours."""
    places: dict[Digest, list[int]] | None = None
    at, others = 0, 0
    missing: list[int] = []
    for digest in log:
        if at < len(ours) and ours[at] == digest:
            at += 1
            continue
        if places is None:
            places = {}
            for place in range(len(ours) - 1, -1, -1):
                places.setdefault(ours[place], []).append(place)
        left = places.get(digest)
        if left is None:
            others += 1
            continue
        while left and left[-1] < at:
            left.pop()
        if not left:
            raise RefusedError(
                f"{name} holds records that are like ours and were not sent by us, or not once: nobody can tell "
                "how far the replay had come. Replay into a new topic, with --provenance where others write as well."
            )
        missing += range(at, left[-1])
        at = left[-1] + 1
    return at, missing, others


def skipping(rows: Ints, routes: Routes) -> Change:
    """The last change on the way: the first `rows[lane]` records of each lane are not sent again."""

    def skip(stretches: Iterator[Outgoing]) -> Iterator[Outgoing]:
        for one in stretches:
            if left.any() and len(one):
                lanes = routes.lanes_of(one.targets, one.partitions)
                there = among_first(lanes, left)
                np.subtract(left, np.bincount(lanes[there], minlength=len(left)), out=left)
                one = one.taken(np.flatnonzero(~there))
            yield one

    left = rows.copy()
    return skip


def among_first(lanes: Ints, left: Ints) -> npt.NDArray[np.bool_]:
    """Which rows are among the first `left[lane]` of their lane."""
    order = np.argsort(lanes, kind="stable")
    ordered = lanes[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.arange(len(lanes)) - np.repeat(starts, np.diff(starts, append=len(lanes)))
    first = np.empty(len(lanes), np.bool_)
    first[order] = rank < left[ordered]
    return first
