"""Segments decoded into the cache by worker processes, each a segment at a time, a row group in memory."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from recorder.capture.locations import Location, whole
from recorder.capture.manifest import Segment
from recorder.capture.reader import reading
from recorder.capture.schema import RECORD_SCHEMA
from recorder.errors import CaptureError
from recorder.payloads.schemas import Schema
from recorder.query.cache import CacheError, new_file
from recorder.query.decoding import TopicPlan, decoder_of

WORTH_PROCESSES = 150_000
"""Records below which starting processes takes longer than it saves."""
_MOST = 8
_HASHED = 1 << 20

Progress = Callable[[int], None]
"""Called with the number of records decoded since the last call."""


@dataclass(frozen=True, slots=True)
class Job:
    """One segment, and where its decoded file goes."""

    source: Location
    segment: Segment
    target: Path
    plan: TopicPlan


def decode_all(
    jobs: Sequence[Job], schemas: tuple[Schema, ...], stop: threading.Event, progress: Progress | None = None
) -> bool:
    """Write all targets; False when `stop` was set before the end.

    Raises CaptureError for segments that can't be read, CacheError for targets that can't be written.
    """
    records = sum(job.segment.records for job in jobs)
    count = min(_MOST, os.cpu_count() or 1, len(jobs))
    if count < 2 or records < WORTH_PROCESSES:
        for job in jobs:
            if not _decode(job, schemas, stop):
                return False
            _report(progress, job)
        return True
    waiting: dict[Future[bool], Job] = {}
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("forkserver"), initializer=_lean)
    try:
        waiting = {pool.submit(_decode, job, schemas): job for job in jobs}
        while waiting:
            done, _ = wait(waiting, timeout=0.05, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                _report(progress, waiting.pop(future))
            if stop.is_set():
                return False
        return True
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if waiting:
            for child in multiprocessing.active_children():
                child.terminate()


def _report(progress: Progress | None, job: Job) -> None:
    if progress is not None:
        progress(job.segment.records)


def _decode(job: Job, schemas: tuple[Schema, ...], stop: threading.Event | None = None) -> bool:
    try:
        with new_file(job.target) as path:
            _write(path, _batches(job, schemas, stop))
    except _StoppedError:
        return False
    except OSError as error:
        raise CacheError(f"{job.target.parent}: {error.strerror or error}") from error
    return True


def check_digest(source: Location, segment: Segment, raw: BinaryIO) -> None:
    """Raises CaptureError unless a segment's open file is what the manifest says; leaves it at its beginning."""
    digest = hashlib.sha256()
    while content := raw.read(_HASHED):
        digest.update(content)
    raw.seek(0)
    if digest.hexdigest() != segment.sha256:
        # Another capture that claims this segment's digest must not be answered with these bytes.
        raise CaptureError(f"Segment {source} was altered: its SHA-256 is not the manifest's. Run 'blackbox verify'.")


def _batches(job: Job, schemas: tuple[Schema, ...], stop: threading.Event | None) -> Iterator[pa.RecordBatch]:
    decoder = decoder_of(job.plan, schemas)
    # What goes wrong with the file that is written is no fault of the segment: that is met outside.
    with reading(job.source), whole(job.source) as raw:
        check_digest(job.source, job.segment, raw)
        with pq.ParquetFile(raw, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                if stop is not None and stop.is_set():
                    raise _StoppedError
                table = file.read_row_group(group, columns=RECORD_SCHEMA.names, use_threads=False)
                for batch in table.cast(RECORD_SCHEMA).combine_chunks().to_batches():
                    yield decoder.batch(batch)


def _write(path: Path, batches: Iterator[pa.RecordBatch]) -> None:
    writer: pq.ParquetWriter | None = None
    try:
        for decoded in batches:
            if writer is None:
                writer = pq.ParquetWriter(path, decoded.schema, compression="zstd", compression_level=1)
            writer.write_batch(decoded)
    finally:
        if writer is not None:
            writer.close()


class _StoppedError(Exception):
    pass


def _lean() -> None:
    """One process is one processor's work, and memory goes back when it is free."""
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
