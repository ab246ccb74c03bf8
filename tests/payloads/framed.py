"""Captures that hold schemas: a topic in Avro that evolves, and what goes wrong in such a topic."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from recorder.capture.manifest import MANIFEST_NAME, encode
from recorder.capture.reader import Capture, open_capture
from recorder.capture.schema import Record
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.payloads.snapshot import write_schemas
from tests.builders import make_capture

_PRICE = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
_FIRST = [{"name": "id", "type": "long"}, {"name": "price", "type": _PRICE}]
_LINE = {"type": "record", "name": "Line", "fields": [{"name": "sku", "type": "string"}]}
_SECOND = [
    {"name": "id", "type": ["null", "long", "string"]},
    {"name": "placed", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "price", "type": _PRICE},
    {"name": "lines", "type": {"type": "array", "items": _LINE}},
]


def _order(number: int, version: int, fields: Sequence[dict[str, Any]]) -> Schema:
    text = json.dumps({"type": "record", "name": "Order", "fields": fields})
    return Schema("avro", text, id=number, subjects=(SubjectVersion("orders-value", version),))


FIRST, SECOND = _order(7, 1, _FIRST), _order(9, 2, _SECOND)


def framed(schema: Schema, value: Any) -> bytes:
    """Avro behind Confluent's prefix."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema.text)), value)
    return struct.pack(">bI", 0, schema.id or 0) + out.getvalue()


def capture_with(root: Path, records: Sequence[Record], schemas: Sequence[Schema] = (FIRST, SECOND)) -> Capture:
    """A capture that holds these schemas."""
    capture = make_capture(root, records)
    manifest = msgspec.structs.replace(capture.manifest, schemas=write_schemas(root, schemas))
    (root / MANIFEST_NAME).write_bytes(encode(manifest))
    return open_capture(root)
