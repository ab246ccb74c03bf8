"""Decode then encode gives the same bytes: for every codec that promises it, and for every payload left unchanged."""

from __future__ import annotations

import json
import math
import re
import uuid
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import assume, given
from hypothesis import strategies as st

from recorder.payloads.avro import AvroCodec
from recorder.payloads.choices import Choice
from recorder.payloads.codec import FORMATS, Codec
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.facets import cloud_event
from recorder.payloads.json_schema import JsonSchemaCodec
from recorder.payloads.json_text import JsonCodec
from recorder.payloads.primitives import BytesCodec, NumberCodec, TextCodec
from recorder.payloads.protobuf import ProtobufCodec
from recorder.payloads.schemas import Schema, SchemaBook
from tests.payloads.avro_schemas import TEXT, schema_of, schemas, write
from tests.payloads.test_protobuf import CODEC, KIND, SCHEMA, payments

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(-1e15, 1e15) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {"id": TEXT, "source": TEXT, "specversion": st.just("1.0"), "type": TEXT}, optional={"data": JSON, "subject": TEXT}
)
UNKNOWN = st.lists(st.tuples(st.integers(100, 5000), st.binary(max_size=8)), max_size=3)


def test_every_codec_that_promises_it_is_here() -> None:
    promising = {codec.format for codec in (AvroCodec, ProtobufCodec, BytesCodec) if codec.exact}
    promising |= {"text", "uuid"} if TextCodec.exact else set()
    promising |= {"short", "int", "long", "float", "double"} if NumberCodec.exact else set()
    assert promising == set(FORMATS) - {"json", "json-schema"}
    assert not JsonCodec.exact and not JsonSchemaCodec.exact


def back(codec: Codec, body: bytes, *, like: bool = False) -> bytes:
    return codec.encode(codec.decode(body).value, body if like else None)


@pytest.mark.parametrize(("format", "size"), [("short", 2), ("int", 4), ("long", 8), ("float", 4), ("double", 8)])
@given(data=st.data())
def test_java_numbers(format: Any, size: int, data: st.DataObject) -> None:
    body = data.draw(st.binary(min_size=size, max_size=size))
    value = NumberCodec(format).decode(body).value
    assume(not (isinstance(value, float) and math.isnan(value)))  # a NaN has many spellings; Java writes one
    assert back(NumberCodec(format), body) == body


@given(st.uuids(), st.booleans())
def test_uuids(value: uuid.UUID, upper: bool) -> None:
    text = str(value).upper() if upper else str(value)
    assert back(TextCodec("uuid"), text.encode()) == text.encode()


@given(TEXT, st.binary())
def test_text_and_bytes(text: str, raw: bytes) -> None:
    assert back(TextCodec(), text.encode()) == text.encode()
    assert back(BytesCodec(), raw) == raw


@given(schemas(), st.data())
def test_avro_with_unions_maps_and_logical_types(pair: tuple[Any, st.SearchStrategy[Any]], data: st.DataObject) -> None:
    schema, values = pair
    body = write(schema, data.draw(values))
    assert back(AvroCodec(schema_of(schema), {}), body) == body


@given(payments(), UNKNOWN)
def test_protobuf_with_fields_that_nobody_knows(message: Message, unknown: list[tuple[int, bytes]]) -> None:
    rest = b"".join(_varint(number << 3 | 2) + _varint(len(raw)) + raw for number, raw in unknown)
    body = message.SerializeToString(deterministic=True) + rest
    again = back(CODEC, body, like=True)
    assert again.endswith(rest)
    assert KIND.FromString(again) == KIND.FromString(body)
    if _in_order(message) and _in_order(message.parent):  # type: ignore[attr-defined]
        assert again == body


@given(JSON)
def test_json_as_most_libraries_write_it(value: Any) -> None:
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    spaced = json.dumps(value, ensure_ascii=False).encode()
    for codec in (JsonCodec(), JsonSchemaCodec(Schema("json", "{}"), {})):
        assert json.loads(back(codec, compact, like=True)) == value
        if not re.search(r"\de", repr(value)):  # floats with an exponent are spelt in several ways
            assert back(codec, compact, like=True) == compact
            assert back(codec, spaced, like=True) == spaced


@given(EVENTS, JSON, st.booleans())
def test_cloud_events_of_both_modes(event: dict[str, Any], data: Any, binary: bool) -> None:
    decoder = Decoder(Codecs(SchemaBook()), "t", "value")
    headers = [(f"ce_{name}", event[name].encode()) for name in ("id", "source", "specversion", "type")]
    payload = json.dumps(data if binary else event).encode()
    decoded = decoder.decode(payload, headers if binary else ())
    assert decoded.encode(decoded.value) == payload
    found = cloud_event(decoded.value, headers if binary else ())
    assert found is not None
    assert (found.mode, found.attributes["id"]) == ("binary" if binary else "structured", event["id"])


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.sampled_from([None, *FORMATS]))
def test_a_payload_that_nobody_changes_keeps_its_bytes(payload: bytes, format: Any) -> None:
    book = SchemaBook([SCHEMA, schema_of("string", 7), Schema("json", "{}", 8)])
    decoded = Decoder(Codecs(book), "t", "value", None if format is None else Choice(format)).decode(payload)
    if decoded.readable:
        assert decoded.encode(decoded.value) == payload


def _in_order(message: Any) -> bool:
    """Maps have no order."""
    return len(message.counts) < 2 and len(message.others) < 2 and not message.HasField("extra")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
