"""Is this capture whole and unaltered? A list of checks, each PASSED, FAILED, WARNING or SKIPPED, with where and what.

Segments are independent, so they are checked through a `concurrent.futures.Executor` when one is given.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder.capture.locations import Location, locate, names_below, whole
from recorder.capture.manifest import (
    CHECKPOINT_NAME,
    JOURNAL_NAME,
    LOSS_REASONS,
    MANIFEST_NAME,
    REPORT_NAME,
    REPORT_PAGE_NAME,
    Partition,
    Run,
    SchemaFile,
    Segment,
)
from recorder.capture.reader import Capture, open_capture
from recorder.capture.schema import RECORD_SCHEMA, TIMESTAMP_TYPES, payload_sizes
from recorder.errors import CaptureError

Status = Literal["PASSED", "FAILED", "WARNING", "SKIPPED"]

Runs = npt.NDArray[np.int64]
"""Offsets without a hole between them, (n, 2): first and last, inclusive. Few where all offsets would be many."""

_NO_RUNS: Runs = np.empty((0, 2), np.int64)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `where` is a file or a topic-partition, `detail` a sentence."""

    name: str
    status: Status
    where: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """What reading one segment told: problems as sentences, and the facts that the ledger must agree with."""

    problems: tuple[str, ...]
    runs: Runs
    payload_bytes: int = 0


def verify(
    path: str | Location, *, executor: Executor | None = None, progress: Callable[[int], None] | None = None
) -> list[Check]:
    """Check a capture completely; `progress` is told bytes as they are checked.

    Never raises for what is wrong with the capture: a manifest that can't be read is a FAILED check. A path
    that holds no capture at all raises UsageError, a store that does not answer StoreUnavailableError.
    """
    try:
        capture = open_capture(path)
    except CaptureError as error:
        return [Check("manifest", "FAILED", str(locate(path) / MANIFEST_NAME), str(error))]
    version = capture.manifest.format_version
    checks = [
        Check(
            "manifest",
            "PASSED",
            MANIFEST_NAME,
            f"format version {version}, {capture.manifest.records:,} records",
        )
    ]
    checks += _check_files(capture)
    places = list(capture.manifest.topic_partitions())
    work = [
        (capture.root, topic.name, partition.partition, segment)
        for topic, partition in places
        for segment in partition.files
    ]
    found = (map if executor is None else executor.map)(check_segment, work)
    for topic, partition in places:
        where = f"{topic.name}/{partition.partition}"
        facts = []
        for segment, fact in zip(partition.files, found, strict=False):
            facts.append(fact)
            checks += [Check("segment", "FAILED", segment.path, problem) for problem in fact.problems]
            if progress:
                progress(segment.bytes)
        if any(fact.problems for fact in facts):
            checks.append(Check("ledger", "SKIPPED", where, "a segment of this partition failed"))
        else:
            before = len(partition.files) - len(partition.segments)
            checks += _check_prologue(where, partition, facts[:before])
            checks += _check_ledger(where, partition, facts[before:])
    checks += _summarise(checks)
    return checks


def failed(checks: list[Check]) -> bool:
    return any(check.status == "FAILED" for check in checks)


def check_segment(work: tuple[Location, str, int, Segment]) -> SegmentFacts:
    """Read one segment whole: hash, page checksums, schema, and every promise that FORMAT.md makes of it."""
    root, topic, partition, segment = work
    path = root / segment.path
    try:
        with whole(path) as file:
            size = file.seek(0, os.SEEK_END)
            if size != segment.bytes:
                return _broken(f"is {size:,} bytes long, the manifest says {segment.bytes:,}")
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() != segment.sha256:
                return _broken("its SHA-256 is not the manifest's: the file was altered")
            return _read_segment(path if isinstance(path, Path) else file, topic, partition, segment)
    except FileNotFoundError:
        return _broken("is missing")
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        return _broken(f"can't be read: {detail}")


def _broken(problem: str) -> SegmentFacts:
    return SegmentFacts((problem,), _NO_RUNS)


def _read_segment(source: Any, topic: str, partition: int, segment: Segment) -> SegmentFacts:
    problems: list[str] = []
    runs: list[Runs] = []
    records = payload_bytes = 0
    lowest, highest = 2**63 - 1, -(2**63)
    with pq.ParquetFile(source, page_checksum_verification=True) as file:
        if file.schema_arrow.names != RECORD_SCHEMA.names:
            return _broken(f"has the columns {', '.join(file.schema_arrow.names)}")
        for batch in file.iter_batches(batch_size=1024):
            batch = batch.cast(RECORD_SCHEMA)
            batch.validate(full=True)
            records += batch.num_rows
            runs.append(_runs(batch.column("offset").to_numpy()))
            payload_bytes += pc.sum(payload_sizes(batch)).as_py() or 0
            times = batch.column("timestamp_ms").to_numpy()
            lowest, highest = min(lowest, int(times.min())), max(highest, int(times.max()))
            for column, allowed in (
                ("topic", [topic]),
                ("partition", [partition]),
                ("timestamp_type", list(TIMESTAMP_TYPES)),
            ):
                odd = set(batch.column(column).unique().to_pylist()).difference(allowed)
                problems += [f"holds {column} {value!r}" for value in odd]
            if segment.path.startswith("prologue/") and any(batch.column(name).null_count for name in ("key", "value")):
                problems.append("holds a record without a key, or a tombstone: neither is state")
    found = _joined(runs)
    if records != segment.records:
        problems.append(f"holds {records:,} records, the manifest says {segment.records:,}")
    elif records:
        if not _increasing(found):
            problems.append("its offsets don't increase")
        if (int(found[0, 0]), int(found[-1, 1])) != (segment.first_offset, segment.last_offset):
            problems.append(f"covers the offsets {found[0, 0]} to {found[-1, 1]}, not what the manifest says")
        if (lowest, highest) != (segment.min_timestamp_ms, segment.max_timestamp_ms):
            problems.append("its smallest and largest timestamp are not the manifest's")
    return SegmentFacts(tuple(dict.fromkeys(problems)), found, payload_bytes)


def _runs(offsets: npt.NDArray[np.int64]) -> Runs:
    starts = np.flatnonzero(np.concatenate(([True], np.diff(offsets) != 1)))
    return np.stack((offsets[starts], offsets[np.concatenate((starts[1:], [len(offsets)])) - 1]), axis=1)


def _joined(pieces: list[Runs]) -> Runs:
    """Runs one after the other, those that touch joined."""
    runs = np.concatenate([_NO_RUNS, *pieces])
    if len(runs) < 2:
        return runs
    starts = np.flatnonzero(np.concatenate(([True], runs[1:, 0] != runs[:-1, 1] + 1)))
    return np.stack((runs[starts, 0], runs[np.concatenate((starts[1:], [len(runs)])) - 1, 1]), axis=1)


def _increasing(runs: Runs) -> bool:
    return bool((runs[1:, 0] > runs[:-1, 1]).all())


def _check_files(capture: Capture) -> Iterator[Check]:
    """Files that nobody named are reported; missing ones show when their segment is read."""
    named = {segment.path for _, partition in capture.manifest.topic_partitions() for segment in partition.files}
    named |= {MANIFEST_NAME}
    if capture.manifest.clean is not None:
        named |= {REPORT_NAME, REPORT_PAGE_NAME}  # whose hashes the signed report holds, for verify-clean
    schemas = capture.manifest.schemas
    if isinstance(schemas, SchemaFile):
        named.add(schemas.path)
        yield _check_schemas(capture.root, schemas)
    ignored = {CHECKPOINT_NAME, JOURNAL_NAME} if capture.manifest.resumable else set()
    going_on = bool(ignored) and any(name == CHECKPOINT_NAME for name, _ in names_below(capture.root))
    whole = True
    for name, is_link in names_below(capture.root):
        if is_link:
            yield Check("files", "FAILED", name, "is a link: a capture holds only files of its own")
        elif name in named | ignored:
            continue
        elif name in {CHECKPOINT_NAME, JOURNAL_NAME} or name.endswith(".tmp"):
            yield Check("files", "WARNING", name, "left over from writing; it may be removed")
            continue
        elif going_on and name.startswith("records/"):
            yield Check("files", "WARNING", name, "is not named in the manifest yet: the recording is being resumed")
            continue
        else:
            yield Check("files", "FAILED", name, "is not named in the manifest: it was added later")
        whole = False
    if whole:
        yield Check("files", "PASSED", str(capture.root), "no others than those of the manifest")


def _check_schemas(root: Location, schemas: SchemaFile) -> Check:
    problem = None
    try:
        if hashlib.sha256((root / schemas.path).read_bytes()).hexdigest() != schemas.sha256:
            problem = "its SHA-256 is not the manifest's: the file was altered"
    except FileNotFoundError:
        problem = "is missing"
    except OSError as error:
        problem = f"can't be read: {error.strerror or error}"
    if problem:
        return Check("schemas", "FAILED", schemas.path, problem)
    return Check("schemas", "PASSED", schemas.path, f"{schemas.schemas:,} schemas")


def _check_ledger(where: str, partition: Partition, facts: list[SegmentFacts]) -> Iterator[Check]:
    runs = _joined([fact.runs for fact in facts])
    records = int((runs[:, 1] - runs[:, 0] + 1).sum())
    span = partition.end_offset - partition.start_offset
    missing = sum(gap.missing for gap in partition.gaps)
    problem = None
    if not _increasing(runs):
        problem = "segments overlap or are out of order"
    elif len(runs) and not (partition.start_offset <= runs[0, 0] and runs[-1, 1] < partition.end_offset):
        problem = f"records lie outside the offsets {partition.start_offset} to {partition.end_offset - 1}"
    elif records != partition.records:
        problem = f"{records:,} records found, {partition.records:,} in the manifest"
    elif span != partition.records + missing:
        problem = f"{span:,} offsets, but {partition.records:,} records and {missing:,} explained gaps"
    elif sum(fact.payload_bytes for fact in facts) != partition.payload_bytes:
        problem = "the payload bytes are not the manifest's"
    elif not _marks_fit(partition.aborted, partition) or not _marks_fit(partition.undecided, partition):
        problem = "the runs of aborted or undecided records overlap or lie outside its offsets"
    elif not _gaps_fit(runs, partition):
        problem = "a gap is named where records are, or a hole has no gap"
    elif _times_of(partition.segments) != (partition.min_timestamp_ms, partition.max_timestamp_ms):
        problem = "the smallest and largest timestamp are not those of its segments"
    if problem:
        yield Check("ledger", "FAILED", where, problem)
        return
    lost = {reason: count for reason in LOSS_REASONS if (count := partition.missing(reason))}
    for reason, count in lost.items():
        yield Check("ledger", "WARNING", where, f"{count:,} offsets {reason}")
    if partition.headers_lost:
        yield Check(
            "headers",
            "WARNING",
            where,
            f"headers of {len(partition.headers_lost):,} records were not readable",
        )
    if not lost:
        yield Check("ledger", "PASSED", where, f"{partition.records:,} records, {missing:,} gaps, {span:,} offsets")


def _check_prologue(where: str, partition: Partition, facts: list[SegmentFacts]) -> Iterator[Check]:
    """The state before the window: of offsets before its start, in order, and as many as the manifest says."""
    if partition.prologue is None:
        return
    runs = _joined([fact.runs for fact in facts])
    records = int((runs[:, 1] - runs[:, 0] + 1).sum())
    problem = None
    if not _increasing(runs):
        problem = "its segments overlap or are out of order"
    elif len(runs) and runs[-1, 1] >= partition.start_offset:
        problem = f"it holds records from the window, which begins at offset {partition.start_offset}"
    elif records != partition.prologue.records:
        problem = f"{records:,} records found, {partition.prologue.records:,} in the manifest"
    elif sum(fact.payload_bytes for fact in facts) != partition.prologue.payload_bytes:
        problem = "the payload bytes are not the manifest's"
    status: Status = "FAILED" if problem else "PASSED"
    yield Check("prologue", status, where, problem or f"{records:,} records before offset {partition.start_offset}")


def _marks_fit(marks: Sequence[Run], partition: Partition) -> bool:
    before = partition.start_offset
    for run in marks:
        if run.first_offset < before or not run.first_offset <= run.last_offset < partition.end_offset:
            return False
        before = run.last_offset + 1
    return True


def _gaps_fit(runs: Runs, partition: Partition) -> bool:
    """Each gap misses exactly what it says, and none overlaps another: with equal sums, every hole is in one."""
    counts = np.concatenate(([0], np.cumsum(runs[:, 1] - runs[:, 0] + 1)))

    def records_before(offset: int) -> int:
        run = int(np.searchsorted(runs[:, 1], offset))
        inside = max(0, offset - int(runs[run, 0])) if run < len(runs) else 0
        return int(counts[run]) + inside

    before = partition.start_offset
    for gap in partition.gaps:
        if gap.first_offset < before or gap.last_offset < gap.first_offset or gap.last_offset >= partition.end_offset:
            return False
        present = records_before(gap.last_offset + 1) - records_before(gap.first_offset)
        if gap.last_offset - gap.first_offset + 1 - present != gap.missing:
            return False
        before = gap.last_offset + 1
    return True


def _times_of(segments: Sequence[Segment]) -> tuple[int | None, int | None]:
    return (
        min((segment.min_timestamp_ms for segment in segments), default=None),
        max((segment.max_timestamp_ms for segment in segments), default=None),
    )


def _summarise(checks: list[Check]) -> list[Check]:
    if any(check.name == "segment" for check in checks):
        return []
    return [Check("segments", "PASSED", "records/", "every page checksum, SHA-256 and promise of the format holds")]
