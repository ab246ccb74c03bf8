"""Bringing dead letters home: each record of a dead-letter topic goes to the topic that its headers name.

A home is like a recorded topic of its own, whose records are some of a dead-letter topic's: all else of a replay
(order, preflight, accounts) knows nothing of letters. A letter that can't go stays, with the reason, and is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder.capture.reader import Capture
from recorder.capture.schema import HEADERS_TYPE
from recorder.capture.selection import require_known
from recorder.errors import UsageError
from recorder.kafka.partitioner import java_hashes
from recorder.replaying.changes import Change, Outgoing, each
from recorder.replaying.dead_letters import DeadLetters, Letter, headers_home, pairs_of, read_letter
from recorder.replaying.gathering import Gathered, Home, gather
from recorder.replaying.options import Options
from recorder.replaying.routes import Routes
from recorder.replaying.streams import STREAM, Streams

NO_TOPIC = "its headers name no topic"
MISSING = "its topic is not there"
TOO_OFTEN = "it came back too often"
SENT = "sent home"


class LetterCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many letters of a dead-letter topic came from one topic for one reason, and what becomes of them."""

    topic: str
    home: str | None
    reason: str
    """The exception's class, as the headers have it."""
    fate: str
    """`SENT`, or why they stay."""
    records: int


@dataclass(frozen=True, slots=True)
class Letters:
    """All dead letters of a replay, sorted; `routes` lead home those that can go."""

    routes: Routes
    counts: tuple[LetterCount, ...]

    @property
    def left(self) -> int:
        """How many stay."""
        return sum(one.records for one in self.counts if one.fate != SENT)

    def rows(self) -> tuple[Sequence[str], list[list[Any]]]:
        """A table of where they would go."""
        return ("dead_letters", "home", "reason", "records", "fate"), [
            [one.topic, one.home, one.reason or None, one.records, one.fate] for one in self.counts
        ]


def sort_letters(
    captures: Sequence[Capture], routes: Routes, options: Options, how: DeadLetters, partitions: Mapping[str, int]
) -> Letters:
    """Look at the headers of all records of the chosen topics; when none were chosen, dead-letter topics are those of
    which at least half of the records name another topic.

    `partitions` are those of the target's topics. Raises UsageError when there is nothing to bring home.
    """
    if options.start or options.end or options.duration_ms is not None or options.start_offsets or options.loop != 1:
        raise UsageError(
            "--dlq brings each letter home once, whatever its place on the timeline: choose with --from, --to, -k, "
            "--where or --sample, and leave out --start, --end, --duration, --start-offset and --loop."
        )
    if options.partitions != "auto":
        raise UsageError("--dlq puts letters into the partition where they were, or by key: leave out --partitions.")
    chosen = set(range(len(routes.topics)))
    if not options.selection.topics:
        named, all_ = Counter[int](), Counter[int]()
        for topic, letter in _read(routes, options, how, None):
            all_[topic] += 1
            named[topic] += letter.home is not None
        chosen = {topic for topic, records in all_.items() if 2 * named[topic] >= records}
    names = frozenset(routes.gathered[topic].name for topic in chosen)
    recorded = {one.name: one for one in gather(captures)}
    counts: Counter[tuple[int, str | None, str, str]] = Counter()
    for topic, letter in _read(routes, options, how, names):
        if topic in chosen:
            fate = _fate(letter, how, options, partitions, recorded)
            counts[topic, letter.home, letter.reason, fate] += 1
    homes = {(topic, home): None for topic, home, _, fate in counts if fate == SENT and home is not None}
    if not counts:
        raise UsageError(
            "Nothing here is a dead letter: no topic's headers name topics that its records came from. "
            "Choose topics with -t, and say with --dlq-header which header names the topic."
        )
    gathered = [
        _at_home(routes.gathered[topic], home, how, names, options, partitions, recorded) for topic, home in homes
    ]
    told = tuple(
        LetterCount(topic=routes.topics[topic].name, home=home, reason=reason, fate=fate, records=records)
        for (topic, home, reason, fate), records in sorted(counts.items(), key=lambda item: tuple(map(str, item[0])))
    )
    if unknown := options.remap.keys() - {one.home for one in told}:
        require_known(sorted(unknown)[0], sorted({one.home for one in told if one.home}), "the homes of these letters")
    return Letters(Routes(gathered, options.remap), told)


def bring_home(routes: Routes, streams: Streams, options: Options) -> Change:
    """The change that takes the errors off letters' headers, counts the attempt, and puts them into a partition.

    That is the one where they were, unless the topic is known to have had another number of partitions; else the one
    that Java's hash gives their key, or, without a key, that of the dead letter modulo the number of partitions. The
    timestamp is the original one, where the headers have it and timestamps are to be the original ones.
    """

    def bring(records: Outgoing) -> Outgoing:
        topics = streams.topic_numbers[records.batch.column(STREAM).to_numpy()].tolist()
        homes = [routes.gathered[topic].home for topic in topics]
        partitions = np.array([routes.sizes[routes.target_names[number]] for number in records.targets], np.int64)
        hashes = java_hashes(records.batch.column("key"))
        chosen = np.where(hashes >= 0, hashes, records.partitions) % np.maximum(partitions, 1)
        times = records.batch.column("timestamp_ms").to_numpy().copy()
        headers: list[list[dict[str, Any]]] = []
        for row, (home, before) in enumerate(zip(homes, pairs_of(records.batch.column("headers")), strict=True)):
            assert home is not None, "only letters are brought home"
            letter = read_letter(before, home.how, home.not_home)
            headers.append([{"key": name, "value": value} for name, value in headers_home(before, letter, home.how)])
            same = home.recorded is None or home.recorded == partitions[row]
            if letter.partition is not None and letter.partition < partitions[row] and same:
                chosen[row] = letter.partition
            if letter.timestamp_ms is not None and options.timestamps == "original":
                times[row] = letter.timestamp_ms
        moved = records.with_columns(headers=pa.array(headers, HEADERS_TYPE), timestamp_ms=pa.array(times, pa.int64()))
        return replace(moved, partitions=chosen).marked("brought home", np.ones(len(records), np.bool_))

    return each(bring)


def _read(
    routes: Routes, options: Options, how: DeadLetters, not_home: frozenset[str] | None
) -> Iterator[tuple[int, Letter]]:
    """Topic numbers and what the headers say; a topic is not its own records' home, nor are those of `not_home`."""
    streams = Streams(routes, options)
    topic_headers = pa.array([one.topic for one in how.conventions])
    own = [frozenset({one.name}) if not_home is None else not_home for one in routes.gathered]
    for batch in streams.merged(columns=("timestamp_ms", "offset", "headers"), shape=_headers_only):
        topics = streams.topic_numbers[batch.column(STREAM).to_numpy()].tolist()
        headers = batch.column("headers")
        if not pc.any(pc.is_in(headers.flatten().field("key"), topic_headers)).as_py():
            yield from ((topic, Letter()) for topic in topics)
            continue
        for topic, pairs in zip(topics, pairs_of(headers), strict=True):
            yield topic, read_letter(pairs, how, own[topic])


def _headers_only(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.select([name for name in batch.schema.names if name not in {"topic", "key", "value", "leader_epoch"}])


def _fate(
    letter: Letter, how: DeadLetters, options: Options, partitions: Mapping[str, int], recorded: Mapping[str, Gathered]
) -> str:
    if letter.home is None:
        return NO_TOPIC
    target = options.remap.get(letter.home, letter.home)
    if target not in partitions and not (options.create_topics and letter.home in recorded):
        return MISSING
    return SENT if letter.attempts < how.max_attempts else TOO_OFTEN


def _at_home(
    letters: Gathered, home: str, how: DeadLetters, not_home: frozenset[str], options: Options,
    partitions: Mapping[str, int], recorded: Mapping[str, Gathered],
) -> Gathered:  # fmt: skip
    """The letters of one dead-letter topic that belong into one other topic, as a recorded topic."""
    there = recorded.get(home)
    count = None if there is None else len(there.topic.partitions)
    needed = partitions.get(options.remap.get(home, home), count or 1)
    topic = msgspec.structs.replace(
        letters.topic,
        name=f"{letters.topic.name} → {home}",
        config=None if there is None else there.topic.config,
    )
    return replace(letters, topic=topic, home=Home(home, how, not_home, count, needed))
