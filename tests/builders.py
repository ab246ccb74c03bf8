"""Captures for tests without a Kafka: `make_capture(tmp_path / "c", [("orders", 0, T0, "k1", {"id": 1})])`.

Written by the real writer, with a true ledger, so what reads them can't tell them from recorded ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recorder.capture.ledger import Ledger
from recorder.capture.manifest import (
    Asked,
    CleanStamp,
    Manifest,
    Note,
    Partition,
    Prologue,
    Source,
    Step,
    Topic,
    new_capture_id,
)
from recorder.capture.reader import Capture, open_capture
from recorder.capture.schema import FORMAT_VERSION, RECORD_SCHEMA, Record
from recorder.capture.writer import PartitionWriter, create_directory, finish
from recorder.window import Window, format_time

T0 = 1_793_714_520_000
"""2026-11-03T14:02:00Z: when incidents in tests begin."""

NEXT = -1
"""As a Record's offset: the next one of its partition."""

Payload = bytes | str | Mapping[str, Any] | None
Headers = Iterable[tuple[str, bytes | str | None]]
Short = tuple[Any, ...]
"""(topic, partition, timestamp_ms, key, value) or (…, headers)"""


def record(
    topic: str,
    partition: int = 0,
    timestamp_ms: int = T0,
    key: Payload = None,
    value: Payload = None,
    headers: Headers = (),
    *,
    offset: int = NEXT,
    timestamp_type: str = "create",
    leader_epoch: int | None = 0,
) -> Record:
    """A record; text is encoded as UTF-8, a mapping as JSON."""
    pairs = tuple((name, _bytes(content)) for name, content in headers)
    return Record(
        topic, partition, offset, timestamp_ms, timestamp_type, _bytes(key), _bytes(value), pairs, leader_epoch
    )


def make_capture(
    root: Path,
    records: Iterable[Record | Short] = (),
    *,
    topics: Mapping[str, int] | None = None,
    window: Window | None = None,
    segment_records: int | None = None,
    prologue: Sequence[Record] = (),
    clean: bool = False,
    notes: Sequence[Note] = (),
    cluster_id: str | None = "test-cluster",
    created_at_ms: int = T0 + 600_000,
) -> Capture:
    """Write a capture at `root` (which must not exist) and open it.

    Records may come in any mix of partitions; offsets are given per partition in order, from 0, and may skip.
    `topics` (name to partition count) adds topics and partitions without records; `segment_records` seals a
    segment after so many records of a partition; `prologue` are records (with offsets, in order) from before the
    window, which then starts behind them.
    """
    wanted: dict[str, dict[int, list[Record]]] = {
        name: {number: [] for number in range(count)} for name, count in (topics or {}).items()
    }
    before: dict[tuple[str, int], list[Record]] = {}
    for one in prologue:
        before.setdefault((one.topic, one.partition), []).append(one)
        wanted.setdefault(one.topic, {}).setdefault(one.partition, [])
    for item in records:
        one = item if isinstance(item, Record) else record(*item)
        rows = wanted.setdefault(one.topic, {}).setdefault(one.partition, [])
        earlier = rows or before.get((one.topic, one.partition))
        following = earlier[-1].offset + 1 if earlier else 0
        rows.append(one if one.offset != NEXT else one._replace(offset=following))
    create_directory(root)
    described = tuple(
        Topic(
            name=name,
            id=None,
            config={},
            partitions=tuple(
                write_partition(
                    root,
                    name,
                    number,
                    partitions.get(number, []),
                    segment_records,
                    clean=clean,
                    prologue=before.get((name, number), []),
                )
                for number in range(max(partitions, default=0) + 1)
            ),
        )
        for name, partitions in sorted(wanted.items())
    )
    finish(root, describe(described, window, clean=clean, notes=notes, cluster_id=cluster_id, at_ms=created_at_ms))
    return open_capture(root)


def write_partition(
    root: Path,
    topic: str,
    partition: int,
    rows: Sequence[Record],
    segment_records: int | None = None,
    *,
    clean: bool = False,
    prologue: Sequence[Record] = (),
) -> Partition:
    """Seal one partition's records; holes in its offsets are booked as compacted."""
    writer = PartitionWriter(root, topic, partition, key_bloom_filter=not clean)
    ledger = Ledger(prologue[-1].offset + 1 if prologue else 0)
    step = segment_records or max(len(rows), 1)
    for start in range(0, len(rows), step):
        batch = to_batch(rows[start : start + step])
        offsets = batch.column("offset").to_numpy()
        ledger.saw(offsets, np.ones(len(offsets), np.bool_))
        writer.append(batch)
        if segment_records:
            writer.seal()
    writer.seal()
    ledger.explain(np.empty(0, np.int64), "compacted")
    return writer.describe(ledger, **({"prologue": _prologue(root, prologue, clean=clean)} if prologue else {}))


def _prologue(root: Path, rows: Sequence[Record], *, clean: bool) -> Prologue:
    writer = PartitionWriter(root, *rows[0][:2], key_bloom_filter=not clean, folder="prologue")
    writer.append(to_batch(rows))
    writer.seal()
    return Prologue(records=len(rows), payload_bytes=sum(writer.payloads), segments=tuple(writer.segments))


def to_batch(rows: Sequence[Record]) -> pa.RecordBatch:
    """Records as a batch of RECORD_SCHEMA."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(RECORD_SCHEMA)
    headers = RECORD_SCHEMA.get_field_index("headers")
    columns[headers] = tuple([{"key": name, "value": content} for name, content in row.headers] for row in rows)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, RECORD_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=RECORD_SCHEMA)


def describe(
    topics: tuple[Topic, ...],
    window: Window | None,
    *,
    clean: bool,
    notes: Sequence[Note],
    cluster_id: str | None,
    at_ms: int,
) -> Manifest:
    """The manifest of a recording that ended well; `clean` stamps it without any proof."""
    capture_id = new_capture_id()
    from_ms, to_ms = (window.from_ms, window.to_ms) if window else (None, None)
    stamp = CleanStamp(policy_sha256="0" * 64, stamped_at_ms=at_ms, tool="test", counts={}, checks={})
    return Manifest(
        format_version=FORMAT_VERSION,
        capture_id=capture_id,
        created_at_ms=at_ms,
        finished_by="end",
        window=Asked(
            from_text="earliest" if from_ms is None else format_time(from_ms),
            to_text="latest" if to_ms is None else format_time(to_ms),
            from_ms=from_ms,
            to_ms=to_ms,
            late_slack_ms=None,
        ),
        source=Source(cluster_id=cluster_id, brokers=1),
        topics=topics,
        lineage=(Step(verb="record", at_ms=at_ms, tool="test", capture_id=capture_id),),
        clean=stamp if clean else None,
        notes=tuple(notes),
    )


def _bytes(payload: Payload) -> bytes | None:
    if payload is None or isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return payload.encode()
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
