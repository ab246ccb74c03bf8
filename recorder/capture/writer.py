"""Writing a capture: partitions seal segments, the checkpoint follows, the manifest comes last (FORMAT.md 1, 6, 7, 18).

A `PartitionWriter` needs nothing but a directory, so that jobs which map partition by partition (scrub, cut) can
run it in worker processes.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder.capture.durable import sync_directory, write_atomically
from recorder.capture.ledger import Ledger
from recorder.capture.manifest import (
    CHECKPOINT_NAME,
    JOURNAL_NAME,
    MANIFEST_NAME,
    Folder,
    Manifest,
    Partition,
    Segment,
    encode,
    segment_path,
)
from recorder.capture.object_stores import is_uri
from recorder.capture.schema import (
    RECORD_SCHEMA,
    ROW_GROUP_BYTES,
    ROW_GROUP_RECORDS,
    SEGMENT_BYTES,
    payload_sizes,
    record_sizes,
    writer_options,
)
from recorder.errors import CaptureError, UsageError


class PartitionWriter:
    """Writes one partition's records, in offset order, into sealed segments below `root`.

    Row groups and segments are cut by the records alone, however they are handed over (FORMAT.md 7).
    """

    def __init__(
        self,
        root: Path,
        topic: str,
        partition: int,
        *,
        key_bloom_filter: bool = True,
        row_group_bytes: int = ROW_GROUP_BYTES,
        folder: Folder = "records",
    ) -> None:
        self.root = root
        self.topic = topic
        self.partition = partition
        self.segments: list[Segment] = []
        self.payloads: list[int] = []
        """Bytes of keys and values in each of the segments."""
        self._folder: Folder = folder
        self.row_group_bytes = row_group_bytes
        self.segment_bytes = SEGMENT_BYTES
        self._pending_bytes = 0
        self._options = writer_options(key_bloom_filter=key_bloom_filter)
        self._pending: list[pa.Table] = []
        self._pending_records = 0
        self._open: _OpenSegment | None = None

    def append(self, records: pa.RecordBatch | pa.Table) -> bool:
        """Take records (RECORD_SCHEMA, offsets increasing); True when this sealed at least one segment."""
        sealed = len(self.segments)
        table = records if isinstance(records, pa.Table) else pa.Table.from_batches([records])
        batches = table.to_batches()
        filled = np.cumsum(np.concatenate([np.zeros(1, np.int64), *map(record_sizes, batches)]))
        start = 0
        while start < table.num_rows:
            room = self.row_group_bytes - self._pending_bytes
            fitting = int(np.searchsorted(filled, filled[start] + room))
            stop = min(max(fitting, start + 1), start + ROW_GROUP_RECORDS - self._pending_records, table.num_rows)
            piece = table.slice(start, stop - start)
            if start and stop == table.num_rows and len(batches) == 1:
                # It may wait long for more: a copy, because a slice would keep the whole batch in memory.
                piece = piece.take(pa.array(np.arange(piece.num_rows)))
            self._pending.append(piece)
            self._pending_records += stop - start
            self._pending_bytes += int(filled[stop] - filled[start])
            if self._pending_bytes >= self.row_group_bytes or self._pending_records >= ROW_GROUP_RECORDS:
                self._flush()
            start = stop
        return len(self.segments) > sealed

    def _flush(self) -> None:
        if not self._pending:
            return
        # In one piece, because the edges of chunks would become the edges of pages.
        table = pa.concat_tables(self._pending).combine_chunks()
        if self._open is None:
            first = table.column("offset")[0].as_py()
            path = segment_path(self.topic, self.partition, first, self._folder)
            self._open = _OpenSegment(self.root, path, self._options)
        self._open.write(table, self._pending_bytes)
        self._pending, self._pending_records, self._pending_bytes = [], 0, 0
        if self._open.record_bytes >= self.segment_bytes:
            self.seal()

    def seal(self) -> None:
        """Write what is pending and seal the open segment; nothing happens when there is none."""
        self._flush()
        if self._open is not None:
            self.segments.append(self._open.seal())
            self.payloads.append(self._open.payload_bytes)
            self._open = None

    def restore(self, segment: Segment, payload_bytes: int) -> None:
        """Take a segment for written that an earlier writer sealed, before anything is appended."""
        self.segments.append(segment)
        self.payloads.append(payload_bytes)

    def describe(self, ledger: Ledger, **facts: Any) -> Partition:
        """The manifest's entry for what is sealed, with the ledger's account and further `facts` of Partition."""
        return Partition(
            partition=self.partition,
            start_offset=ledger.start,
            end_offset=ledger.position,
            gaps=ledger.gaps(),
            **self.written(),
            **facts,
        )

    def written(self) -> dict[str, Any]:
        """The fields of Partition that follow from the sealed segments alone."""
        segments = tuple(self.segments)
        return {
            "records": sum(segment.records for segment in segments),
            "payload_bytes": sum(self.payloads),
            "min_timestamp_ms": min((segment.min_timestamp_ms for segment in segments), default=None),
            "max_timestamp_ms": max((segment.max_timestamp_ms for segment in segments), default=None),
            "segments": segments,
        }

    def abandon(self) -> None:
        """Close without sealing and remove the unsealed file; sealed segments stay."""
        self._pending, self._pending_records, self._pending_bytes = [], 0, 0
        if self._open is not None:
            self._open.abandon()
            self._open = None


class _OpenSegment:
    """A segment under its temporary name."""

    def __init__(self, root: Path, relative: str, options: dict[str, object]) -> None:
        self.payload_bytes = 0
        self.record_bytes = 0
        self._relative = relative
        self._path = root / relative
        self._temporary = self._path.with_name(self._path.name + ".tmp")
        self._records = 0
        self._offsets: tuple[int, int] | None = None
        self._timestamps: tuple[int, int] | None = None
        with reporting_write_errors(self._path):
            _make_directories(self._temporary.parent, root)
            # Arrow's own file: writes outside the GIL, and a write that the disk cut short is an error.
            self._file = pa.OSFile(str(self._temporary), "wb")
            self._parquet = pq.ParquetWriter(self._file, RECORD_SCHEMA, **options)

    def write(self, table: pa.Table, record_bytes: int) -> None:
        with reporting_write_errors(self._path):
            self._parquet.write_table(table, row_group_size=table.num_rows)
        offsets = table.column("offset")
        timestamps = table.column("timestamp_ms").to_numpy()
        low, high = int(timestamps.min()), int(timestamps.max())
        first, last = offsets[0].as_py(), offsets[-1].as_py()
        self._offsets = (self._offsets[0], last) if self._offsets else (first, last)
        self._timestamps = (
            (min(self._timestamps[0], low), max(self._timestamps[1], high)) if self._timestamps else (low, high)
        )
        self._records += table.num_rows
        self.payload_bytes += sum(pc.sum(payload_sizes(batch)).as_py() for batch in table.to_batches())
        self.record_bytes += record_bytes

    def seal(self) -> Segment:
        assert self._offsets and self._timestamps
        with reporting_write_errors(self._path):
            self._parquet.close()
            self._file.close()
            with self._temporary.open("rb") as file:
                os.fsync(file.fileno())
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = os.fstat(file.fileno()).st_size
            self._temporary.replace(self._path)
            sync_directory(self._path.parent)
        return Segment(
            path=self._relative,
            sha256=digest,
            bytes=size,
            records=self._records,
            first_offset=self._offsets[0],
            last_offset=self._offsets[1],
            min_timestamp_ms=self._timestamps[0],
            max_timestamp_ms=self._timestamps[1],
        )

    def abandon(self) -> None:
        with suppress(OSError, pa.ArrowException):  # the disk may be full: what closing writes is removed anyway
            self._parquet.close()
        self._parquet.is_open = False  # or it would try again, and fail aloud, when it is collected
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._temporary.unlink()


def _make_directories(path: Path, root: Path) -> None:
    """Make `path` below `root`, durably: a sealed file in a directory that a power cut takes is not sealed."""
    missing = [directory for directory in (path, *path.parents) if root in directory.parents and not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def refuse_existing(path: Path) -> None:
    """UsageError when something is at `path` already: captures are never written into, or over, anything."""
    _require_path(path)
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists already: choose another directory with -o, or remove it first.")


def _require_path(path: Path) -> None:
    if is_uri(str(path)):
        raise UsageError(f"{path} is no directory: this command writes to one; 'blackbox push' then brings it there.")


def create_directory(path: Path) -> None:
    """Make the directory of a new capture; UsageError when something is there already."""
    _require_path(path)
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        refuse_existing(path)
        raise CaptureError(f"Can't create {path}: a file stands where a directory is needed.") from None
    except OSError as error:
        raise CaptureError(f"Can't create {path}: {error.strerror}.") from error


def finish(root: Path, manifest: Manifest) -> None:
    """Make the directory a capture: the manifest appears whole, or not at all; then the checkpoint goes, unless
    the recording may be resumed.
    """
    with reporting_write_errors(root / MANIFEST_NAME):
        write_atomically(root / MANIFEST_NAME, encode(manifest))
        if not manifest.resumable:
            # In this order: who is killed in between is seen to be unfinished, and finishes this.
            for name in (JOURNAL_NAME, CHECKPOINT_NAME):
                (root / name).unlink(missing_ok=True)


@contextmanager
def reporting_write_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into a sentence that says what stays valid."""
    try:
        yield
    except OSError as error:
        reason = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EROFS: "the file system is read-only",
            errno.EACCES: "no permission to write there",
            errno.ENOENT: "its directory is gone",
            errno.EMFILE: "too many open files (raise the limit: ulimit -n 65536)",
            errno.EFBIG: "a file there may not grow that large",
        }.get(error.errno or 0, os.strerror(error.errno) if error.errno else str(error))
        raise CaptureError(
            f"Can't write {path}: {reason}. Segments sealed before stay valid; nothing was marked as finished."
        ) from error
