"""Avro bodies as trees: bytes come back exactly, unions keep their branch, and what is broken has a reason."""

from __future__ import annotations

import datetime
import io
import uuid
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.payloads.avro import AvroCodec
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.schemas import Schema
from recorder.payloads.values import to_json
from tests.payloads.avro_schemas import schema_of, schemas, write


def codec(schema: Any) -> AvroCodec:
    return AvroCodec(schema_of(schema), {})


def record(**fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}


@given(data=st.data(), pair=schemas())
def test_bytes_come_back_exactly(data: st.DataObject, pair: Any) -> None:
    schema, values = pair
    body = write(schema, data.draw(values))
    avro = codec(schema)
    value, _ = avro.decode(body)
    assert avro.encode(value) == body
    to_json(value)


def test_logical_types_read_as_people_write_them() -> None:
    schema = record(
        amount={"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        day={"type": "int", "logicalType": "date"},
        at={"type": "long", "logicalType": "timestamp-micros"},
        clock={"type": "int", "logicalType": "time-millis"},
        id={"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"},
    )
    out = io.BytesIO()
    known = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    fastavro.schemaless_writer(
        out,
        fastavro.parse_schema({**schema, "fields": schema["fields"][:4]}),
        {
            "amount": Decimal("-12.50"),
            "day": datetime.date(2026, 3, 14),
            "at": datetime.datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=datetime.UTC),
            "clock": datetime.time(15, 9, 26, 535000),
        },
    )
    value, doubt = codec(schema).decode(out.getvalue() + known.bytes)
    assert doubt is None
    assert to_json(value) == (
        '{"amount":"-12.50","day":"2026-03-14","at":"2026-03-14T15:09:26.535897Z",'
        '"clock":"15:09:26.535","id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}'
    )


def test_a_time_without_a_year_of_four_digits_stays_the_number() -> None:
    avro = codec({"type": "long", "logicalType": "timestamp-millis"})
    body = write("long", 2**62)
    assert avro.decode(body).value == 2**62
    assert avro.encode(2**62) == body


def test_a_union_of_several_kinds_says_which() -> None:
    avro = codec(["null", "int", "long", "string"])
    assert avro.decode(write(["null", "int", "long", "string"], ("long", 5))).value == {"long": 5}
    assert avro.decode(b"\0").value is None


def test_a_recursive_schema_reads_as_deep_as_the_body_goes_and_no_deeper() -> None:
    schema = record(next=["null", "R"])
    avro = codec(schema)
    assert avro.decode(b"\2\2\0").value == {"next": {"next": {"next": None}}}
    with pytest.raises(PayloadError, match="too deep"):
        avro.decode(b"\2" * 10_000 + b"\0")


@pytest.mark.parametrize(
    ("schema", "body", "reason"),
    [
        ("string", b"\x0aab", Reason.TRUNCATED),
        ("string", b"", Reason.TRUNCATED),
        ("string", b"\x02ab", Reason.TRAILING_BYTES),
        ("string", b"\x01", Reason.MALFORMED),
        ("boolean", b"\x02", Reason.MALFORMED),
        ("long", b"\xff" * 11, Reason.MALFORMED),
        ("int", b"\xff\xff\xff\xff\xff\x01", Reason.MALFORMED),
        (["null", "int"], b"\x04", Reason.MALFORMED),
        ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", Reason.TOO_LARGE),
        ({"type": "array", "items": "int"}, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", Reason.TRUNCATED),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02", Reason.MALFORMED),
    ],
)
def test_what_is_broken_has_a_reason(schema: Any, body: bytes, reason: Reason) -> None:
    with pytest.raises(PayloadError) as caught:
        codec(schema).decode(body)
    assert caught.value.reason is reason


def test_text_that_is_not_utf8_is_shown_as_bytes_and_comes_back() -> None:
    avro = codec("string")
    value, doubt = avro.decode(b"\x04\xff\xfe")
    assert (value, doubt) == (b"\xff\xfe", Reason.INVALID_UTF8)
    assert avro.encode(value) == b"\x04\xff\xfe"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '"nothing"',
        '{"type":"record"}',
        '{"type":"record","name":"R","fields":[{"name":"a","type":[]}]}',
        "[" * 5000 + "]" * 5000,
        '{"__fastavro_parsed__":true,"type":"record"}',
        '{"type":{"type":{"type":null}}}',
        '{"type":"enum","name":"E"}',
        '{"type":"fixed","name":"E","size":-1}',
        '{"type":"fixed","name":"E","size":"x"}',
    ],
)
def test_a_schema_that_is_none_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(PayloadError):
        AvroCodec(Schema("avro", text), {})


def test_a_value_that_does_not_fit_is_refused() -> None:
    avro = codec(record(a="int", b=["null", "string"]))
    for value in (
        {"a": "x", "b": None},
        {"a": 1},
        {"a": 2**31, "b": None},
        {"a": 1, "b": 2},
        {"a": 1, "b": "", "c": 1},
    ):
        with pytest.raises(PayloadError, match="does not fit"):
            avro.encode(value)


@given(st.binary(max_size=60))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    schema = record(
        a=["null", "string"], b={"type": "array", "items": "R"}, c={"type": "map", "values": "double"}, d="bytes"
    )
    try:
        value, _ = codec(schema).decode(body)
    except PayloadError:
        return
    to_json(value)
