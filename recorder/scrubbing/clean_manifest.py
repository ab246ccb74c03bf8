"""The manifest of a clean copy: the parent's, without what names people and machines, with the clean segments."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from recorder.capture.lineage import new_step
from recorder.capture.manifest import Manifest, Partition, SchemaFile, Segment, Topic, new_capture_id
from recorder.scrubbing.jobs import Place, Rewritten


def clean_manifest(
    parent: Manifest,
    places: Sequence[Place],
    rewritten: Sequence[Rewritten],
    schemas: SchemaFile | msgspec.UnsetType,
) -> Manifest:
    """A manifest with a new id and a step that names the parent; notes and tags that people wrote are left out."""
    clean: dict[tuple[str, int, bool], list[Rewritten]] = {}
    for place, result in zip(places, rewritten, strict=True):
        clean.setdefault((place.topic, place.partition, place.in_prologue), []).append(result)
    capture_id = new_capture_id()
    step = new_step("scrub", capture_id, parent_id=parent.capture_id)
    lineage = [msgspec.structs.replace(one, user=None, host=None, command=()) for one in (*parent.lineage, step)]
    return msgspec.structs.replace(
        parent,
        capture_id=capture_id,
        created_at_ms=step.at_ms,
        topics=tuple(_clean_topic(topic, clean) for topic in parent.topics),
        lineage=tuple(lineage),
        notes=tuple(note for note in parent.notes if note.level != "info"),
        tags={},
        clean=None,
        schemas=schemas,
    )


def _clean_topic(topic: Topic, clean: dict[tuple[str, int, bool], list[Rewritten]]) -> Topic:
    def made(partition: Partition, *, in_prologue: bool) -> list[Rewritten]:
        return clean.get((topic.name, partition.partition, in_prologue), [])

    return msgspec.structs.replace(
        topic,
        partitions=tuple(
            _clean_partition(partition, made(partition, in_prologue=False), made(partition, in_prologue=True))
            for partition in topic.partitions
        ),
    )


def _clean_partition(partition: Partition, results: list[Rewritten], before: list[Rewritten]) -> Partition:
    prologue = partition.prologue
    if prologue is not None:
        prologue = msgspec.structs.replace(prologue, segments=_segments(before), payload_bytes=_payload_bytes(before))
    return msgspec.structs.replace(
        partition, segments=_segments(results), payload_bytes=_payload_bytes(results), prologue=prologue
    )


def _segments(results: list[Rewritten]) -> tuple[Segment, ...]:
    return tuple(segment for result in results for segment in result.segments)


def _payload_bytes(results: list[Rewritten]) -> int:
    return sum(result.payload_bytes for result in results)
