"""The work of a merge on one partition, as a function that any `concurrent.futures.Executor` can run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recorder.capture.known import Known
from recorder.capture.ledger import Ledger
from recorder.capture.manifest import Partition
from recorder.capture.writer import PartitionWriter
from recorder.editing.derive import check_file
from recorder.editing.splice import Strand, splice
from recorder.errors import UsageError


@dataclass(frozen=True, slots=True)
class Job:
    """One partition of the topic `name` to be merged below `out` from all captures that hold it."""

    strands: tuple[Strand, ...]
    name: str
    partition: int
    out: Path
    bloom: bool

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for strand in self.strands for segment in strand.ledger.segments)


@dataclass(frozen=True, slots=True)
class Done:
    """The partition as it was written, and how many of its offsets lie between what the captures answer for."""

    partition: Partition
    uncovered: int
    coarse: bool
    """See `Ledger.coarse`."""


def merge_partition(job: Job) -> Done:
    """Write each record of a partition once. Raises CaptureError."""
    for strand in job.strands:
        for segment in strand.ledger.segments:
            check_file(strand.capture.root, segment)
    ledgers = [strand.ledger for strand in job.strands]
    marked = _marked(job)
    # A capture that covers no offset says nothing of the range, only that it looked.
    telling = [one for one in ledgers if one.end_offset > one.start_offset] or [max(ledgers, key=_end)]
    ledger = Ledger(min(one.start_offset for one in telling), Known(telling).explain)
    writer = PartitionWriter(job.out, job.name, job.partition, key_bloom_filter=job.bloom)
    lost: list[int] = []
    try:
        for spliced in splice(job.strands, job.name):
            offsets = spliced.batch.column("offset").to_numpy()
            ledger.saw(offsets, np.ones(len(offsets), np.bool_))
            lost += offsets[spliced.lost].tolist()
            writer.append(spliced.batch)
        ledger.advance(max(map(_end, telling)))
        writer.seal()
    except BaseException:
        writer.abandon()
        raise
    made = writer.describe(
        ledger,
        late_records=max(one.late_records for one in ledgers),
        latest_ms=max(one.latest_ms for one in ledgers),
        headers_lost=tuple(lost),
        aborted=marked.aborted if marked else (),
        undecided=marked.undecided if marked else (),
    )
    return Done(made, _uncovered(telling), ledger.coarse)


def _marked(job: Job) -> Partition | None:
    """The one capture whose runs of aborted or undecided records are those of the merge.

    A run speaks of one capture's records: between them there may be others that only another capture holds.
    """
    held = [strand.ledger for strand in job.strands if strand.ledger.records]
    marked = [one for one in held if one.aborted or one.undecided]
    if marked and len(held) > 1:
        raise UsageError(
            f"{job.name}/{job.partition} holds records of aborted transactions (it was recorded read_uncommitted), and "
            "several captures have records of it: merge captures that were recorded read_committed."
        )
    return marked[0] if marked else None


def _end(ledger: Partition) -> int:
    return ledger.end_offset


def _uncovered(ledgers: list[Partition]) -> int:
    """Offsets that lie between the ranges of all ledgers."""
    ordered = sorted(ledgers, key=lambda one: one.start_offset)
    reached, found = ordered[0].start_offset, 0
    for ledger in ordered:
        found += max(0, ledger.start_offset - reached)
        reached = max(reached, ledger.end_offset)
    return found
