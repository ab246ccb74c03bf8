"""Captures with schemas inside and payloads framed as Confluent's serializers frame them, without a registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recorder.capture.reader import Capture
from recorder.payloads import wire
from recorder.payloads.avro import AvroCodec
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.payloads.snapshot import replace_schemas


def avro(id: int, name: str, *fields: tuple[Any, ...], version: int = 1, subject: str = "orders-value") -> Schema:
    """An Avro record; each field is (name, type) or (name, type, default)."""
    described = [dict(zip(("name", "type", "default"), field, strict=False)) for field in fields]
    text = json.dumps({"type": "record", "name": name, "fields": described})
    return Schema("avro", text, id=id, subjects=(SubjectVersion(subject, version),))


def framed(schema: Schema, value: Any) -> bytes:
    """A value as its serializer writes it."""
    assert schema.id is not None
    return wire.Frame(schema.id).write() + AvroCodec(schema, {}).encode(value)


def with_schemas(capture: Capture, *schemas: Schema) -> Capture:
    """The same capture with schemas in it."""
    assert isinstance(capture.root, Path)
    return replace_schemas(capture, schemas, {})
