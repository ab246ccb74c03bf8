"""Is this capture whole and unaltered? A list of checks, each PASSED, FAILED, WARNING or SKIPPED, with where and what.

Segments are independent, so they are checked through a `concurrent.futures.Executor` when one is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder.capture.ledger import gaps_of
from recorder.capture.manifest import CHECKPOINT_NAME, LOSS_REASONS, MANIFEST_NAME, Partition, Segment
from recorder.capture.reader import Capture, open_capture
from recorder.capture.schema import RECORD_SCHEMA, TIMESTAMP_TYPES, payload_sizes
from recorder.errors import CaptureError

WORTH_PROCESSES_BYTES = 64 << 20
"""Below this, starting worker processes takes longer than checking."""

Status = Literal["PASSED", "FAILED", "WARNING", "SKIPPED"]


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
    offsets: bytes = b""  # int64, native order
    payload_bytes: int = 0


def verify(
    path: str | Path, *, executor: Executor | None = None, progress: Callable[[int], None] | None = None
) -> list[Check]:
    """Check a capture completely; `progress` is told bytes as they are checked.

    Never raises for what is wrong with the capture: a manifest that can't be read is a FAILED check. A path
    that holds no capture at all raises UsageError.
    """
    try:
        capture = open_capture(path)
    except CaptureError as error:
        return [Check("manifest", "FAILED", str(Path(path) / MANIFEST_NAME), str(error))]
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
    for topic, partition in capture.manifest.topic_partitions():
        where = f"{topic.name}/{partition.partition}"
        run = map if executor is None else executor.map
        work = [(capture.root, topic.name, partition.partition, segment) for segment in partition.segments]
        facts = []
        for (_, _, _, segment), fact in zip(work, run(check_segment, work), strict=True):
            facts.append(fact)
            checks += [Check("segment", "FAILED", segment.path, problem) for problem in fact.problems]
            if progress:
                progress(segment.bytes)
        if any(fact.problems for fact in facts):
            checks.append(Check("ledger", "SKIPPED", where, "a segment of this partition failed"))
        else:
            checks += _check_ledger(where, partition, facts)
    checks += _summarise(checks)
    return checks


def failed(checks: list[Check]) -> bool:
    return any(check.status == "FAILED" for check in checks)


def check_segment(work: tuple[Path, str, int, Segment]) -> SegmentFacts:
    """Read one segment whole: hash, page checksums, schema, and every promise that FORMAT.md makes of it."""
    root, topic, partition, segment = work
    path = root / segment.path
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size != segment.bytes:
                return SegmentFacts((f"is {size:,} bytes long, the manifest says {segment.bytes:,}",))
            if hashlib.file_digest(file, "sha256").hexdigest() != segment.sha256:
                return SegmentFacts(("its SHA-256 is not the manifest's: the file was altered",))
        return _read_segment(path, topic, partition, segment)
    except FileNotFoundError:
        return SegmentFacts(("is missing",))
    except (OSError, pa.ArrowException, KeyError) as error:
        return SegmentFacts((f"can't be read: {str(error).splitlines()[0]}",))


def _read_segment(path: Path, topic: str, partition: int, segment: Segment) -> SegmentFacts:
    problems: list[str] = []
    offsets: list[Any] = []
    payload_bytes = 0
    lowest, highest = 2**63 - 1, -(2**63)
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.schema_arrow.names != RECORD_SCHEMA.names:
            return SegmentFacts((f"has the columns {', '.join(file.schema_arrow.names)}",))
        for batch in file.iter_batches(batch_size=1024):
            batch = batch.cast(RECORD_SCHEMA)
            offsets.append(batch.column("offset").to_numpy())
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
    found = np.concatenate(offsets) if offsets else np.empty(0, np.int64)
    if len(found) != segment.records:
        problems.append(f"holds {len(found):,} records, the manifest says {segment.records:,}")
    elif len(found):
        if (np.diff(found) <= 0).any():
            problems.append("its offsets don't increase")
        if (int(found[0]), int(found[-1])) != (segment.first_offset, segment.last_offset):
            problems.append(f"covers the offsets {found[0]} to {found[-1]}, not what the manifest says")
        if (lowest, highest) != (segment.min_timestamp_ms, segment.max_timestamp_ms):
            problems.append("its smallest and largest timestamp are not the manifest's")
    return SegmentFacts(tuple(dict.fromkeys(problems)), found.tobytes(), payload_bytes)


def _check_files(capture: Capture) -> Iterator[Check]:
    """Files that nobody named are reported; missing ones show when their segment is read."""
    named = {segment.path for _, partition in capture.manifest.topic_partitions() for segment in partition.segments}
    named |= {MANIFEST_NAME}
    present = {path.relative_to(capture.root).as_posix() for path in capture.root.rglob("*") if not path.is_dir()}
    for extra in sorted(present - named):
        if extra == CHECKPOINT_NAME or extra.endswith(".tmp"):
            yield Check("files", "WARNING", extra, "left over from writing; it may be removed")
        else:
            yield Check("files", "FAILED", extra, "is not named in the manifest: it was added later")
    yield Check("files", "PASSED", str(capture.root), f"{len(named):,} files named in the manifest")


def _check_ledger(where: str, partition: Partition, facts: list[SegmentFacts]) -> Iterator[Check]:
    offsets = np.concatenate([np.frombuffer(fact.offsets, np.int64) for fact in facts] or [np.empty(0, np.int64)])
    span = partition.end_offset - partition.start_offset
    missing = sum(gap.missing for gap in partition.gaps)
    problem = None
    if (np.diff(offsets) <= 0).any():
        problem = "segments overlap or are out of order"
    elif len(offsets) and not (partition.start_offset <= offsets[0] and offsets[-1] < partition.end_offset):
        problem = f"records lie outside the offsets {partition.start_offset} to {partition.end_offset - 1}"
    elif len(offsets) != partition.records:
        problem = f"{len(offsets):,} records found, {partition.records:,} in the manifest"
    elif span != partition.records + missing:
        problem = f"{span:,} offsets, but {partition.records:,} records and {missing:,} explained gaps"
    elif sum(fact.payload_bytes for fact in facts) != partition.payload_bytes:
        problem = "the payload bytes are not the manifest's"
    elif not _gaps_fit(offsets, partition):
        problem = "a gap is named where records are, or a hole has no gap"
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


def _gaps_fit(offsets: Any, partition: Partition) -> bool:
    """Every hole between the records lies inside the gaps, and each gap misses exactly what it says."""
    before = partition.start_offset
    for gap in partition.gaps:
        if gap.first_offset < before or gap.last_offset < gap.first_offset or gap.last_offset >= partition.end_offset:
            return False
        low, high = np.searchsorted(offsets, (gap.first_offset, gap.last_offset + 1))
        if gap.last_offset - gap.first_offset + 1 - int(high - low) != gap.missing:
            return False
        before = gap.last_offset + 1
    holes = gaps_of(offsets, partition.start_offset, partition.end_offset, "unexplained")
    return sum(hole.missing for hole in holes) == sum(gap.missing for gap in partition.gaps)


def _summarise(checks: list[Check]) -> list[Check]:
    if any(check.name == "segment" for check in checks):
        return []
    return [Check("segments", "PASSED", "records/", "every page checksum, SHA-256 and promise of the format holds")]
