"""Batches of records with their keys and values decoded: JSON text, the reason where there is none, typed columns.

What is needed for it is plain data (`TopicPlan`), so that worker processes can do the same as the one that asks.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder.payloads import spread
from recorder.payloads.choices import Choice
from recorder.payloads.codec import Format
from recorder.payloads.columns import Group, decode, decode_json, group_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.reasons import DOUBTS, Side
from recorder.payloads.rows import combined
from recorder.payloads.schemas import Schema, SchemaBook
from recorder.query.merging import align, plain_fields

NO_FORMAT = "no known format"
"""Neither framed, nor JSON, nor text, and nobody said what it is."""
_DOUBTS = pa.array([str(reason) for reason in DOUBTS])


@dataclass(frozen=True, slots=True)
class SidePlan:
    """How keys or values of a topic are decoded: a choice (None: each as what it is) and the typed columns."""

    side: Side
    choice: Choice | None = None
    format: Format | None = None
    columns: tuple[pa.Field, ...] = ()

    @property
    def struct(self) -> pa.StructType:
        return pa.struct(plain_fields(self.columns))


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How a topic's records are decoded."""

    topic: str
    key: SidePlan
    value: SidePlan

    def fingerprint(self, schemas: Sequence[Schema]) -> str:
        """Hexadecimal; the same whenever the same bytes give the same columns."""
        known = sorted(f"{schema.id}/{schema.guid}/{schema.fingerprint}" for schema in schemas)
        said = [
            (
                side.side,
                side.format,
                None if side.choice is None else side.choice.format,
                None if side.choice is None or side.choice.schema is None else side.choice.schema.fingerprint,
                [f"{column.name} {column.type} {column.metadata}" for column in side.columns],
            )
            for side in (self.key, self.value)
        ]
        return hashlib.sha256(msgspec.json.encode((known, said))).hexdigest()[:32]


class Decoded(NamedTuple):
    """Row by row of a column of payloads: `json` text (null where there is none), `reasons`, schema ids, columns."""

    json: pa.Array
    reasons: pa.Array
    schema_ids: pa.Array
    typed: pa.StructArray


class TopicDecoder:
    """Decodes a topic's payloads as planned; threads may share it."""

    def __init__(self, plan: TopicPlan, codecs: Codecs) -> None:
        self.plan = plan
        self._codecs = codecs
        self._lock = threading.Lock()

    def side(self, side: Side, payloads: pa.Array | pa.ChunkedArray, headers: pa.Array | pa.ChunkedArray) -> Decoded:
        """Never raises for what a payload holds."""
        plan = self.plan.key if side == "key" else self.plan.value
        decoder = Decoder(self._codecs, self.plan.topic, side, plan.choice)
        with self._lock:
            return _decode(decoder, plan, combined(payloads), combined(headers))

    def batch(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Records (RECORD_SCHEMA) with `key_json`, `key_reason`, `key_schema_id`, `k`, and the same of values."""
        arrays, columns = list(records.columns), list(records.schema)
        headers = records.column("headers")
        for side, short in (("key", "k"), ("value", "v")):
            found = self.side(side, records.column(side), headers)  # type: ignore[arg-type]
            arrays += [found.json, found.reasons, found.schema_ids]
            columns += [
                pa.field(f"{side}_json", pa.string()),
                pa.field(f"{side}_reason", pa.string()),
                pa.field(f"{side}_schema_id", pa.int64()),
            ]
            if found.typed.type.num_fields:
                arrays.append(found.typed)
                columns.append(pa.field(short, found.typed.type))
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(columns))


def decoder_of(plan: TopicPlan, schemas: Sequence[Schema]) -> TopicDecoder:
    return TopicDecoder(plan, Codecs(SchemaBook(schemas)))


def _decode(decoder: Decoder, plan: SidePlan, array: pa.Array, headers: pa.Array) -> Decoded:
    places = [np.zeros(0, np.int64)]
    texts, reasons, ids, typed = [], [], [], []
    for group in decode(decoder, array, headers):
        places.append(group.rows)
        ids.append(pa.array([group.schema.id if group.schema else None] * len(group.rows), pa.int64()))
        if plan.columns and group.codec is not None:
            typed.append(align(group.values, group.codec.field(), plan.columns))
        else:
            typed.append(pa.nulls(len(group.rows), plan.struct))
        text, said = _text(decoder, plan, group, array, headers)
        texts.append(text)
        reasons.append(said)
    order = np.full(len(array), -1)
    order[np.concatenate(places)] = np.arange(sum(map(len, places)))
    back = pa.array(order, mask=order < 0)
    kinds = (pa.string(), pa.string(), pa.int64(), plan.struct)
    return Decoded(
        *(
            pa.concat_arrays([*parts, pa.nulls(0, kind)]).take(back)
            for parts, kind in zip((texts, reasons, ids, typed), kinds, strict=True)
        )
    )


def _text(
    decoder: Decoder, plan: SidePlan, group: Group, array: pa.Array, headers: pa.Array
) -> tuple[pa.Array, pa.Array]:
    """JSON text and reasons of a group."""
    format = None if group.codec is None else group.codec.format
    if format == "hex" and plan.choice is None:
        return pa.nulls(len(group.rows), pa.string()), group.reasons.fill_null(NO_FORMAT)
    if format == "json-schema":
        # Its columns hold what the schema names; the text holds all.
        rows = pa.array(group.rows)
        return decode_json(decoder, array.take(rows), headers.take(rows)).json, group.reasons
    text = group_json(decoder, group, array, headers)
    if format == "text" and plan.choice is None:
        text = _scalars(text, group.values)
    unreadable = ~(spread.bools(pc.is_in(group.reasons, _DOUBTS)) | ~spread.valid(group.reasons))
    return spread.keep(text, ~unreadable), group.reasons


def _scalars(text: pa.Array, plain: pa.Array) -> pa.Array:
    """Text that is JSON's number, true, false, null or string already stays that."""
    looks = pc.match_substring_regex(plain, r'^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|null|".*")$')
    if not looks.true_count:
        return text
    shown = []
    for said, is_json, raw in zip(text.to_pylist(), looks.to_pylist(), plain.to_pylist(), strict=True):
        if is_json:
            try:
                msgspec.json.decode(raw)
                said = raw
            except (msgspec.DecodeError, ValueError):
                pass
        shown.append(said)
    return pa.array(shown, pa.string())
