"""Reading a capture: one partition in offset order, or all partitions merged by time, in bounded memory.

Everything read is checked (page checksums); what a selection can't match is skipped by segment and by row group.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder.capture.limits import allow_open_files
from recorder.capture.locations import Location, ObjectPath, locate, parquet_source
from recorder.capture.manifest import (
    CHECKPOINT_NAME,
    MANIFEST_NAME,
    Manifest,
    Partition,
    Run,
    Segment,
    decode,
)
from recorder.capture.merge import EFFECTIVE, merge_by_time
from recorder.capture.promises import check_rows
from recorder.capture.runs import inside
from recorder.capture.schema import RECORD_SCHEMA, ROW_GROUP_RECORDS, Record
from recorder.capture.selection import Selection, require_known
from recorder.errors import BlackboxError, CaptureError, UsageError
from recorder.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH_BYTES = 1 << 20
_MERGE_BYTES = 128 << 20  # over all partitions that are merged
_SMALLEST_BATCH_BYTES = 64 << 10
_FUTURE_TOLERANCE_MS = 3_600_000  # what Kafka 4 accepts by default (message.timestamp.after.max.ms)


@dataclass(frozen=True, slots=True)
class Capture:
    """A finished capture. Open one with `open_capture`."""

    root: Location
    manifest: Manifest

    def batches(
        self,
        topic: str,
        partition: int,
        selection: Selection | None = None,
        *,
        columns: Sequence[str] | None = None,
        batch_bytes: int = BATCH_BYTES,
        from_offset: int = 0,
    ) -> Iterator[pa.RecordBatch]:
        """One partition's records in offset order, as batches of about `batch_bytes`; CaptureError on torn data."""
        selection = selection or Selection()
        entry = self._partition(topic, partition)
        unwanted = () if selection.aborted else entry.aborted
        for segment in entry.segments:
            if segment.last_offset >= from_offset and _may_match(segment, selection.window):
                yield from self._segment_batches(segment, selection, columns, batch_bytes, unwanted, from_offset)

    def prologue_batches(self, selection: Selection | None = None) -> Iterator[pa.RecordBatch]:
        """The state before the window of compacted topics, partition by partition in offset order (FORMAT.md 23)."""
        selection = selection or Selection()
        for topic, partition in self.manifest.topic_partitions():
            if partition.prologue and selection.wants(topic.name, partition.partition):
                for segment in partition.prologue.segments:
                    if _may_match(segment, selection.window):
                        yield from self._segment_batches(segment, selection, None, BATCH_BYTES)

    def prologue(self, selection: Selection | None = None) -> Iterator[Record]:
        """The last record of each key before the window, of topics that are compacted and were recorded with it."""
        for batch in self.prologue_batches(selection):
            yield from to_records(batch)

    def timeline(self, selection: Selection | None = None) -> Iterator[pa.RecordBatch]:
        """All selected records in time order, never reordered inside a partition.

        Adds the column `effective_ms` (int64): the time that places a record, see `merge_by_time`.
        """
        selection = selection or Selection()
        for name in selection.topics:
            require_known(name, [topic.name for topic in self.manifest.topics], str(self.root))
        places = [
            (topic.name, partition.partition)
            for topic, partition in self.manifest.topic_partitions()
            if selection.wants(topic.name, partition.partition) and partition.records
        ]
        allow_open_files(len(places))
        batch_bytes = merge_batch_bytes(len(places))
        return merge_by_time(
            [self.batches(*place, selection, batch_bytes=batch_bytes) for place in places],
            sane=self.sane_times(),
            look_ahead=[partial(self.batches, *place, selection, columns=["timestamp_ms"]) for place in places],
        )

    def records(self, selection: Selection | None = None) -> Iterator[Record]:
        """The timeline, record by record: convenient, not fast."""
        for batch in self.timeline(selection):
            yield from to_records(batch)

    def sane_times(self) -> tuple[int, int]:
        """Timestamps (inclusive, ms) that can place a record in time; what lies outside is a producer's mistake."""
        window, created = self.manifest.window, self.manifest.created_at_ms
        low = window.from_ms if window.from_ms is not None else 1
        high = window.to_ms if window.to_ms is not None else created + _FUTURE_TOLERANCE_MS
        return low, max(high, low)

    def sql(self, query: str) -> pa.Table:
        """The result of a DuckDB query over this capture's views (see `recorder.query`)."""
        from importlib import import_module

        run: Callable[[Capture, str], pa.Table] = import_module("recorder.query").query
        return run(self, query)

    def _partition(self, topic: str, partition: int) -> Partition:
        for candidate in self.manifest.topic(topic).partitions:
            if candidate.partition == partition:
                return candidate
        raise KeyError((topic, partition))

    def _segment_batches(
        self,
        segment: Segment,
        selection: Selection,
        columns: Sequence[str] | None,
        batch_bytes: int,
        unwanted: Sequence[Run] = (),
        from_offset: int = 0,
    ) -> Iterator[pa.RecordBatch]:
        path = self.root / segment.path
        window, keys = selection.window, pa.array(selection.keys, pa.binary())
        begun = segment.first_offset >= from_offset
        by_offset = bool(unwanted) or not begun
        wanted = RECORD_SCHEMA.names if columns is None else {*columns, *_filter_columns(selection, by_offset)}
        schema = pa.schema([field for field in RECORD_SCHEMA if field.name in wanted])
        with reading(path), pq.ParquetFile(**parquet_source(path), page_checksum_verification=True) as file:
            check_rows(file.metadata.num_rows, path, segment)
            for group in range(file.num_row_groups):
                if not _group_may_match(file.metadata.row_group(group), window):
                    continue
                if not begun and _ends_before(file.metadata.row_group(group), from_offset):
                    continue
                rows = _rows_of(file.metadata.row_group(group), batch_bytes)
                # A row group at a time: merged with hundreds of others, a file that stays half decoded costs more.
                table = file.read_row_group(group, columns=schema.names, use_threads=False)
                for batch in table.cast(schema).to_batches(max_chunksize=rows):
                    if not begun:
                        batch = batch.filter(pc.greater_equal(batch.column("offset"), from_offset))
                    if window != Window(None, None):
                        batch = batch.filter(_in_window(batch.column("timestamp_ms"), window))
                    if selection.keys:
                        batch = batch.filter(pc.is_in(batch.column("key"), keys))
                    if unwanted:
                        batch = batch.filter(pa.array(~inside(unwanted, batch.column("offset").to_numpy())))
                    if batch.num_rows:
                        yield batch if columns is None else batch.select(list(columns))


def open_capture(path: str | Location) -> Capture:
    """Open a finished capture, in a directory or by an object store's URI; CaptureError says why a path is none.

    Raises StoreUnavailableError when the object store does not answer, or not us.
    """
    root = locate(path)
    manifest_path = root / MANIFEST_NAME
    try:
        raw = manifest_path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _no_capture(root) from None
    except OSError as error:
        raise CaptureError(f"Can't read {manifest_path}: {error.strerror}.") from error
    return Capture(root, decode(raw, where=str(manifest_path)))


def _no_capture(root: Location) -> BlackboxError:
    if not root.is_dir():
        what = "is a file, not a capture directory" if root.exists() else "does not exist"
        return UsageError(f"{root} {what}: give the directory that 'blackbox record -o' wrote.")
    if (root / CHECKPOINT_NAME).exists():
        return CaptureError(
            f"{root} is an unfinished recording: it has no {MANIFEST_NAME} yet. "
            f"Wait for it, or go on with it: blackbox record --resume {root}."
        )
    return CaptureError(f"{root} is not a capture: it has no {MANIFEST_NAME}.")


def to_records(batch: pa.RecordBatch) -> Iterator[Record]:
    """Rows of a batch (RECORD_SCHEMA's columns, others are ignored) as `Record`s."""
    columns: list[Any] = [batch.column(name).to_pylist() for name in RECORD_SCHEMA.names]
    for topic, partition, offset, timestamp, kind, key, value, headers, epoch in zip(*columns, strict=True):
        pairs = tuple((header["key"], header["value"]) for header in headers)
        yield Record(topic, partition, offset, timestamp, kind, key, value, pairs, epoch)


def total_bytes(path: str | Location) -> int:
    """Bytes of all segments of a capture; 0 when it can't be opened."""
    try:
        manifest = open_capture(path).manifest
    except CaptureError:
        return 0
    return sum(segment.bytes for _, partition in manifest.topic_partitions() for segment in partition.files)


class reading:  # noqa: N801
    """Turn what goes wrong inside a file into a sentence that names it and says what to do."""

    def __init__(self, path: Location) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise CaptureError(
                f"Segment {self._path} is missing. Run 'blackbox verify' to see what else is."
            ) from error
        if isinstance(self._path, ObjectPath):
            self._path.explain(error)
        if isinstance(error, OSError) and error.errno is not None and error.errno != errno.EINVAL:
            hint = " Raise the limit: ulimit -n 65536." if error.errno == errno.EMFILE else ""
            raise CaptureError(f"Can't read segment {self._path}: {os.strerror(error.errno)}.{hint}") from error
        if isinstance(error, OSError | pa.ArrowException | KeyError | ValueError):
            detail = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CaptureError(
                f"Segment {self._path} is torn or altered ({detail}). Run 'blackbox verify' to see what else is."
            ) from error


def merge_batch_bytes(streams: int) -> int:
    """How large the batches of so many streams may be that are merged: each holds one in memory."""
    return max(_SMALLEST_BATCH_BYTES, min(BATCH_BYTES, _MERGE_BYTES // max(streams, 1)))


def _filter_columns(selection: Selection, by_offset: bool) -> list[str]:
    wanted = {
        "offset": by_offset,
        "timestamp_ms": selection.window != Window(None, None),
        "key": bool(selection.keys),
    }
    return [name for name, needed in wanted.items() if needed]


def _in_window(timestamps: pa.Array, window: Window) -> pa.Array:
    low = pc.greater_equal(
        timestamps, pa.scalar(window.from_ms if window.from_ms is not None else -(2**63), pa.int64())
    )
    if window.to_ms is None:
        return low
    return pc.and_(low, pc.less(timestamps, pa.scalar(window.to_ms, pa.int64())))


def _rows_of(group: Any, batch_bytes: int) -> int:
    """How many of a row group's rows make a batch; its columns are hardly encoded, so their size is that in memory."""
    fitting: int = group.num_rows * batch_bytes // max(group.total_byte_size, 1)
    return max(1, min(ROW_GROUP_RECORDS, fitting))


def _may_match(segment: Segment, window: Window) -> bool:
    return _overlaps(segment.min_timestamp_ms, segment.max_timestamp_ms, window)


def _group_may_match(group: Any, window: Window) -> bool:
    statistics = group.column(RECORD_SCHEMA.get_field_index("timestamp_ms")).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return _overlaps(statistics.min, statistics.max, window)


def _ends_before(group: Any, offset: int) -> bool:
    statistics = group.column(RECORD_SCHEMA.get_field_index("offset")).statistics
    return bool(statistics is not None and statistics.has_min_max and statistics.max < offset)


def _overlaps(low: int, high: int, window: Window) -> bool:
    return (window.from_ms is None or high >= window.from_ms) and (window.to_ms is None or low < window.to_ms)


__all__ = [
    "EFFECTIVE",
    "Capture",
    "Selection",
    "merge_batch_bytes",
    "open_capture",
    "reading",
    "to_records",
    "total_bytes",
]
