"""Which partition of the target a record goes to: the recorded one, the one that Java's hash gives its key, or one that
a person named.

With another number of partitions, keys that shared one may come to lie in different ones and lose their order among
each other; within one key order holds, as one key has one partition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa

from recorder.errors import UsageError
from recorder.kafka.partitioner import java_hashes
from recorder.replaying.changes import Bools, Change, Outgoing, each
from recorder.replaying.options import Options
from recorder.replaying.routes import Ints, Routes
from recorder.replaying.streams import STREAM, Streams

MOVED = "moved to another partition, by key"
MOVED_WITHOUT_KEY = "moved to another partition, without a key"
MOVED_BY_MAP = "moved to another partition, by map"
ODD = "recorded where Java's hash would not have put the key"


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """How the records of a recorded topic find their partition; `home`: dead letters, see `homes.bring_home`."""

    topic: str
    target: str
    by: Literal["keep", "hash", "map", "home"]
    recorded: int
    """How many partitions were recorded, and how many the target has."""
    partitions: int


def placements(routes: Routes, options: Options, counts: Mapping[str, int]) -> tuple[Placement, ...]:
    """One for each of `routes.topics`; `counts` are the target topics' partitions, of those that are known.

    Raises UsageError for a map that names what was not recorded.
    """
    _check_map(routes, options.partition_map)
    return tuple(_placement(routes, number, options, counts) for number in range(len(routes.topics)))


def _placement(routes: Routes, number: int, options: Options, counts: Mapping[str, int]) -> Placement:
    topic = routes.topics[number]
    target = routes.target_of[topic.name]
    recorded = max((partition.partition for partition in topic.partitions), default=-1) + 1
    present = counts.get(target, routes.partitions[target])
    if routes.gathered[number].home is not None:
        return Placement(topic=topic.name, target=target, by="home", recorded=recorded, partitions=present)
    by = options.partitions
    if by == "auto":
        by = "keep" if present == recorded else "hash"
    return Placement(topic=topic.name, target=target, by=by, recorded=recorded, partitions=present)


def mark_odd_keys(placed: tuple[Placement, ...], streams: Streams) -> list[Change]:
    """The change that marks what `choose_partitions` would, by the keys as they were recorded: for the beginning of a
    chain that changes keys. None when no topic goes by its keys."""
    hashed = _hashed(placed)
    recorded = np.array([max(one.recorded, 1) for one in placed], np.int64)

    def mark(records: Outgoing) -> Outgoing:
        topics = streams.topic_numbers[records.batch.column(STREAM).to_numpy()]
        hashes = java_hashes(records.batch.column("key"))
        odd = hashed[topics] & (hashes >= 0) & (hashes % recorded[topics] != records.partitions)
        return records.marked(ODD, odd) if odd.any() else records

    return [each(mark)] if hashed.any() else []


def choose_partitions(
    placed: tuple[Placement, ...], options: Options, streams: Streams, *, keys_as_recorded: bool = True
) -> list[Change]:
    """The change that puts records where `placed` says; none when all keep theirs.

    With `keys_as_recorded` it also marks those that were recorded where Java's hash would not have put them.
    """
    hashed = _hashed(placed)
    counts = np.array([max(one.partitions, 1) for one in placed], np.int64)
    recorded = np.array([max(one.recorded, 1) for one in placed], np.int64)

    def hash_keys(records: Outgoing) -> Outgoing:
        topics = streams.topic_numbers[records.batch.column(STREAM).to_numpy()]
        rows = np.flatnonzero(hashed[topics])
        if not len(rows):
            return records
        whole = len(rows) == len(records)
        keys = records.batch.column("key")
        hashes = java_hashes(keys if whole else keys.take(pa.array(rows)))
        topics, before, keyed = topics[rows], records.partitions[rows], hashes >= 0
        chosen = np.where(keyed, hashes, before) % counts[topics]
        records = _moved(records, rows, keyed & (chosen != before), MOVED)
        records = _moved(records, rows, ~keyed & (chosen != before), MOVED_WITHOUT_KEY)
        if keys_as_recorded:
            records = _moved(records, rows, keyed & (hashes % recorded[topics] != before), ODD)
        partitions = records.partitions.copy()
        partitions[rows] = chosen
        return replace(records, partitions=partitions)

    table = _table(placed, options, streams)

    def look_up(records: Outgoing) -> Outgoing:
        found = table[records.batch.column(STREAM).to_numpy()]
        return replace(records.marked(MOVED_BY_MAP, found != records.partitions), partitions=found)

    if hashed.any():
        return [each(hash_keys)]
    return [each(look_up)] if options.partitions == "map" else []


def _hashed(placed: tuple[Placement, ...]) -> Bools:
    """Which topics go by their keys."""
    return np.array([one.by == "hash" for one in placed], np.bool_)


def _moved(records: Outgoing, rows: Ints, mask: Bools, what: str) -> Outgoing:
    if not mask.any():
        return records
    moved = np.zeros(len(records), np.bool_)
    moved[rows[mask]] = True
    return records.marked(what, moved)


def _table(placed: tuple[Placement, ...], options: Options, streams: Streams) -> Ints:
    """Target partitions by stream, as the map says."""
    return np.array(
        [
            options.partition_map.get((placed[stream.topic].topic, stream.partition), stream.partition)
            for stream in streams.streams
        ],
        np.int64,
    )


def _check_map(routes: Routes, given: Mapping[tuple[str, int], int]) -> None:
    known = {topic.name: {partition.partition for partition in topic.partitions} for topic in routes.topics}
    for topic, partition in given:
        if topic not in known:
            raise UsageError(
                f"--partitions maps {topic}/{partition}, and topic {topic} is not among what is replayed: "
                f"it is {', '.join(known)}."
            )
        if partition not in known[topic]:
            raise UsageError(f"--partitions maps {topic}/{partition}, and {topic} was recorded without it: correct it.")
