"""The columns of a segment and the Parquet settings that FORMAT.md (8, 9) asks for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

FORMAT_VERSION = 1

ROW_GROUP_BYTES = 4 << 20
ROW_GROUP_RECORDS = 16_384
SEGMENT_BYTES = 64 << 20
PENDING_BYTES = 64 << 20
SMALLEST_ROW_GROUP_BYTES = 64 << 10

HEADER_TYPE = pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.binary())])
HEADERS_TYPE = pa.list_(pa.field("element", HEADER_TYPE, nullable=False))

RECORD_SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp_ms", pa.int64(), nullable=False),
        pa.field("timestamp_type", pa.string(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", HEADERS_TYPE, nullable=False),
        pa.field("leader_epoch", pa.int32()),
    ]
)

TIMESTAMP_TYPES = ("none", "create", "append")
"""Indexed by the number that Kafka clients use for a timestamp's type."""


class Record(NamedTuple):
    """One Kafka record as it was recorded; headers are ordered, may repeat and may have null values."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    timestamp_type: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    leader_epoch: int | None


def writer_options(*, key_bloom_filter: bool = True) -> dict[str, Any]:
    """Keyword arguments for `pyarrow.parquet.ParquetWriter`.

    `key_bloom_filter` must be False for clean captures: a bloom filter answers "was this key here?".
    """
    options: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": 1,
        "write_page_checksum": True,
        "write_statistics": ["offset", "timestamp_ms"],
        "use_dictionary": [
            "topic",
            "partition",
            "timestamp_type",
            "headers.list.element.key",
            "leader_epoch",
        ],
        "column_encoding": {"offset": "DELTA_BINARY_PACKED", "timestamp_ms": "DELTA_BINARY_PACKED"},
        "store_schema": False,
        "write_batch_size": 1024,
    }
    if key_bloom_filter:
        options["bloom_filter_options"] = {"key": {"ndv": ROW_GROUP_RECORDS, "fpp": 0.01}}
    return options


def row_group_bytes(partitions: int) -> int:
    """Where a writer of so many partitions at once cuts row groups: each holds one in memory (FORMAT.md 7)."""
    return max(SMALLEST_ROW_GROUP_BYTES, min(ROW_GROUP_BYTES, PENDING_BYTES // max(partitions, 1)))


def payload_sizes(batch: pa.RecordBatch) -> pa.Array:
    """Bytes of key plus value of each record (int64, null payloads count 0)."""
    sizes = [pc.fill_null(pc.binary_length(batch.column(name)), 0).cast(pa.int64()) for name in ("key", "value")]
    return pc.add(*sizes)


def record_sizes(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Bytes of key, value and headers (names and values) of each record: what row groups and segments are cut by."""
    sizes = _lengths(batch.column("key")) + _lengths(batch.column("value"))
    headers = batch.column("headers")
    ends = headers.offsets.to_numpy()
    pairs = headers.values.slice(ends[0], ends[-1] - ends[0])
    if not len(pairs):
        return sizes
    names, values = pairs.flatten()
    total = np.concatenate(([0], np.cumsum(_lengths(names) + _lengths(values))))
    sizes += np.diff(total[ends - ends[0]])
    return sizes


def _lengths(strings: pa.Array) -> npt.NDArray[np.int64]:
    """Bytes of each, 0 for null."""
    if strings.null_count or not len(strings):
        lengths: npt.NDArray[np.int32] = pc.fill_null(pc.binary_length(strings), 0).to_numpy()
    else:
        # A third of what the calls to Arrow's functions cost, which small batches make many of.
        ends = np.frombuffer(strings.buffers()[1], np.int32)
        lengths = np.diff(ends[strings.offset : strings.offset + len(strings) + 1])
    return lengths.astype(np.int64)
