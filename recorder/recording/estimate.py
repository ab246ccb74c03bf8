"""How large a recording will be and how long it will take, from the offsets of its window and a taste of its records.

Offsets are no count of records: compaction and transactions leave holes, whose share the taste shows. What a record
weighs on disk is measured by packing the taste as a recording would.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recorder.capture.schema import (
    RECORD_SCHEMA,
    ROW_GROUP_RECORDS,
    record_sizes,
    row_group_bytes,
    writer_options,
)
from recorder.kafka.fetching import Message
from recorder.kafka.offsets import Place
from recorder.recording.columns import to_batch

_START_SECONDS = 0.5  # to connect, to plan and to write the manifest


@dataclass(frozen=True, slots=True)
class Weights:
    """What the records of a topic weigh, as far as the taste shows."""

    density: float = 1.0
    """Records for each offset."""
    record_bytes: float = 0.0
    """Key, value and headers of a record."""
    packed_bytes: float = 0.0
    """What a record adds to a segment."""
    pack_seconds: float = 0.0
    """How long it takes to turn a record into columns and compress it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect of a recording. All figures are estimates."""

    partitions: int
    records: int
    """In the window."""
    bytes: int
    """Keys, values and headers of the records in the window."""
    read_bytes: int
    """The same for all that must be read, late slack included."""
    capture_bytes: int
    """On disk."""
    seconds: float
    """How long the recording takes; for a window that reaches into the future, from now to its end and a little."""
    records_per_second: float | None
    """In the window's own time; None when it has no start or end."""
    bytes_per_second: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def weigh(samples: Mapping[Place, Sequence[Message]]) -> dict[str, Weights]:
    """Weights by topic of what was tasted of it."""
    empty = _file_bytes([])
    weights: dict[str, Weights] = {}
    for topic in dict.fromkeys(topic for topic, _ in samples):
        runs = [(place[1], list(messages)) for place, messages in samples.items() if place[0] == topic and messages]
        count = sum(len(messages) for _, messages in runs)
        if not count:
            continue
        begun = time.perf_counter()
        batches = [to_batch(topic, partition, messages)[0] for partition, messages in runs]
        packed = _file_bytes(batches) - empty
        seconds = time.perf_counter() - begun
        offsets = sum((messages[-1].offset() or 0) - (messages[0].offset() or 0) + 1 for _, messages in runs)
        weights[topic] = Weights(
            density=count / offsets,
            record_bytes=sum(int(record_sizes(batch).sum()) for batch in batches) / count,
            packed_bytes=max(0, packed) / count,
            pack_seconds=seconds / count,
        )
    return weights


def expect(
    inside: Mapping[Place, float],
    reading: Mapping[Place, float],
    weights: Mapping[str, Weights],
    *,
    read_bytes_per_second: float | None,
    cap_bytes_per_second: float | None = None,
    window_seconds: float | None = None,
    wait_seconds: float = 0.0,
) -> Expected:
    """Put together what each partition's offsets `inside` the window, and those to be read for it, will come to.

    `wait_seconds` is how far the window reaches into the future. A topic without weights counts as empty.
    """
    records = packed = size = read_size = pack_seconds = 0.0
    files = 0
    group_bytes = row_group_bytes(len(reading))
    for place, offsets in inside.items():
        weight = weights.get(place[0], Weights(density=0))
        count = offsets * weight.density
        read_count = reading[place] * weight.density
        records += count
        size += count * weight.record_bytes
        read_size += read_count * weight.record_bytes
        pack_seconds += read_count * weight.pack_seconds
        if count:
            groups = max(1, math.ceil(count * weight.record_bytes / group_bytes), math.ceil(count / ROW_GROUP_RECORDS))
            files += groups
            packed += count * weight.packed_bytes
    rates = [rate for rate in (read_bytes_per_second, cap_bytes_per_second) if rate]
    work = read_size / min(rates) + pack_seconds if rates else pack_seconds
    return Expected(
        partitions=len(inside),
        records=round(records),
        bytes=round(size),
        read_bytes=round(read_size),
        capture_bytes=round(packed + files * _row_group_overhead()),
        seconds=_START_SECONDS + max(work, wait_seconds),
        records_per_second=records / window_seconds if window_seconds else None,
        bytes_per_second=size / window_seconds if window_seconds else None,
    )


def _file_bytes(batches: list[pa.RecordBatch], *, bloom: bool = False) -> int:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_batches(batches, schema=RECORD_SCHEMA).combine_chunks()
    with pq.ParquetWriter(sink, RECORD_SCHEMA, **writer_options(key_bloom_filter=bloom)) as writer:
        writer.write_table(table, row_group_size=max(1, table.num_rows))
    return int(sink.getvalue().size)


def _row_group_overhead() -> int:
    """What a row group of a file weighs before its records: its part of the footer and the keys' bloom filter."""
    row = {"topic": "t", "partition": 0, "offset": 0, "timestamp_ms": 0, "timestamp_type": "create", "headers": []}
    return _file_bytes(pa.Table.from_pylist([row], schema=RECORD_SCHEMA).to_batches(), bloom=True)
