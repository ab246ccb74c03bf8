"""Cut a capture: the records that a person needs, with every offset of the parent's ranges still accounted for.

A partition keeps the range that its parent answers for. What is left out is `filtered`; what was missing before stays
missing for its reason, because nobody knows which side of the cut a lost record would have lain on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from recorder.capture.manifest import Asked, Manifest, Note, Partition, Topic
from recorder.capture.reader import Capture
from recorder.capture.selection import Selection
from recorder.editing.cut_partition import Done, Job, Wanted, cut_partition, survey
from recorder.editing.derive import coarse_notes, finished, new_directory, remains_clean
from recorder.editing.each import Progress, each
from recorder.editing.sample import Types, needed_hashes
from recorder.editing.vouching import check_parents
from recorder.errors import UsageError
from recorder.query.condition import Condition
from recorder.query.decoding import decoder_of
from recorder.query.looking import TopicPlans, unplanned
from recorder.scrubbing.signing import Signer
from recorder.window import format_time


@dataclass(frozen=True, slots=True)
class TypeCount:
    """Records of one event type ('' is none) in a topic: how many there were to sample from, and how many were kept."""

    topic: str
    type: str
    records: int
    kept: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A finished cut; `types` is empty unless it is a sample that keeps rare types."""

    path: Path
    manifest: Manifest
    types: tuple[TypeCount, ...] = ()


def cut(
    capture: Capture,
    out: Path,
    wanted: Wanted,
    *,
    from_text: str | None = None,
    to_text: str | None = None,
    command: Sequence[str] = (),
    executor: Executor | None = None,
    progress: Progress | None = None,
    signer: Signer | None = None,
) -> Cut:
    """Write the `wanted` records of `capture` to `out` (which must not exist); `from_text` and `to_text` as typed.

    A part of a clean capture is signed by `signer`, when it signed the whole.

    Raises UsageError for what can't be wanted, CaptureError when the capture is torn, altered or the disk is full;
    then nothing is left at `out`.
    """
    parent = capture.manifest
    clean = remains_clean([parent])
    if signer is not None and clean:
        check_parents([capture], signer)
    window = _window(parent.window, wanted.selection, from_text, to_text)
    if wanted.where is not None:
        # What is wrong with it is said before anything is written.
        Condition(wanted.where, decoder_of(unplanned(""), ())).close()
    with new_directory(out, [capture]) as root:
        jobs = _jobs(capture, root, wanted, bloom=not clean)
        found = _survey(jobs, executor, progress) if wanted.finds_types else {}
        if wanted.sample is not None:
            needed = needed_hashes(found, wanted.sample.limit)
            jobs = [replace(job, needed=needed) for job in jobs]
        done = each(cut_partition, jobs, executor, progress)
        coarse = (job.topic for job, result in zip(jobs, done, strict=True) if result.coarse)
        manifest = msgspec.structs.replace(
            parent,
            window=window,
            topics=tuple(_topics(parent, jobs, done)),
            notes=(*_kept_notes(parent, jobs), *_own_notes(parent, wanted, clean), *coarse_notes(coarse)),
        )
        made = finished(root, manifest, "cut", [capture], command, clean=clean, signer=signer)
    return Cut(out, made, tuple(_types(found, jobs, done)))


def passes(wanted: Wanted) -> int:
    """How often a cut reads the capture: what `progress` adds up to."""
    return 2 if wanted.finds_types else 1


def _jobs(capture: Capture, root: Path, wanted: Wanted, *, bloom: bool) -> list[Job]:
    jobs = []
    chosen = wanted.selection.topics
    looks = wanted.where is not None or wanted.finds_types  # else nobody needs to know what is in the payloads
    plans = TopicPlans(capture, wanted.choices) if looks else None
    schemas = () if plans is None else plans.schemas
    for topic, partition in capture.manifest.topic_partitions():
        if not chosen or topic.name in chosen:
            # A worker gets the manifest of its partition alone: that of all may be large.
            alone = msgspec.structs.replace(topic, partitions=(partition,))
            small = msgspec.structs.replace(capture.manifest, topics=(alone,), lineage=(), notes=())
            part = replace(capture, manifest=small)
            none = np.empty(0, np.uint64)
            plan = unplanned(topic.name) if plans is None else plans.plan(topic.name)
            jobs.append(Job(part, topic.name, partition.partition, wanted, root, bloom, none, plan, schemas))
    return jobs


def _survey(jobs: Sequence[Job], executor: Executor | None, progress: Progress | None) -> dict[str, Types]:
    found: dict[str, Types] = {}
    for job, types in zip(jobs, each(survey, jobs, executor, progress), strict=True):
        if job.topic in found:
            found[job.topic].join(types)
        else:
            found[job.topic] = types
    return found


def _topics(parent: Manifest, jobs: Sequence[Job], done: Sequence[Done]) -> Iterable[Topic]:
    made: dict[str, list[Partition]] = {}
    for job, result in zip(jobs, done, strict=True):
        made.setdefault(job.topic, []).append(result.partition)
    for topic in parent.topics:
        if topic.name in made:
            yield msgspec.structs.replace(topic, partitions=tuple(made[topic.name]))


def _window(asked: Asked, selection: Selection, from_text: str | None, to_text: str | None) -> Asked:
    """The parent's window narrowed to the selection's. UsageError when they don't meet."""
    low, high = selection.window.from_ms, selection.window.to_ms
    narrower_from = low is not None and (asked.from_ms is None or low > asked.from_ms)
    narrower_to = high is not None and (asked.to_ms is None or high < asked.to_ms)
    from_ms, to_ms = low if narrower_from else asked.from_ms, high if narrower_to else asked.to_ms
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise UsageError(
            f"The capture's window, {_shown(asked.from_ms, 'the beginning')} to {_shown(asked.to_ms, 'the end')}, "
            f"has nothing of {_shown(low, 'the beginning')} to {_shown(high, 'the end')}."
        )
    return msgspec.structs.replace(
        asked,
        from_ms=from_ms,
        to_ms=to_ms,
        from_text=(from_text or _shown(low, "")) if narrower_from else asked.from_text,
        to_text=(to_text or _shown(high, "")) if narrower_to else asked.to_text,
        covered_from_ms=max(_known(asked.covered_from_ms, from_ms), default=None),
        covered_to_ms=min(_known(asked.covered_to_ms, to_ms), default=None),
    )


def _shown(time_ms: int | None, otherwise: str) -> str:
    return otherwise if time_ms is None else format_time(time_ms)


def _known(*times: int | None) -> list[int]:
    return [time for time in times if time is not None]


def _kept_notes(parent: Manifest, jobs: Sequence[Job]) -> Iterable[Note]:
    kept = {job.topic for job in jobs}
    return (note for note in parent.notes if note.topic is None or note.topic in kept)


def _own_notes(parent: Manifest, wanted: Wanted, clean: bool) -> Iterable[Note]:
    """How it was cut, without any word that somebody typed or a record holds."""
    if parent.prologue_records:
        yield Note(level="info", text="the state before the window (the prologue) is not in this cut")
    if wanted.sample is not None:
        share = f"{wanted.sample.fraction:.4%}".rstrip("%").rstrip("0").rstrip(".")
        seed = "" if clean else f" with seed {wanted.sample.seed}"
        rare = f", and at least {wanted.sample.rare} records of every event type" if wanted.sample.rare else ""
        yield Note(level="info", text=f"a sample: {share} % of all keys by hash{seed}{rare}")


def _types(found: dict[str, Types], jobs: Sequence[Job], done: Sequence[Done]) -> Iterable[TypeCount]:
    kept: Counter[tuple[str, str]] = Counter()
    for job, result in zip(jobs, done, strict=True):
        kept.update({(job.topic, name): count for name, count in result.types.items()})
    for topic, types in found.items():
        for name, count in sorted(types.counts.items(), key=lambda one: (-one[1], one[0])):
            yield TypeCount(topic, name, count, kept[topic, name])
