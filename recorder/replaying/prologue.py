"""The state before a capture's window, to be sent before the window's first record (FORMAT.md 23).

It is looked at through the same doors as what is replayed: topics with the same numbers, whose records are those of
their prologues. So survey, preflight, changes and accounts need to know nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from recorder.capture.manifest import Partition, Prologue
from recorder.capture.reader import Capture
from recorder.payloads.naming import Counts
from recorder.replaying.findings import Finding
from recorder.replaying.gathering import Gathered
from recorder.replaying.options import Options
from recorder.replaying.routes import Routes
from recorder.replaying.streams import Streams
from recorder.replaying.survey import Survey, TopicSurvey, survey
from recorder.replaying.tally import Failure
from recorder.window import Window


@dataclass(frozen=True)
class StateBefore:
    """The state before the window, ready to be sent."""

    routes: Routes
    streams: Streams
    survey: Survey


class PrologueCount(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the state before the window, on a certificate."""

    records: int
    """Those of the chosen partitions; if they were to be sent, those of the selection."""
    sent: Literal["no", "before", "earlier"]
    """`earlier`: by the first part of a replay that was resumed, all of it."""
    acked: int = 0
    failed: int = 0
    left_out: int = 0
    """Left out on their way, as was asked for."""
    added: int = 0
    shifted_by_ms: int = 0
    timestamp_0_sent_as_1: int = 0
    took_ns: int = 0
    failures: tuple[Failure, ...] = ()
    """The first 1,000."""

    @property
    def missing(self) -> int:
        """Records that were to be sent and are not known to have arrived."""
        return self.records - self.left_out + self.added - self.acked if self.sent == "before" else 0


def state_before(routes: Routes, options: Options, *, start_ms: int, schemas: Counts | None) -> StateBefore:
    """Look at all of it, as `survey` does; `schemas` counts its records' schemas, too. Raises CaptureError.

    A selection's keys, partitions, condition and sample hold for it, its times don't.
    """
    before, chosen = prologue_routes(routes), _timeless(options)
    streams = Streams(before, chosen)
    return StateBefore(
        before, streams, survey(before, chosen, start_ms=start_ms, streams=streams, schemas=schemas)
    )  # fmt: skip


def prologue_routes(routes: Routes) -> Routes:
    """The same topics with the same numbers, holding their prologues instead of their records."""
    firsts = {place for one in routes.gathered for place in _firsts(one)}
    views: dict[int, Capture] = {}
    gathered = []
    for one in routes.gathered:
        for capture in one.captures:
            if id(capture) not in views:
                views[id(capture)] = _before(capture, firsts)
        captures = tuple(views[id(capture)] for capture in one.captures)
        found = {
            partition.partition: partition
            for capture in captures
            for partition in capture.manifest.topic(one.name).partitions
            if partition.records
        }
        partitions = tuple(found.get(known.partition, _held(known, Prologue())) for known in one.topic.partitions)
        gathered.append(
            replace(one, topic=msgspec.structs.replace(one.topic, partitions=partitions), captures=captures)
        )
    return routes.of(gathered)


def held(routes: Routes, options: Options) -> int:
    """How many records of such state the chosen partitions have, without reading them."""
    return sum(
        partition.records
        for one in prologue_routes(routes).gathered
        for partition in one.topic.partitions
        if options.selection.wants(one.name, partition.partition)
    )


def check_prologue(records: int, options: Options) -> Iterator[Finding]:
    """Is the state sent that there is, and is it the one that fits?"""
    if records and not options.prologue and options.dead_letters is None:
        yield Finding(
            severity="warning",
            topic=None,
            what=f"{records:,} records of compacted topics' state before the window are not sent",
            fix="Give --prologue to have them sent first.",
        )
    if options.prologue and not records:
        yield Finding(
            severity="warning",
            topic=None,
            what="There is no state before the window, so --prologue sends nothing",
            fix="Record it with --state-prologue.",
        )
    later = options.selection.window.from_ms is not None or options.start is not None or options.start_offsets
    if options.prologue and records and later:
        yield Finding(
            severity="warning",
            topic=None,
            what="--prologue sends the state before the capture's window, and this replay begins later: changes in "
            "between are not sent",
            fix="Leave out --from, --start and --start-offset if consumers need the state as it was.",
        )


def with_state(played: Survey, before: StateBefore | None, options: Options) -> Survey:
    """What the target's topics must take in all, to be checked before: sizes and timestamps of both together."""
    if before is None:
        return played
    state = before.survey
    earlier_ms = 0
    if options.timestamps == "shift" and played.first_ms is not None and state.first_ms is not None:
        earlier_ms = played.first_ms - state.first_ms  # both are moved by the span of what is played
    topics = {
        name: TopicSurvey(
            records=topic.records + state.topics[name].records,
            bytes=topic.bytes + state.topics[name].bytes,
            largest=max(topic.largest, state.topics[name].largest),
            without_key=topic.without_key + state.topics[name].without_key,
            unplaced=topic.unplaced,
            ahead_ms=max(topic.ahead_ms, state.topics[name].ahead_ms - earlier_ms),
            behind_ms=max(topic.behind_ms, state.topics[name].behind_ms + earlier_ms),
        )
        for name, topic in played.topics.items()
    }
    return replace(played, topics=topics)


def _timeless(options: Options) -> Options:
    """The choices that hold for a state: what it is, not when anything in it happened, nor what may go wrong later."""
    return replace(
        options,
        selection=replace(options.selection, window=Window(None, None)),
        top_speed=True,
        max_gap_ms=None,
        time_basis="create",
        intra_ms="burst",
        start=None,
        end=None,
        duration_ms=None,
        start_offsets={},
        loop=1,
        loop_delay_ms=0,
        step=False,
        late="catchup",
        chaos=None,
    )


def _firsts(one: Gathered) -> Iterator[tuple[int, str, int]]:
    """Which capture's state lies before all records of each partition: where several continue each other, the first's.

    By the capture's `id`, the topic's name in it and the partition.
    """
    firsts: dict[int, tuple[int, int]] = {}
    for capture in one.captures:
        for partition in capture.manifest.topic(one.name).partitions:
            mine = (partition.start_offset, id(capture))
            firsts[partition.partition] = min(firsts.get(partition.partition, mine), mine)
    for number, (_, capture_id) in firsts.items():
        yield capture_id, one.name, number


def _before(capture: Capture, firsts: set[tuple[int, str, int]]) -> Capture:
    """The capture as if it had recorded the state and nothing else."""
    manifest = capture.manifest
    topics = tuple(
        msgspec.structs.replace(
            topic,
            partitions=tuple(
                _held(one, (one.prologue if (id(capture), topic.name, one.partition) in firsts else None) or Prologue())
                for one in topic.partitions
            ),
        )
        for topic in manifest.topics
    )
    window = msgspec.structs.replace(manifest.window, from_ms=None)
    return replace(capture, manifest=msgspec.structs.replace(manifest, window=window, topics=topics))


def _held(partition: Partition, prologue: Prologue) -> Partition:
    return Partition(
        partition=partition.partition,
        start_offset=0,
        end_offset=partition.start_offset,
        records=prologue.records,
        payload_bytes=prologue.payload_bytes,
        segments=prologue.segments,
    )
