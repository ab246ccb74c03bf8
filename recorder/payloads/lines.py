"""Records as lines of text: for eyes, or one JSON object a record that loses nothing."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa

from recorder.capture.reader import to_records
from recorder.capture.schema import Record
from recorder.payloads.render import one_line
from recorder.window import format_time

FIELDS = (
    "topic",
    "partition",
    "offset",
    "timestamp",
    "timestamp_ms",
    "timestamp_type",
    "key",
    "value",
    "headers",
    "leader_epoch",
)


def records_as(form: str, batches: Iterable[pa.RecordBatch], limit: int | None, *, width: int) -> Iterator[str]:
    """Lines (without their newline) for the records of `batches`, at most `limit` of them.

    `form` is ``table`` (one line a record, cut to `width` cells), ``json``, ``ndjson`` or ``csv``.
    """
    records = islice((record for batch in batches for record in to_records(batch)), limit)
    if form == "ndjson":
        return (_json(record) for record in records)
    if form == "json":
        return _json_array(records)
    if form == "csv":
        return _csv(records)
    return (_for_eyes(record, width) for record in records)


def as_object(record: Record) -> dict[str, Any]:
    """A record as plain JSON values: text where bytes are UTF-8, `{"base64": …}` where not, null where null."""
    values = (
        record.topic,
        record.partition,
        record.offset,
        format_time(record.timestamp_ms),
        record.timestamp_ms,
        record.timestamp_type,
        _text_or_base64(record.key),
        _text_or_base64(record.value),
        [[name, _text_or_base64(value)] for name, value in record.headers],
        record.leader_epoch,
    )
    return dict(zip(FIELDS, values, strict=True))


def _json(record: Record) -> str:
    return msgspec.json.encode(as_object(record)).decode()


def _json_array(records: Iterable[Record]) -> Iterator[str]:
    yield "["
    before: str | None = None
    for record in records:
        if before is not None:
            yield before + ","
        before = _json(record)
    if before is not None:
        yield before
    yield "]"


def _csv(records: Iterable[Record]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="")

    def line(cells: Iterable[Any]) -> str:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(cells)
        return buffer.getvalue()

    yield line(FIELDS)
    for record in records:
        yield line(map(_flat, as_object(record).values()))


def _for_eyes(record: Record, width: int) -> str:
    start = (
        f"{format_time(record.timestamp_ms)}  {record.topic}/{record.partition}@{record.offset}  "
        f"{one_line(record.key, 40)}  "
    )
    headers = " ".join(f"{name}={one_line(value, 40)}" for name, value in record.headers)
    return start + one_line(record.value, max(width - len(start), 40)) + (f"  [{headers}]" if headers else "")


def _text_or_base64(payload: bytes | None) -> Any:
    if payload is None:
        return None
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(payload).decode()}


def _flat(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value
