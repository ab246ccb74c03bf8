"""What Avro and Protobuf payloads say that their bytes don't spell: numbers, dates, decimals, UUIDs.

Read back by the capture's own decoders, which share nothing with what rewrote them, so that the proof can search such
leaves as it does those of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitizers.proof.needles import ROW
from recorder.payloads import wire
from recorder.payloads.columns import decode_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.reasons import Side
from recorder.payloads.schemas import Schema, SchemaBook
from recorder.payloads.spread import Bools

_LEAF = re.compile(r'[:\[,{]"?(-?\d[^",\]}]*|[0-9a-fA-F]{8}-[^",\]}]*)')
"""A leaf of JSON text that isn't its bytes' own spelling: all of these begin as a number or a UUID does."""
_SIDES: tuple[Side, ...] = ("key", "value")


class DecodedLeaves:
    """Finds such leaves in batches of records."""

    def __init__(self, schemas: Sequence[Schema]) -> None:
        self._codecs = Codecs(SchemaBook(schemas))
        self._idle = all(schema.kind == "json" for schema in schemas)
        self._decoders: dict[tuple[str, Side], Decoder] = {}

    def of(self, batch: pa.RecordBatch) -> Iterator[tuple[str, list[bytes]]]:
        """(key or value, for each row its leaves, one a line) of a batch of one topic that has framed payloads."""
        if self._idle or not batch.num_rows:
            return
        topic = batch.column("topic")[0].as_py()
        for side in _SIDES:
            column, headers = batch.column(side), batch.column("headers")
            framed = _framed(column, headers, side)
            if not framed.any():
                continue
            decoder = self._decoders.setdefault((topic, side), Decoder(self._codecs, topic, side))
            texts = pc.if_else(pa.array(framed), decode_json(decoder, column, headers).json, None).to_pylist()
            yield side, [ROW.join(leaf.encode() for leaf in _LEAF.findall(text)) if text else b"" for text in texts]


def lines(rows: Sequence[bytes]) -> bytes:
    """The leaves of all rows, each between two line ends."""
    return ROW.join((b"", *(row for row in rows if row), b""))


def _framed(column: pa.Array, headers: pa.Array, side: Side) -> Bools:
    """Which payloads begin with a frame; all of them when headers name schemas."""
    names = headers.flatten().field("key")
    if len(names) and pc.any(pc.equal(names, wire.HEADER_NAMES[side])).as_py():
        return np.ones(len(column), np.bool_)
    framed: Bools = wire.ids_of(column)[0] >= 0
    return framed
