"""The functions that views call for what the database can't decode itself: `recorder.payloads`, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from recorder.payloads.reasons import Side
from recorder.payloads.rows import combined
from recorder.query.decoding import TopicDecoder
from recorder.query.sql_types import sql_type
from recorder.query.views import RAW_TYPES

Chunk: TypeAlias = "pa.Array | pa.ChunkedArray"

_FACTS = pa.struct([("json", pa.string()), ("reason", pa.string()), ("schema_id", pa.int64())])
# The stubs want members of enums that they don't let anybody import.
_HOW: dict[str, Any] = {"type": "arrow", "null_handling": "special"}


def create_payload_function(
    connection: duckdb.DuckDBPyConnection, name: str, decoder_of: Callable[[str, int], TopicDecoder | None]
) -> None:
    """`name(topic, side, payload, headers)`: a struct of json, reason and schema_id; nulls for an unknown topic.

    `decoder_of` is told of how many payloads it is asked for.
    """

    def payloads(topics: Chunk, sides: Chunk, payloads: Chunk, headers: Chunk) -> pa.Array:
        topic_names, side_names = combined(topics), combined(sides)
        bodies, pairs = combined(payloads), combined(headers)
        parts, places = [pa.nulls(0, _FACTS)], [pa.array([], pa.int64())]
        for side in ("key", "value"):
            for topic in pc.unique(topic_names).to_pylist():
                chosen = pc.and_(pc.equal(topic_names, pa.scalar(topic, pa.string())), pc.equal(side_names, side))
                rows = pc.indices_nonzero(chosen)
                decoder = decoder_of(topic, len(rows)) if topic is not None and len(rows) else None
                if decoder is not None:
                    parts.append(_facts(decoder, side, bodies.take(rows), pairs.take(rows)))
                    places.append(rows.cast(pa.int64()))
        back = pc.index_in(pa.array(range(len(bodies)), pa.int64()), pa.concat_arrays(places))
        return pa.concat_arrays(parts).take(back)

    kinds: list[Any] = ["VARCHAR", "VARCHAR", RAW_TYPES["value"], RAW_TYPES["headers"]]
    returned = "STRUCT(json VARCHAR, reason VARCHAR, schema_id BIGINT)"
    connection.create_function(name, payloads, kinds, connection.dtype(returned), **_HOW)


def create_typed_function(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    decoder: TopicDecoder,
    side: Side,
    asked: Callable[[int], None],
) -> None:
    """`name(payload, headers)`: a struct of the side's typed columns, c0, c1, …; JSON in them is text.

    `asked` is told the number of payloads.
    """

    def typed(payloads: Chunk, headers: Chunk) -> pa.Array:
        asked(len(payloads))
        return decoder.side(side, payloads, headers).typed

    plan = decoder.plan.key if side == "key" else decoder.plan.value
    returned = sql_type(pa.field(name, plan.struct), json="VARCHAR")
    kinds: list[Any] = [RAW_TYPES["value"], RAW_TYPES["headers"]]
    connection.create_function(name, typed, kinds, connection.dtype(returned), **_HOW)


def _facts(decoder: TopicDecoder, side: Side, bodies: pa.Array, headers: pa.Array) -> pa.StructArray:
    found = decoder.side(side, bodies, headers)
    return pa.StructArray.from_arrays([found.json, found.reasons, found.schema_ids], fields=list(_FACTS))
