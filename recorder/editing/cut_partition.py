"""The work of a cut on one partition, as functions that any `concurrent.futures.Executor` can run."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recorder.capture.known import Known
from recorder.capture.ledger import Flags, Ledger, Offsets
from recorder.capture.manifest import Partition
from recorder.capture.reader import Capture
from recorder.capture.selection import Selection
from recorder.capture.writer import PartitionWriter
from recorder.editing.derive import check_file
from recorder.editing.sample import Hashes, Sample, Types, record_hashes, sampled
from recorder.payloads.choices import Choices
from recorder.payloads.schemas import Schema
from recorder.query.condition import Condition, Expression
from recorder.query.decoding import TopicPlan, decoder_of

_NOTHING_SAID = Choices()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records a cut keeps: those of the selection for which `where` (SQL) holds, or a sample of these.

    `choices` say how payloads are to be read, where that does not show.
    """

    selection: Selection
    where: str | None = None
    sample: Sample | None = None
    choices: Choices = _NOTHING_SAID

    @property
    def finds_types(self) -> bool:
        """Whether a first pass must find the event types and how rare they are."""
        return self.sample is not None and self.sample.rare > 0


@dataclass(frozen=True, slots=True)
class Job:
    """One partition of `capture` (whose manifest names no others) to be cut into `out`."""

    capture: Capture
    topic: str
    partition: int
    wanted: Wanted
    out: Path
    bloom: bool
    needed: Hashes
    """What a sample keeps beyond its limit, sorted."""
    plan: TopicPlan
    """How the topic's records are decoded, for the condition and for the types of events."""
    schemas: tuple[Schema, ...]

    @property
    def ledger(self) -> Partition:
        return self.capture.manifest.topics[0].partitions[0]

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for segment in self.ledger.segments)


@dataclass(frozen=True, slots=True)
class Done:
    """The partition as it was written, and its records by event type where these are counted."""

    partition: Partition
    types: Counter[str]
    coarse: bool
    """See `Ledger.coarse`."""


def survey(job: Job) -> Types:
    """The event types of a partition's records, before a sample is taken of them."""
    sample = job.wanted.sample
    assert sample is not None
    found = Types(sample.rare)
    for batch in _selected(job):
        hashes = record_hashes(batch, job.topic, job.partition, sample.seed)
        found.add(_type_of(job, sample).values(batch), hashes)
    return found


def cut_partition(job: Job) -> Done:
    """Write the wanted records of a partition below `job.out`. Raises CaptureError."""
    before = job.ledger
    for segment in before.segments:
        check_file(job.capture.root, segment)
    writer = PartitionWriter(job.out, job.topic, job.partition, key_bloom_filter=job.bloom)
    ledger = Ledger(before.start_offset, Known([before]).explain)
    types: Counter[str] = Counter()
    lost = np.array(before.headers_lost, np.int64)
    lost_kept: list[int] = []
    try:
        for offsets, kept in _flagged(_all_offsets(job), _written(job, writer, types)):
            ledger.saw(offsets, kept)
            if len(lost):
                lost_kept += np.intersect1d(offsets[kept], lost).tolist()
        ledger.advance(before.end_offset)
        writer.seal()
    except BaseException:
        writer.abandon()
        raise
    facts: dict[str, Any] = {"aborted": before.aborted, "undecided": before.undecided}
    if sum(segment.records for segment in writer.segments) == before.records:
        # How late records were can't be told again from some of them.
        facts |= {"late_records": before.late_records, "latest_ms": before.latest_ms}
    made = writer.describe(ledger, headers_lost=tuple(lost_kept), **facts)
    return Done(made, types, ledger.coarse)


def _written(job: Job, writer: PartitionWriter, types: Counter[str]) -> Iterator[Offsets]:
    """Writes what is wanted and gives its offsets, batch by batch."""
    sample = job.wanted.sample
    for batch in _selected(job):
        if sample is not None:
            hashes = record_hashes(batch, job.topic, job.partition, sample.seed)
            batch = batch.filter(pa.array(sampled(hashes, sample.limit, job.needed)))
            if job.wanted.finds_types and batch.num_rows:
                found = _type_of(job, sample).values(batch).value_counts()
                types.update({one["values"].as_py(): one["counts"].as_py() for one in found})
        if batch.num_rows:
            writer.append(batch)
            yield batch.column("offset").to_numpy()


def _selected(job: Job) -> Iterator[pa.RecordBatch]:
    """The records of the partition that the selection and the condition want."""
    selection = job.wanted.selection
    if not selection.wants(job.topic, job.partition):
        return
    condition = None if job.wanted.where is None else _condition(job.wanted.where, job.plan, job.schemas)
    for batch in job.capture.batches(job.topic, job.partition, selection):
        wanted = batch if condition is None else batch.filter(pa.array(condition.holds(batch)))
        if wanted.num_rows:
            yield wanted


def _all_offsets(job: Job) -> Iterator[Offsets]:
    for batch in job.capture.batches(job.topic, job.partition, columns=["offset"]):
        yield batch.column("offset").to_numpy()


def _flagged(every: Iterator[Offsets], kept: Iterator[Offsets]) -> Iterator[tuple[Offsets, Flags]]:
    """All offsets, and which of them are among the `kept`; both come in order, in batches of their own."""
    waiting = np.empty(0, np.int64)
    for offsets in every:
        while not len(waiting) or waiting[-1] < offsets[-1]:
            following = next(kept, None)
            if following is None:
                break
            waiting = np.concatenate((waiting, following))
        here = int(np.searchsorted(waiting, offsets[-1], side="right"))
        flags = np.zeros(len(offsets), np.bool_)
        flags[np.searchsorted(offsets, waiting[:here])] = True
        waiting = waiting[here:]
        yield offsets, flags


@functools.lru_cache(maxsize=1)
def _condition(expression: str, plan: TopicPlan, schemas: tuple[Schema, ...]) -> Condition:
    """This process's condition; a process works for one topic at a time."""
    return Condition(expression, decoder_of(plan, schemas))


@functools.lru_cache(maxsize=1)
def _expression(expression: str, plan: TopicPlan, schemas: tuple[Schema, ...]) -> Expression:
    return Expression(expression, kind="VARCHAR", otherwise="''", decoder=decoder_of(plan, schemas))


def _type_of(job: Job, sample: Sample) -> Expression:
    return _expression(sample.type_expression(), job.plan, job.schemas)
