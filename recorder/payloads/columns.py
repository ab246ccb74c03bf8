"""Whole columns of payloads: each payload's frame off, one group per schema, each group decoded as one.

`decode` gives typed groups for views (their types differ from schema to schema, merging is for the query);
`decode_json` gives one JSON text column for everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder.payloads import spread, wire
from recorder.payloads.choices import Choice
from recorder.payloads.codec import NEED_SCHEMA, Codec, Format
from recorder.payloads.decoder import Decoder
from recorder.payloads.json_column import json_text
from recorder.payloads.json_text import JsonCodec
from recorder.payloads.reasons import DOUBTS, PayloadError, Reason, Side
from recorder.payloads.rows import combined
from recorder.payloads.schemas import Schema
from recorder.payloads.spread import Bools, Ints

_JSON_STARTS = np.frombuffer(b"{[", np.uint8)
_DOUBTS = pa.array([str(reason) for reason in DOUBTS])


class Group(NamedTuple):
    """Payloads of one schema (or of none) within a column.

    `rows` are their positions in the column, ascending; `values` has `codec.field()`'s type, null where unreadable;
    without a `codec` all are unreadable and `values` is of type null. `reasons` holds codes, null where all is well.
    """

    rows: Ints
    schema: Schema | None
    codec: Codec | None
    values: pa.Array
    reasons: pa.Array


class JsonColumn(NamedTuple):
    """JSON text (null where unreadable, null or empty), reason codes and schema ids (null without), row by row."""

    json: pa.Array
    reasons: pa.Array
    schema_ids: pa.Array


def decode(decoder: Decoder, payloads: pa.Array | pa.ChunkedArray, headers: pa.Array | None = None) -> Iterator[Group]:
    """Typed groups of a binary column; null and empty payloads are in none. `headers` as in a capture's segment."""
    return _counted(decoder, combined(payloads), headers, typed=True)


def _counted(decoder: Decoder, array: pa.Array, headers: pa.Array | None, *, typed: bool) -> Iterator[Group]:
    for group in _groups(decoder, array, headers, typed):
        if decoder.tally is not None:
            decoder.tally.add_column(decoder.topic, decoder.side, group.reasons)
        yield group


def decode_json(decoder: Decoder, payloads: pa.Array | pa.ChunkedArray, headers: pa.Array | None = None) -> JsonColumn:
    """JSON text of every decodable payload, whatever its format; text becomes a JSON string, bytes an object."""
    array = combined(payloads)
    places, texts, reasons, ids = [np.zeros(0, np.int64)], [], [], []
    for group in _counted(decoder, array, headers, typed=False):
        places.append(group.rows)
        texts.append(group_json(decoder, group, array, headers))
        reasons.append(group.reasons)
        known = None if group.schema is None else group.schema.id
        ids.append(pa.array([known] * len(group.rows), pa.int64()))
    order = np.full(len(array), -1)
    order[np.concatenate(places)] = np.arange(sum(map(len, places)))
    back = pa.array(order, mask=order < 0)
    whole = zip((texts, reasons, ids), (pa.string(), pa.string(), pa.int64()), strict=True)
    return JsonColumn(*(pa.concat_arrays([*parts, pa.array([], kind)]).take(back) for parts, kind in whole))


def group_json(decoder: Decoder, group: Group, array: pa.Array, headers: pa.Array | None) -> pa.Array:
    """JSON text of a group of the column `array`, row by row of the group.

    Of a JSON Schema's typed group it is the text of its columns only.
    """
    if group.codec is None:
        return pa.nulls(len(group.rows), pa.string())
    text = json_text(group.values, group.codec.field())
    fine = pa.array(~spread.valid(group.reasons))
    text = pc.if_else(fine, text.fill_null("null"), text)
    doubted = np.flatnonzero(spread.bools(pc.is_in(group.reasons, _DOUBTS)))
    if not len(doubted) or group.codec.format == "json":
        return text
    # What a typed column can't hold, a tree can.
    quiet = Decoder(decoder.codecs, decoder.topic, decoder.side, decoder.choice)
    said = pa.array(group.rows[doubted])
    every = combined(headers).take(said).to_pylist() if headers is not None else [()] * len(doubted)
    again = [
        quiet.decode(payload, [(item["key"], item["value"]) for item in named])
        for payload, named in zip(array.take(said).to_pylist(), every, strict=True)
    ]
    where = np.zeros(len(group.rows), bool)
    where[doubted] = True
    shown = pa.array([item.json if item.readable else None for item in again], pa.string())
    return pc.replace_with_mask(text, pa.array(where), shown)


def _groups(decoder: Decoder, array: pa.Array, headers: pa.Array | None, typed: bool) -> Iterator[Group]:
    ids, starts, ends = wire.ids_of(array)
    left = ends > starts
    choice = decoder.choice
    needs_schema = choice is None or (choice.schema is None and choice.format in NEED_SCHEMA)
    if needs_schema:
        for content, rows in _in_headers(decoder.side, headers, left):
            left[rows] = False
            try:
                frame = wire.read_header(content)
            except PayloadError as error:
                yield _unreadable(rows, None, error.reason)
                continue
            yield from _framed(decoder, array, frame, rows, starts[rows], typed)
        for id in np.unique(ids[left & (ids >= 0)]).tolist():
            rows = np.flatnonzero(left & (ids == id))
            left[rows] = False
            yield from _framed(decoder, array, wire.Frame(id), rows, starts[rows] + wire.PREFIX_SIZE, typed)
    elif choice is not None and choice.schema is not None:
        yield from _as_written(decoder, choice.schema, array, headers, left, typed)
    rows = np.flatnonzero(left)
    if choice is None:
        yield from _each_as_it_is(decoder, array, rows)
    elif needs_schema and len(rows):
        yield _unreadable(rows, None, Reason.NO_SCHEMA)
    elif len(rows):
        yield from _chosen(decoder, choice, array, rows, ids, typed)


def _as_written(
    decoder: Decoder, mine: Schema, array: pa.Array, headers: pa.Array | None, left: Bools, typed: bool
) -> Iterator[Group]:
    """Rows whose frame names a known schema of the same kind, as far as they can be read by it: it wrote them."""
    ids, starts, _ = wire.ids_of(array)
    framed = [(frame, rows, starts[rows]) for frame, rows in _frames(_in_headers(decoder.side, headers, left))]
    for id in np.unique(ids[left & (ids >= 0)]).tolist():
        rows = np.flatnonzero(left & (ids == id))
        framed.append((wire.Frame(id), rows, starts[rows] + wire.PREFIX_SIZE))
    for frame, rows, begin in framed:
        schema = decoder.codecs.book.find(frame.key)
        if schema is None or schema.kind != mine.kind:
            continue
        for group in _framed(decoder, array, frame, rows, begin, typed):
            good = spread.valid(group.values) & left[group.rows]
            if good.any():
                left[group.rows[good]] = False
                chosen = pa.array(good)
                yield Group(
                    group.rows[good], schema, group.codec, group.values.filter(chosen), group.reasons.filter(chosen)
                )


def _frames(headers: list[tuple[bytes, Ints]]) -> Iterator[tuple[wire.Frame, Ints]]:
    for content, rows in headers:
        with suppress(PayloadError):  # it makes no sense
            yield wire.read_header(content), rows


def _framed(
    decoder: Decoder, array: pa.Array, frame: wire.Frame, rows: Ints, starts: Ints, typed: bool
) -> Iterator[Group]:
    """Rows of one schema id or GUID; `starts` is where their bodies begin. Protobuf: one group a message type."""
    schema = decoder.codecs.book.find(frame.key)
    if schema is None:
        yield _unreadable(rows, None, Reason.UNKNOWN_SCHEMA_ID)
        return
    ends = spread.spans(array)[1][rows]
    if schema.kind != "protobuf":
        yield _group(decoder, schema, None, rows, spread.cut(array.buffers()[2], starts, ends), typed)
        return
    every = np.arange(len(rows))
    found = [(frame.indexes or b"\0", every)] if frame.in_header else wire.indexes_of(array, starts, ends)
    for raw, places in found:
        try:
            indexes, size = wire.read_indexes(raw)
        except PayloadError as error:
            yield _unreadable(rows[places], schema, error.reason)
            continue
        begin = starts[places] + (0 if frame.in_header else size)
        yield _group(decoder, schema, indexes, rows[places], spread.cut(array.buffers()[2], begin, ends[places]), typed)


def _group(
    decoder: Decoder, schema: Schema, indexes: tuple[int, ...] | None, rows: Ints, bodies: pa.Array, typed: bool
) -> Group:
    try:
        codec = decoder.codecs.of(schema, indexes)
    except PayloadError as error:
        if schema.kind != "json":
            return _unreadable(rows, schema, error.reason)
        text = decoder.codecs.plain("json")
        values, reasons = text.column(bodies)  # it needs no schema to be read
        return Group(rows, schema, text, values, reasons.fill_null(str(error.reason)))
    if isinstance(codec, JsonCodec) and not typed:
        return Group(rows, schema, decoder.codecs.plain("json"), *codec.text_column(bodies))
    return Group(rows, schema, codec, *codec.column(bodies))


def _chosen(decoder: Decoder, choice: Choice, array: pa.Array, rows: Ints, ids: Ints, typed: bool) -> Iterator[Group]:
    """Bare bodies as the choice says; with a schema from a file those that fail so are tried behind a frame."""
    if choice.schema is None:
        codec = decoder.codecs.plain(choice.format)
        yield Group(rows, None, codec, *codec.column(array.take(pa.array(rows))))
        return
    group = _group(decoder, choice.schema, None, rows, array.take(pa.array(rows)), typed)
    retry = ~spread.valid(group.values) & (ids[rows] >= 0)
    if not retry.any() or group.codec is None:
        yield group
        return
    framed = rows[retry]
    rest = pa.array(np.flatnonzero(~retry))
    if len(rest):
        yield Group(rows[~retry], group.schema, group.codec, group.values.take(rest), group.reasons.take(rest))
    again = [decoder.decode(payload) for payload in array.take(pa.array(framed)).to_pylist()]
    bodies = [decoded.body if decoded.readable else decoded.payload for decoded in again]
    yield _group(decoder, choice.schema, None, framed, pa.array(bodies, pa.binary()), typed)


def _each_as_it_is(decoder: Decoder, array: pa.Array, rows: Ints) -> Iterator[Group]:
    """Unframed rows without a choice: JSON where it is JSON, else text, else bytes."""
    if not len(rows):
        return
    looks = np.isin(spread.data_of(array)[spread.spans(array)[0][rows]], _JSON_STARTS)
    if looks.any():
        json = decoder.codecs.plain("json")
        values, reasons = json.column(array.take(pa.array(rows[looks])))
        good = spread.valid(values)
        chosen = pa.array(good)
        if good.any():
            yield Group(rows[looks][good], None, json, values.filter(chosen), reasons.filter(chosen))
        rows = np.sort(np.concatenate([rows[~looks], rows[looks][~good]]))
    payloads = array.take(pa.array(rows)).to_pylist()
    kinds: dict[Format, list[int]] = {}
    doubts: list[str | None] = []
    for at, payload in enumerate(payloads):
        decoded = decoder.unframed(payload)
        kinds.setdefault(decoded.codec.format if decoded.codec else "hex", []).append(at)
        doubts.append(None if decoded.reason is None else str(decoded.reason))
    for format, places in kinds.items():
        codec = decoder.codecs.plain(format)
        values = codec.column(pa.array([payloads[at] for at in places], pa.binary())).values
        yield Group(rows[places], None, codec, values, pa.array([doubts[at] for at in places], pa.string()))


def _unreadable(rows: Ints, schema: Schema | None, reason: Reason) -> Group:
    return Group(rows, schema, None, pa.nulls(len(rows)), pa.array([str(reason)] * len(rows), pa.string()))


def _in_headers(side: Side, headers: pa.Array | None, left: Bools) -> list[tuple[bytes, Ints]]:
    """(header value, rows) for the rows whose headers name a schema; the last of the name counts."""
    if headers is None:
        return []
    lists = combined(headers)
    entries = lists.flatten()
    named = spread.bools(
        pc.and_(pc.equal(entries.field("key"), wire.HEADER_NAMES[side]), entries.field("value").is_valid())
    )
    found: dict[bytes, list[int]] = {}
    if named.any():
        parents = np.asarray(pc.list_parent_indices(lists))[named].tolist()
        contents = entries.field("value").filter(pa.array(named)).to_pylist()
        for row, content in dict(zip(parents, contents, strict=True)).items():
            if left[row]:
                found.setdefault(content, []).append(row)
    return [(content, np.array(rows, np.int64)) for content, rows in found.items()]
