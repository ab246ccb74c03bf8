"""The work on one segment, as functions that any `concurrent.futures.Executor` can run: learn, rewrite, prove.

A job carries a `Run`, which a worker process turns into a compiled plan once and keeps for its next jobs.
"""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from desensitizers.plan import Plan, TopicPlan
from desensitizers.policy import Policy
from desensitizers.proof import originals, quoted, uniqueness
from desensitizers.proof.spill import Spill, SpillWriter
from desensitizers.sink import Problem
from recorder.capture.locations import Location, parquet_source
from recorder.capture.manifest import Folder, Segment
from recorder.capture.promises import check_rows
from recorder.capture.reader import reading
from recorder.capture.schema import RECORD_SCHEMA, TIMESTAMP_TYPES
from recorder.capture.writer import PartitionWriter
from recorder.errors import CaptureError
from recorder.payloads.schemas import Schema
from recorder.scrubbing.accounts import Account, Accounts, KeyOrder
from recorder.scrubbing.quarantine.setting_aside import Aside, refuse_unless
from recorder.scrubbing.schemas import CaptureSchemas

_MOST_ROWS = 8_192
COLUMN_BYTES = 1 << 21
"""For what works column by column: the more records, the more often a rule meets the same column's answers in a row."""
_READ_BYTES = 1 << 18
_UNTOUCHED = ("topic", "partition", "offset", "timestamp_ms", "timestamp_type", "leader_epoch")


@dataclass(frozen=True, slots=True)
class Run:
    """What all jobs of one scrub share. `learns`: originals are collected by a pass of their own."""

    name: str
    policy: Policy
    spill: Spill
    learns: bool
    schemas: tuple[Schema, ...] = ()
    quarantined: bool = True
    """Whether records may go to quarantine; else the first that has to ends the run."""


@dataclass(frozen=True, slots=True)
class Place:
    """A segment of a partition of a capture."""

    root: Location
    topic: str
    partition: int
    segment: Segment
    number: int

    @property
    def in_prologue(self) -> bool:
        return self.segment.path.startswith("prologue/")

    @property
    def texts(self) -> str:
        """The spill bag of texts in this segment that quote learned originals."""
        return f"texts-{self.number:06d}"

    @property
    def quoted(self) -> str:
        """The spill bag of learned originals that those texts quote."""
        return f"quoted-{self.number:06d}"

    @property
    def aside(self) -> str:
        """The spill bag of records of this segment that go to quarantine."""
        return f"aside-{self.number:06d}"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A clean segment or several, or the problems that forbid them."""

    problems: tuple[Problem, ...]
    segments: tuple[Segment, ...] = ()
    payload_bytes: int = 0
    counts: tuple[tuple[tuple[str, str, str], int], ...] = ()
    frame: str = ""
    """SHA-256 over the columns that a scrub must not touch."""
    accounts: tuple[Account, ...] = ()
    key_order: str = ""
    withheld: tuple[tuple[tuple[str, str, str], int], ...] = ()
    """(topic, kind of place, cause) and records that went to quarantine."""

    @property
    def records(self) -> int:
        return sum(segment.records for segment in self.segments)

    @property
    def withheld_records(self) -> int:
        return sum(number for _what, number in self.withheld)


def learn(run: Run, place: Place) -> tuple[Problem, ...]:
    """Spill every original of a segment, and the texts that may quote originals of any segment."""
    plan = _plan(run, learning=True)
    topic = plan.for_topic(place.topic)
    plan.findings.texts = []
    found = run.spill.writer(originals.ORIGINALS)
    texts = run.spill.writer(place.texts, buckets=1)
    problems: list[Problem] = []
    for batch in batches(place.root, place.segment, COLUMN_BYTES):
        looked = topic.apply(batch)
        problems += looked.problems
        if looked.withheld and not problems:
            first = looked.withheld[:1]
            refuse_unless(run.quarantined, batch.slice(first[0].row, 1), first)
        originals.note(found, plan.findings.originals)
        plan.findings.originals.clear()
        plan.findings.pairs.clear()
        texts.extend(text.encode("utf-8", "surrogatepass") for text in plan.findings.texts)
        plan.findings.texts.clear()
    _close(found, texts)
    pa.default_memory_pool().release_unused()
    plan.findings.texts = None
    return tuple(problems)


def seek_quotes(spill: Spill, buckets: range, bags: Sequence[quoted.Bags]) -> None:
    """`quoted.find`, which takes the room of what was remembered while learning."""
    forget_plans()
    quoted.find(spill, buckets, bags)


def rewrite(run: Run, place: Place, target: Path) -> Rewritten:
    """Write the clean counterpart of a segment below `target`."""
    plan = _plan(run)
    if run.learns and (plan.learned is None or not quoted.together(run.spill)):
        plan.learned = quoted.learned(run.spill, place.quoted)
    topic = plan.for_topic(place.topic)
    found = run.spill.writer(originals.ORIGINALS)
    pairs = run.spill.writer(uniqueness.PAIRS, buckets=1)
    folder: Folder = "prologue" if place.in_prologue else "records"
    writer = PartitionWriter(target, place.topic, place.partition, key_bloom_filter=False, folder=folder)
    frame, accounts, order = Frame(), Accounts(), KeyOrder()
    aside = Aside(run.spill, place.aside, allowed=run.quarantined, in_prologue=place.in_prologue)
    problems: list[Problem] = []
    try:
        for batch in batches(place.root, place.segment, COLUMN_BYTES):
            if batch.num_rows:
                check_place(batch, place)
            clean = topic.apply(batch)
            problems += clean.problems
            _drain(plan, None if run.learns else found, pairs)
            if clean.batch is not None and not problems:
                if clean.withheld:
                    batch, gone = aside.take(batch, clean.withheld)
                    accounts.withhold(gone)
                if not batch.num_rows:
                    continue
                frame.add(batch)
                accounts.add(batch, clean.batch)
                order.add(batch.column("key"))
                writer.append(clean.batch)
        if problems:
            writer.abandon()
            return Rewritten(tuple(problems))
        writer.seal()
    except BaseException:
        writer.abandon()
        raise
    finally:
        _close(found, pairs, aside)
        pa.default_memory_pool().release_unused()
    return Rewritten(
        (),
        tuple(writer.segments),
        sum(writer.payloads),
        _counts(topic),
        frame.digest(),
        accounts.closed(),
        order.digest(),
        tuple(aside.tally.items()),
    )


def batches(root: Location, segment: Segment, at_once: int = 1 << 19) -> Iterator[pa.RecordBatch]:
    """A segment's records as batches (RECORD_SCHEMA), checksums verified. Raises CaptureError.

    A batch is of about a megabyte, or of twice `at_once` bytes.
    """
    path = root / segment.path
    rows = max(16, min(_MOST_ROWS, segment.records * at_once // max(4 * segment.bytes, 1)))
    options = parquet_source(path) | {"page_checksum_verification": True, "buffer_size": _READ_BYTES}
    if isinstance(path, Path) and path.exists() and not path.is_file():
        raise CaptureError(f"{path} is no file: it can't be a segment. Run 'blackbox verify' to see what else is.")
    with reading(path), pq.ParquetFile(**options) as file:
        check_rows(file.metadata.num_rows, path, segment)
        for batch in file.iter_batches(batch_size=rows, use_threads=False):
            yield batch.cast(RECORD_SCHEMA)


def check_place(batch: pa.RecordBatch, place: Place) -> None:
    """CaptureError when records say that they are from elsewhere: what stands there would pass unseen."""
    for name, expected in (("topic", [place.topic]), ("partition", [place.partition])):
        if pc.unique(batch.column(name)).to_pylist() != expected:
            raise CaptureError(f"Segment {place.segment.path} holds records of another {name}. No copy was made.")
    if not set(pc.unique(batch.column("timestamp_type")).to_pylist()) <= set(TIMESTAMP_TYPES):
        raise CaptureError(f"Segment {place.segment.path} holds unknown types of timestamps. No copy was made.")


class Frame:
    """A digest of the columns that a scrub must not touch, however the rows are cut into batches."""

    def __init__(self) -> None:
        self._columns = {name: hashlib.sha256() for name in _UNTOUCHED}

    def add(self, batch: pa.RecordBatch) -> None:
        for name, digest in self._columns.items():
            column = batch.column(name)
            if pa.types.is_string(column.type):
                whole = pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)
                digest.update(pc.binary_join(whole, "\n")[0].as_buffer())
                digest.update(b"\n")
            else:
                digest.update(pc.fill_null(column, -(2**31)).to_numpy(zero_copy_only=False).tobytes())

    def digest(self) -> str:
        return hashlib.sha256(b"".join(one.digest() for one in self._columns.values())).hexdigest()


_plans: dict[tuple[str, bool], Plan] = {}


def _plan(run: Run, *, learning: bool = False) -> Plan:
    """This process's plan of the run; a process works for one pass of one run at a time."""
    if (run.name, learning) not in _plans:
        forget_plans()
        _plans[run.name, learning] = run.policy.plan(learning=learning, schemas=CaptureSchemas(run.schemas))
    return _plans[run.name, learning]


def forget_plans() -> None:
    """Frees what this process remembers of originals and their surrogates (in cycles, so somebody must look)."""
    if _plans:
        _plans.clear()
        gc.collect()


def forget() -> None:
    """Frees everything that this process remembers of its last run."""
    forget_plans()
    originals.forget()


def _drain(plan: Plan, found: SpillWriter | None, pairs: SpillWriter) -> None:
    if found is not None:
        originals.note(found, plan.findings.originals)
    plan.findings.originals.clear()
    uniqueness.write(pairs, plan.findings.pairs)
    plan.findings.pairs.clear()


def _close(*writers: SpillWriter | Aside) -> None:
    for writer in writers:
        writer.close()


def _counts(topic: TopicPlan) -> tuple[tuple[tuple[str, str, str], int], ...]:
    topic.flush_counts()
    return tuple(Counter(topic.sink.counts).items())
