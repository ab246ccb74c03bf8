"""A batch of records as text columns: payloads decoded, or (raw) as the bytes they are, a column at a time.

JSON text everywhere: text as a string, bytes that are no text as ``{"base64": …}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder.payloads import columns
from recorder.payloads.formats import Formats
from recorder.payloads.json_column import json_text
from recorder.payloads.reasons import Side
from recorder.payloads.schemas import SchemaBook
from recorder.window import format_time

_PIECE_BYTES = 8 << 20
_TEXT = pa.field("text", pa.string())
_BYTES = pa.field("bytes", pa.binary())
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999."""


class Payloads(NamedTuple):
    """One side of a batch: JSON text (null only for null payloads), why it is not decoded or in doubt, its schema."""

    json: pa.Array
    reasons: pa.Array
    schemas: pa.Array
    """JSON objects, null without a schema."""


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in parts that stay small as text."""
    rows = max(1, batch.num_rows * _PIECE_BYTES // max(batch.nbytes, 1))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def decoded(batch: pa.RecordBatch, side: Side, formats: Formats) -> Payloads:
    """Payloads of any topics, each as its topic's format has it; what can't be read stands there as it is."""
    payloads, headers = batch.column(side), batch.column("headers")
    names = batch.column("topic").dictionary_encode()
    topics = names.dictionary.to_pylist()
    if len(topics) == 1:
        found = [columns.decode_json(formats.decoder(topics[0], side), payloads, headers)]
        json, reasons, ids = found[0]
    else:
        indices = names.indices.to_numpy()
        places = [np.flatnonzero(indices == number) for number in range(len(topics))]
        found = [
            columns.decode_json(
                formats.decoder(topic, side), payloads.take(pa.array(rows)), headers.take(pa.array(rows))
            )
            for topic, rows in zip(topics, places, strict=True)
        ]
        back = pa.array(np.argsort(np.concatenate(places)))
        json, reasons, ids = (pa.concat_arrays(parts).take(back) for parts in zip(*found, strict=True))
    # JSON as it was sent may stand on several lines; between its tokens a space is as good.
    json = pc.replace_substring_regex(json, r"^\x{FEFF}|[\r\n]", " ") if _has_breaks(json) else json
    left = pc.and_(json.is_null(), payloads.is_valid())
    if left.true_count:
        empty = pc.equal(pc.binary_length(payloads), 0).fill_null(False)
        json = pc.if_else(empty, '""', json)
        left = pc.and_not(left, empty)
        json = pc.replace_with_mask(json, left, json_text(payloads.filter(left), _BYTES))
    return Payloads(json, reasons, _described(ids, formats.codecs.book))


def raw(batch: pa.RecordBatch, side: Side) -> Payloads:
    """Nothing decoded: text where bytes are UTF-8."""
    nothing = pa.nulls(batch.num_rows, pa.string())
    return Payloads(raw_json(batch.column(side)), nothing, nothing)


def raw_json(payloads: pa.Array) -> pa.Array:
    """Bytes as JSON: a string where they are UTF-8, else ``{"base64": …}``, null where null."""
    try:
        return json_text(payloads.cast(pa.string()), _TEXT)
    except pa.ArrowInvalid:
        items = payloads.to_pylist()
    is_text = np.array([_is_text(item) for item in items], bool)
    chosen = pa.array(is_text)
    texts = json_text(payloads.filter(chosen).cast(pa.string()), _TEXT)
    others = json_text(payloads.filter(pc.invert(chosen)), _BYTES)
    return pc.replace_with_mask(
        pc.replace_with_mask(pa.nulls(len(items), pa.string()), chosen, texts), pc.invert(chosen), others
    )


def headers_json(headers: pa.Array) -> pa.Array:
    """``[["name","value"],…]`` for each record; values as `raw_json`, or null."""
    pairs = headers.flatten()
    names, values = pairs.flatten()
    texts = pc.binary_join_element_wise("[", json_text(names, _TEXT), ",", raw_json(values).fill_null("null"), "]", "")
    ends = headers.offsets.to_numpy()
    lists = pa.ListArray.from_arrays(pa.array(ends - ends[0]), texts)
    return pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")


def times_text(times_ms: pa.Array) -> pa.Array:
    """RFC 3339 with milliseconds, as `format_time`."""
    numbers = times_ms.to_numpy()
    wild = (numbers < _FIRST_MS) | (numbers > _LAST_MS)
    sane = pa.array(np.where(wild, 0, numbers)).cast(pa.timestamp("ms")).cast(pa.string())
    text = pc.binary_join_element_wise(pc.replace_substring(sane, " ", "T"), "Z", "")
    if not wild.any():
        return text
    odd = pa.array([format_time(int(number)) for number in numbers[wild]], pa.string())
    return pc.replace_with_mask(text, pa.array(wild), odd)


def _described(ids: pa.Array, book: SchemaBook) -> pa.Array:
    """A JSON object for each schema id."""
    if ids.null_count == len(ids):
        return pa.nulls(len(ids), pa.string())
    coded = ids.dictionary_encode()
    texts = []
    for number in coded.dictionary.to_pylist():
        schema = book.find(number)
        newest = max(schema.subjects) if schema is not None and schema.subjects else None
        named = {} if newest is None else {"subject": newest.subject, "version": newest.version}
        texts.append(msgspec.json.encode({"id": number, **named}).decode())
    return pa.array(texts, pa.string()).take(coded.indices)


def _has_breaks(json: pa.Array) -> bool:
    found = pc.match_substring_regex(json, r"^\x{FEFF}|[\r\n]").true_count
    return bool(found)


def _is_text(payload: bytes | None) -> bool:
    if payload is None:
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
