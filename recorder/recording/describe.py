"""What a recording says about itself: the manifest, and the notes that a person should read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recorder.capture.lineage import new_step
from recorder.capture.manifest import Asked, FinishedBy, Manifest, Note, Partition, Source, Step, Topic, new_capture_id
from recorder.capture.schema import FORMAT_VERSION
from recorder.errors import KafkaUnavailableError
from recorder.kafka.cluster import Cluster, TopicFacts
from recorder.kafka.offsets import Place
from recorder.kafka.probing import newest_times
from recorder.recording.plan import Plan
from recorder.recording.request import Request
from recorder.recording.tape import Tape
from recorder.window import Window, format_duration, format_time

_TOPICS_HINTED = 5
_NEAR_THE_EDGE = 0.8  # of the slack: beyond it, later records may well have been missed


@dataclass(frozen=True, slots=True)
class Facts:
    """What stays the same from the first checkpoint to the manifest."""

    capture_id: str
    started_ms: int
    window: Asked
    source: Source
    topics: tuple[TopicFacts, ...]
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, cluster: Cluster, plan: Plan, request: Request, started_ms: int) -> Facts:
        capture_id = new_capture_id()
        return cls(
            capture_id=capture_id,
            started_ms=started_ms,
            window=Asked(
                from_text=request.from_text,
                to_text=request.to_text,
                from_ms=plan.window.from_ms,
                to_ms=plan.window.to_ms,
                late_slack_ms=plan.late_slack_ms,
                covered_from_ms=plan.window.from_ms,
                isolation=request.isolation,
            ),
            source=Source(cluster_id=cluster.cluster_id, brokers=len(cluster.brokers)),
            topics=tuple(plan.topics.values()),
            steps=(new_step("record", capture_id, command=request.command),),
        )


def manifest_of(
    facts: Facts,
    partitions: dict[Place, Partition],
    *,
    finished_by: FinishedBy,
    at_ms: int,
    notes: Sequence[Note] = (),
) -> Manifest:
    """The manifest of a recording as it stands at `at_ms`."""
    covered_to_ms = at_ms if facts.window.to_ms is None else min(facts.window.to_ms, at_ms)
    asked = {name: getattr(facts.window, name) for name in facts.window.__struct_fields__}
    return Manifest(
        format_version=FORMAT_VERSION,
        capture_id=facts.capture_id,
        created_at_ms=at_ms,
        finished_by=finished_by,
        window=Asked(**asked | {"covered_to_ms": covered_to_ms}),
        source=facts.source,
        topics=tuple(
            Topic(
                name=topic.name,
                id=topic.id,
                config=topic.overrides,
                partitions=tuple(partitions[topic.name, partition] for partition in topic.partitions),
            )
            for topic in facts.topics
        ),
        lineage=facts.steps,
        notes=tuple(notes),
    )


def notes_of(cluster: Cluster, plan: Plan, tapes: dict[Place, Tape], started_ms: int) -> Iterator[Note]:
    """What the recording noticed about the window: deleted starts, late records, changed topics, missing rights."""
    yield from plan.notes
    yield from _start_notes(plan)
    for (topic, partition), tape in tapes.items():
        for offset in tape.ledger.starts_of("expired"):
            if offset >= plan.spans[topic, partition].log_start:
                text = f"retention deleted from offset {offset} on while it was being read"
                yield Note(level="warning", text=text, topic=topic, partition=partition)
    yield from _late_notes(plan, tapes, started_ms)
    yield from _topic_notes(cluster, plan)
    if not any(tape.records for tape in tapes.values()):
        yield from _empty_notes(cluster, plan)


def _start_notes(plan: Plan) -> Iterator[Note]:
    for (topic, partition), span in plan.spans.items():
        if span.window.from_ms is not None and span.log_start > 0 and span.start == span.log_start:
            yield Note(
                level="warning",
                text=f"its log begins at offset {span.log_start}, inside the window or after its start: "
                "older records of the window, if there were any, had been deleted before the recording",
                topic=topic,
                partition=partition,
            )


def _late_notes(plan: Plan, tapes: dict[Place, Tape], started_ms: int) -> Iterator[Note]:
    slack = plan.late_slack_ms
    for (topic, partition), tape in tapes.items():
        late, latest_ms = tape.late
        if not late:
            continue
        text = f"{late:,} records of the window came late, the latest {format_duration(latest_ms)} after its end"
        near = slack is not None and latest_ms >= slack * _NEAR_THE_EDGE
        if near:
            text += f", near the late slack of {format_duration(slack or 0)}: record again with --late-slack all"
        yield Note(level="warning" if near else "info", text=text, topic=topic, partition=partition)
    ends = {span.window.to_ms for span in plan.spans.values()}
    recent = max((end for end in ends if end is not None and slack and end < started_ms < end + slack), default=None)
    if recent is not None:
        yield Note(
            level="info",
            text=f"the window ended {format_duration(started_ms - recent)} before the recording began: records of the "
            f"window that arrive after {format_time(started_ms)} are not in it",
        )


def _empty_notes(cluster: Cluster, plan: Plan) -> Iterator[Note]:
    """Nothing was recorded: where are the records then? Most often the window was meant otherwise."""
    try:
        cluster.names()
    except KafkaUnavailableError:
        return
    newest: dict[str, int] = {}
    for (topic, _), at in newest_times(cluster, plan.spans).items():
        newest[topic] = max(at, newest.get(topic, at))
    nearest = sorted(newest.items(), key=lambda item: -item[1])[:_TOPICS_HINTED]
    for topic, at in nearest:
        yield Note(
            level="info", text=f"0 records: its newest record is from {_seen_from(plan.window, at)}", topic=topic
        )
    if not newest:
        yield Note(level="info", text="0 records: the topics are empty, or their newest records are unknown")


def _seen_from(window: Window, at_ms: int) -> str:
    when = format_time(at_ms)
    if window.from_ms is not None and at_ms < window.from_ms:
        return f"{when}, {format_duration(window.from_ms - at_ms)} before the window"
    if window.to_ms is not None and at_ms >= window.to_ms:
        return f"{when}, {format_duration(at_ms - window.to_ms)} after the window"
    return when


def _topic_notes(cluster: Cluster, plan: Plan) -> Iterator[Note]:
    before = plan.topics
    cluster.refresh()
    try:
        after = cluster.topics(before)
    except KafkaUnavailableError as error:
        # The records are there already: that nobody answers any more must not lose them.
        yield Note(level="warning", text=f"whether topics changed during the recording is unknown: {error}")
        return
    for name, topic in before.items():
        now = after.get(name)
        if now is None:
            yield Note(level="warning", text="the topic was deleted during the recording", topic=name)
            continue
        if topic.id and now.id and topic.id != now.id:
            yield Note(level="loss", text="the topic was deleted and created anew during the recording", topic=name)
        for partition in sorted(set(now.partitions) - set(topic.partitions)):
            live = any(span.until_ms is not None for (known, _), span in plan.spans.items() if known == name)
            why = "and is not in it" if live else "so that all it holds is newer than what was asked for"
            text = f"the partition was added during the recording, {why}"
            yield Note(level="loss" if live else "info", text=text, topic=name, partition=partition)
        if topic.overrides is None:
            yield Note(
                level="info",
                text="we may not read its configuration: whether it is compacted is unknown",
                topic=name,
            )
