"""Records as lines of text: for eyes, or one JSON object a record that loses nothing.

Works on columns; only tables and CSV, which end as a line each anyway, go row by row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from recorder.capture.marks import Marks
from recorder.payloads import shown
from recorder.payloads.formats import Formats
from recorder.payloads.json_column import json_text
from recorder.payloads.render import one_line
from recorder.payloads.shown import Payloads

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
CSV_FIELDS = (*FIELDS, "key_reason", "value_reason", "transaction")

_TEXT = pa.field("text", pa.string())
_ROWS_AT_FIRST = 256
"""The first lines come before much is decoded."""


def records_as(
    form: str,
    batches: Iterable[pa.RecordBatch],
    limit: int | None,
    *,
    width: int,
    formats: Formats | None,
    marks: Marks | None = None,
) -> Iterator[str]:
    """Text in pieces of whole lines (the last newline of each left out) for at most `limit` records of `batches`.

    `form` is ``table`` (one line a record, cut to `width` cells), ``json``, ``ndjson`` or ``csv``. Payloads are
    decoded by `formats`; without, they are shown as bytes. `marks` tell records that were never committed.
    """
    marks = marks or None
    parts = (
        (part, *_payloads(part, formats), None if marks is None else marks.of(part)) for part in _parts(batches, limit)
    )
    if form == "ndjson":
        return ("\n".join(objects(*part).to_pylist()) for part in parts)
    if form == "json":
        return _json_array(parts)
    if form == "csv":
        return _csv(parts)
    return ("\n".join(_for_eyes(*part, width)) for part in parts)


def objects(batch: pa.RecordBatch, key: Payloads, value: Payloads, marked: pa.Array | None = None) -> pa.Array:
    """A JSON object for each record. Payloads are their JSON values; `key_reason` and `value_reason` say why one is not
    decoded, or with what doubt, `key_schema` and `value_schema` what it was written with, `transaction` that it was
    never committed; each only where it applies.
    """
    plain: dict[str, pa.Array] = {
        "topic": json_text(batch.column("topic"), _TEXT),
        "partition": batch.column("partition").cast(pa.string()),
        "offset": batch.column("offset").cast(pa.string()),
        "timestamp": json_text(shown.times_text(batch.column("timestamp_ms")), _TEXT),
        "timestamp_ms": batch.column("timestamp_ms").cast(pa.string()),
        "timestamp_type": json_text(batch.column("timestamp_type"), _TEXT),
        "key": key.json,
        "value": value.json,
        "headers": shown.headers_json(batch.column("headers")),
        "leader_epoch": batch.column("leader_epoch").cast(pa.string()),
    }
    extra = {
        "key_schema": key.schemas,
        "value_schema": value.schemas,
        "key_reason": json_text(key.reasons, _TEXT),
        "value_reason": json_text(value.reasons, _TEXT),
    }
    if marked is not None:
        extra["transaction"] = json_text(marked, _TEXT)
    parts: list[Any] = []
    for name in FIELDS:
        parts += [f'{"," if parts else "{"}"{name}":', plain[name].fill_null("null")]
    for name, texts in extra.items():
        if texts.null_count < len(texts):
            parts.append(pc.binary_join_element_wise(f',"{name}":', texts, "").fill_null(""))
    return pc.binary_join_element_wise(*parts, "}", "")


_Part = tuple[pa.RecordBatch, Payloads, Payloads, pa.Array | None]


def _payloads(batch: pa.RecordBatch, formats: Formats | None) -> tuple[Payloads, Payloads]:
    if formats is None:
        return shown.raw(batch, "key"), shown.raw(batch, "value")
    return shown.decoded(batch, "key", formats), shown.decoded(batch, "value", formats)


def _parts(batches: Iterable[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    first = _ROWS_AT_FIRST
    for batch in batches:
        batch = batch if limit is None else batch.slice(0, limit)
        if first:
            yield batch.slice(0, first)
        yield from shown.pieces(batch.slice(first))
        first = 0
        if limit is not None:
            limit -= batch.num_rows
            if limit <= 0:
                return


def _json_array(parts: Iterable[_Part]) -> Iterator[str]:
    before = "["
    for part in parts:
        yield before + ",\n".join(objects(*part).to_pylist())
        before = ","
    yield "[]" if before == "[" else "]"


def _csv(parts: Iterable[_Part]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    for batch, key, value, marked in parts:
        columns = [
            *(batch.column(name).to_pylist() for name in ("topic", "partition", "offset")),
            shown.times_text(batch.column("timestamp_ms")).to_pylist(),
            *(batch.column(name).to_pylist() for name in ("timestamp_ms", "timestamp_type")),
            *(map(_cell, side.json.to_pylist()) for side in (key, value)),
            shown.headers_json(batch.column("headers")).to_pylist(),
            batch.column("leader_epoch").to_pylist(),
            key.reasons.to_pylist(),
            value.reasons.to_pylist(),
            [None] * len(batch) if marked is None else marked.to_pylist(),
        ]
        writer.writerows(zip(*columns, strict=True))
        yield _taken(buffer)
    if buffer.tell():
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue().removesuffix("\n")
    buffer.seek(0)
    buffer.truncate()
    return text


def _cell(json: str | None) -> str | None:
    """Text as it is, anything else as JSON."""
    return json if json is None or json[:1] != '"' else msgspec.json.decode(json, type=str)


def _for_eyes(
    batch: pa.RecordBatch, key: Payloads, value: Payloads, marked: pa.Array | None, width: int
) -> Iterator[str]:
    columns = [
        shown.times_text(batch.column("timestamp_ms")),
        *(batch.column(name) for name in ("topic", "partition", "offset", "headers", "key", "value")),
        *(key.json, key.reasons, value.json, value.reasons),
    ]
    marks = [None] * len(batch) if marked is None else marked.to_pylist()
    rows = zip(marks, *(column.to_pylist() for column in columns), strict=True)
    for mark, time, topic, partition, offset, headers, key_bytes, value_bytes, *said in rows:
        start = f"{time}  {topic}/{partition}@{offset}  {preview(key_bytes, said[0], said[1], 40)}  "
        start += f"({mark}) " if mark else ""
        pairs = " ".join(
            f"{one_line(header['key'].encode(), 80)}={one_line(header['value'], 40)}" for header in headers
        )
        rest = max(width - len(start), 40)
        yield start + preview(value_bytes, said[2], said[3], rest) + (f"  [{pairs}]" if pairs else "")


def preview(payload: bytes | None, json: str | None, reason: str | None, width: int) -> str:
    """A payload in at most `width` cells: before it what was wrong with it, then its `json`, or where there is none
    the bytes.
    """
    start = f"({reason}) " if reason else ""
    room = width - len(start)
    if not payload or json is None or (json.startswith('{"base64":') and not payload.lstrip().startswith(b"{")):
        return start + one_line(payload, room)
    head = json[: room * 8 + 64]  # enough even when indentation goes
    text = str(_cell(json)) if json[:1] == '"' else head
    return start + one_line(text[: len(head)].encode(), room)
