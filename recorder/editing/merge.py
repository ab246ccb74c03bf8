"""Merge captures into one: overlapping and adjoining windows of a cluster, or several clusters side by side.

Ledgers are united: what one capture misses and another holds is filled, and what no capture answers for, between two
that do, is named as unread. The result does not depend on the order in which the captures are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from recorder.capture.manifest import Asked, FinishedBy, Manifest, Note, Source, Topic
from recorder.capture.reader import Capture
from recorder.capture.schema import FORMAT_VERSION
from recorder.editing.derive import finished, new_directory, remains_clean
from recorder.editing.each import Progress, each
from recorder.editing.merge_partition import Done, Job, merge_partition
from recorder.editing.naming import Named, name_topics
from recorder.editing.splice import Strand
from recorder.editing.vouching import check_parents
from recorder.errors import UsageError
from recorder.scrubbing.signing import Signer

_ENDS: tuple[FinishedBy, ...] = ("end", "interrupt", "unfinished")


@dataclass(frozen=True, slots=True)
class Merged:
    """A finished merge. `uncovered`: offsets that lie between the captures; `copies`: records that came twice."""

    path: Path
    manifest: Manifest
    uncovered: int
    copies: int


def merge(
    captures: Sequence[Capture],
    out: Path,
    *,
    prefixes: Mapping[int, str] | None = None,
    command: Sequence[str] = (),
    executor: Executor | None = None,
    progress: Progress | None = None,
    signer: Signer | None = None,
) -> Merged:
    """Write all records of `captures` to `out` (which must not exist); `prefixes` (capture's number to name) go before
    the names of a capture's topics. What stays clean is signed by `signer`, when it signed them all.

    Raises UsageError for topics that can't be told apart, CaptureError where two captures differ in a record, or one
    is torn or altered; then nothing is left at `out`.
    """
    if not captures:
        raise UsageError("There is nothing to merge: give at least one capture.")
    manifests = [one.manifest for one in captures]
    named = name_topics(captures, prefixes or {})
    clean = remains_clean(manifests)
    if signer is not None and clean:
        check_parents(captures, signer)
    with new_directory(out, captures) as root:
        jobs = list(_jobs(named, root, bloom=not clean))
        done = each(merge_partition, jobs, executor, progress)
        topics = _topics(named, jobs, done)
        notes = (
            *_old_notes(named, manifests),
            *_new_notes(jobs, done),
            *_raw_note(manifests, clean),
            *_state_note(manifests),
        )
        manifest = _manifest(manifests, topics, notes)
        made = finished(root, manifest, "merge", captures, command, clean=clean, signer=signer)
    uncovered = sum(one.uncovered for one in done)
    return Merged(out, made, uncovered, sum(one.records for one in manifests) - made.records)


def _jobs(named: Mapping[str, Sequence[Named]], root: Path, *, bloom: bool) -> Iterable[Job]:
    for name, found in named.items():
        strands: dict[int, list[Strand]] = {}
        for one in found:
            for partition in one.topic.partitions:
                # A worker gets the manifest of its partition alone: that of all may be large.
                alone = msgspec.structs.replace(one.topic, partitions=(partition,))
                small = msgspec.structs.replace(one.capture.manifest, topics=(alone,), lineage=(), notes=())
                part = Strand(replace(one.capture, manifest=small), one.topic.name, partition)
                strands.setdefault(partition.partition, []).append(part)
        for number in sorted(strands):
            yield Job(tuple(strands[number]), name, number, root, bloom)


def _topics(named: Mapping[str, Sequence[Named]], jobs: Sequence[Job], done: Sequence[Done]) -> tuple[Topic, ...]:
    clusters = {one.origin.cluster_id for found in named.values() for one in found}
    made = []
    for name, found in named.items():
        newest = max(found, key=lambda one: (one.capture.manifest.created_at_ms, one.capture.manifest.capture_id))
        known = max(found, key=lambda one: (one.topic.config is not None, one is newest))
        told = len(clusters) > 1 or name != newest.origin.name
        partitions = tuple(result.partition for job, result in zip(jobs, done, strict=True) if job.name == name)
        made.append(
            Topic(
                name=name,
                id=newest.topic.id,
                config=known.topic.config,
                partitions=partitions,
                origin=newest.origin if told else msgspec.UNSET,
            )
        )
    return tuple(made)


def _manifest(parents: Sequence[Manifest], topics: tuple[Topic, ...], notes: tuple[Note, ...]) -> Manifest:
    steps = {step for parent in parents for step in parent.lineage}
    tags: dict[str, set[str]] = {}
    for parent in parents:
        for name, value in parent.tags.items():
            tags.setdefault(name, set()).add(value)
    return Manifest(
        format_version=FORMAT_VERSION,
        capture_id="",
        created_at_ms=max(parent.created_at_ms for parent in parents),
        finished_by=max((parent.finished_by for parent in parents), key=_ENDS.index),
        window=_window([parent.window for parent in parents]),
        source=_source(parents),
        topics=topics,
        lineage=tuple(sorted(steps, key=lambda step: (step.at_ms, step.capture_id, step.verb))),
        notes=notes,
        tags={name: ", ".join(sorted(values)) for name, values in sorted(tags.items())},
    )


def _source(parents: Sequence[Manifest]) -> Source:
    """The one cluster, or none and how many brokers all have; then each topic says where it came from."""
    brokers: dict[str | None, int] = {}
    for parent in parents:
        known = parent.source
        brokers[known.cluster_id] = max(known.brokers, brokers.get(known.cluster_id, 0))
    only = next(iter(brokers)) if len(brokers) == 1 else None
    return Source(cluster_id=only, brokers=sum(brokers.values()))


def _window(windows: Sequence[Asked]) -> Asked:
    """From the earliest start to the latest end."""
    first = min(windows, key=lambda one: (one.from_ms is not None, one.from_ms or 0, one.from_text))
    last = max(windows, key=lambda one: (one.to_ms is None, one.to_ms or 0, one.to_text))
    return Asked(
        from_text=first.from_text,
        from_ms=first.from_ms,
        to_text=last.to_text,
        to_ms=last.to_ms,
        late_slack_ms=_if_all_say(max, [one.late_slack_ms for one in windows]),
        covered_from_ms=_if_all_say(min, [one.covered_from_ms for one in windows]),
        covered_to_ms=_if_all_say(max, [one.covered_to_ms for one in windows]),
        isolation=max((one.isolation for one in windows), key=lambda level: level == "read_uncommitted"),
    )


def _if_all_say(choose: Callable[[Sequence[int]], int], times: Sequence[int | None]) -> int | None:
    """The smallest or largest; None (no limit, or not known) for any is None for all."""
    said = [time for time in times if time is not None]
    return choose(said) if len(said) == len(times) else None


def _old_notes(named: Mapping[str, Sequence[Named]], parents: Sequence[Manifest]) -> Iterable[Note]:
    """The captures' own notes, each once, with the topics' new names."""
    names = {(one.capture.manifest.capture_id, one.topic.name): one.name for found in named.values() for one in found}
    notes = {
        msgspec.structs.replace(note, topic=None if note.topic is None else names[parent.capture_id, note.topic])
        for parent in parents
        for note in parent.notes
        if note.topic is None or (parent.capture_id, note.topic) in names
    }
    return sorted(notes, key=lambda note: (note.topic or "", note.partition or 0, note.level, note.text))


def _new_notes(jobs: Sequence[Job], done: Sequence[Done]) -> Iterable[Note]:
    found: dict[str, int] = {}
    for job, result in zip(jobs, done, strict=True):
        if result.uncovered:
            found[job.name] = found.get(job.name, 0) + result.uncovered
    for name, count in found.items():
        yield Note(
            level="warning", text=f"{count:,} offsets lie between the merged captures, in none of them", topic=name
        )


def _state_note(parents: Sequence[Manifest]) -> Iterable[Note]:
    if any(parent.prologue_records for parent in parents):
        yield Note(level="info", text="the states before the captures' windows (their prologues) are not in the merge")


def _raw_note(parents: Sequence[Manifest], clean: bool) -> Iterable[Note]:
    scrubbed = sum(parent.clean is not None for parent in parents)
    if scrubbed and not clean:
        why = "others were raw" if scrubbed < len(parents) else "by different policies"
        yield Note(
            level="warning", text=f"{scrubbed} of the merged captures were clean, but {why}: together they are raw"
        )
