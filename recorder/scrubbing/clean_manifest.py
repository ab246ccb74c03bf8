"""The manifest of a clean copy: the parent's, without what names people and machines, with the clean segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from recorder.capture.lineage import new_step
from recorder.capture.manifest import Manifest, Note, Partition, SchemaFile, Segment, Topic, new_capture_id
from recorder.scrubbing.jobs import Place, Rewritten
from recorder.scrubbing.quarantine.ledger import without_withheld
from recorder.wording import counted

_Made = tuple[Place, Rewritten]
"""A segment, and what became of it."""


def clean_manifest(
    parent: Manifest,
    places: Sequence[Place],
    rewritten: Sequence[Rewritten],
    schemas: SchemaFile | msgspec.UnsetType,
    copy: Path,
) -> Manifest:
    """A manifest with a new id and a step that names the parent; notes and tags that people wrote are left out.

    `copy` is where the clean segments are. Raises CaptureError on torn data.
    """
    clean: dict[tuple[str, int, bool], list[_Made]] = {}
    for place, result in zip(places, rewritten, strict=True):
        clean.setdefault((place.topic, place.partition, place.in_prologue), []).append((place, result))
    capture_id = new_capture_id()
    step = new_step("scrub", capture_id, parent_id=parent.capture_id)
    lineage = [msgspec.structs.replace(one, user=None, host=None, command=()) for one in (*parent.lineage, step)]
    return msgspec.structs.replace(
        parent,
        capture_id=capture_id,
        created_at_ms=step.at_ms,
        topics=tuple(_clean_topic(topic, clean, copy) for topic in parent.topics),
        lineage=tuple(lineage),
        notes=(*(note for note in parent.notes if note.level != "info"), *_notes(rewritten)),
        tags={},
        clean=None,
        schemas=schemas,
    )


def _notes(rewritten: Sequence[Rewritten]) -> Iterator[Note]:
    """What is missing from a topic because it went to quarantine."""
    found: dict[str, Counter[str]] = {}
    for result in rewritten:
        for (topic, _place, cause), number in result.withheld:
            found.setdefault(topic, Counter())[cause] += number
    for topic, causes in found.items():
        why = ", ".join(f"{number:,} {cause}" for cause, number in sorted(causes.items()))
        yield Note(level="warning", text=f"in quarantine: {counted(causes.total(), 'record')} ({why})", topic=topic)


def _clean_topic(topic: Topic, clean: dict[tuple[str, int, bool], list[_Made]], copy: Path) -> Topic:
    def made(partition: Partition, *, in_prologue: bool) -> list[_Made]:
        return clean.get((topic.name, partition.partition, in_prologue), [])

    return msgspec.structs.replace(
        topic,
        partitions=tuple(
            _clean_partition(partition, made(partition, in_prologue=False), made(partition, in_prologue=True), copy)
            for partition in topic.partitions
        ),
    )


def _clean_partition(partition: Partition, made: list[_Made], before: list[_Made], copy: Path) -> Partition:
    prologue = partition.prologue
    if prologue is not None:
        prologue = msgspec.structs.replace(
            prologue, records=_records(before), segments=_segments(before), payload_bytes=_payload_bytes(before)
        )
    if any(result.withheld for _place, result in made):
        pairs = [(place.segment, result.segments) for place, result in made]
        partition = without_withheld(partition, made[0][0].root, copy, pairs)
    return msgspec.structs.replace(
        partition,
        records=_records(made),
        segments=_segments(made),
        payload_bytes=_payload_bytes(made),
        prologue=prologue,
    )


def _records(made: list[_Made]) -> int:
    return sum(result.records for _place, result in made)


def _segments(made: list[_Made]) -> tuple[Segment, ...]:
    return tuple(segment for _place, result in made for segment in result.segments)


def _payload_bytes(made: list[_Made]) -> int:
    return sum(result.payload_bytes for _place, result in made)
