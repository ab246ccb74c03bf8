"""Payloads of a topic: each says what it is, or a choice does, and nothing fails in silence."""

from __future__ import annotations

import uuid
from typing import Any

import pyarrow as pa
import pytest

from recorder.capture.schema import HEADERS_TYPE
from recorder.payloads.choices import Choice
from recorder.payloads.columns import decode, decode_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.reasons import Reason, Tally
from recorder.payloads.schemas import Schema, SchemaBook
from tests.payloads.avro_schemas import schema_of, write

GUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
BOOK = SchemaBook([schema_of("string", 7), Schema("avro", '"long"', id=8, guid=GUID), Schema("avro", "{", id=9)])
FRAME = b"\0\0\0\0"
PAYLOADS: list[tuple[bytes | None, str, Any, Reason | None]] = [
    (None, "null", None, None),
    (b"", "empty", None, None),
    (FRAME + b"\7\4hi", "avro", "hi", None),
    (FRAME + b"\7\4h", "avro", None, Reason.TRUNCATED),
    (FRAME + b"\x08\2", "avro", 1, None),
    (FRAME + b"\x09\2", "avro", None, Reason.BAD_SCHEMA),
    (FRAME + b"\x63\2", "hex", None, Reason.UNKNOWN_SCHEMA_ID),
    (b'{"a":1}', "json", {"a": 1}, None),
    (b'{"a":1', "text", '{"a":1', Reason.MALFORMED),
    (b"hello", "text", "hello", None),
    (b"\xff\xfe", "hex", b"\xff\xfe", None),
]


def decoder(choice: Choice | None = None) -> Decoder:
    return Decoder(Codecs(BOOK), "payments", "value", choice, Tally())


@pytest.mark.parametrize(("payload", "format", "value", "reason"), PAYLOADS)
def test_each_payload_says_what_it_is(payload: bytes | None, format: str, value: Any, reason: Reason | None) -> None:
    decoded = decoder().decode(payload)
    assert (decoded.format, decoded.value, decoded.reason) == (format, value, reason)
    assert decoded.payload == payload
    assert not decoded.readable or decoded.exact


def test_a_column_decodes_as_its_payloads_do() -> None:
    payloads = pa.array([payload for payload, *_ in PAYLOADS], pa.binary())
    rows, columns = decoder(), decoder()
    json = decode_json(columns, payloads)
    decoded = [rows.decode(payload) for payload in payloads.to_pylist()]
    assert json.json.to_pylist() == [item.json if item.readable else None for item in decoded]
    assert json.reasons.to_pylist() == [item.reason for item in decoded]
    assert json.schema_ids.to_pylist() == [item.schema.id if item.schema else None for item in decoded]
    assert list(rows.tally or ()) == list(columns.tally or ())


def test_typed_groups_cover_every_payload_once() -> None:
    payloads = pa.array([payload for payload, *_ in PAYLOADS] * 2, pa.binary())
    groups = list(decode(decoder(), payloads))
    assert sorted(row for group in groups for row in group.rows.tolist()) == [
        row for row, payload in enumerate(payloads.to_pylist()) if payload
    ]
    found = {group.schema.id: group.values.to_pylist() for group in groups if group.schema and group.codec}
    assert found == {7: ["hi", None] * 2, 8: [1, 1]}


def test_a_schema_named_in_a_header_is_found_by_guid() -> None:
    headers = [("other", b"x"), ("__value_schema_id", b"\1" + uuid.UUID(GUID).bytes)]
    decoded = decoder().decode(b"\2", headers)
    assert (decoded.value, decoded.schema, decoded.encode(2)) == (1, BOOK.find(GUID), b"\4")
    column = pa.array([[{"key": name, "value": value} for name, value in headers], []])
    assert decode_json(decoder(), pa.array([b"\2", b"x"]), column).json.to_pylist() == ["1", '"x"']
    groups = list(decode(decoder(), pa.array([b"\2", b"x"]), column))
    assert [(group.rows.tolist(), group.values.to_pylist()) for group in groups] == [([0], [1]), ([1], ["x"])]


def test_a_changed_value_keeps_frame_and_schema() -> None:
    decoded = decoder().decode(FRAME + b"\7\4hi")
    assert decoded.encode("you") == FRAME + b"\7\6you"


def test_a_schema_from_a_file_reads_bare_and_framed_payloads() -> None:
    mine = schema_of({"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]})
    body = write({"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}, {"a": "hello"})
    chosen = decoder(Choice("avro", mine))
    assert chosen.decode(body).value == {"a": "hello"}
    assert chosen.decode(FRAME + b"\x63" + body).value == {"a": "hello"}
    groups = list(decode(chosen, pa.array([body, FRAME + b"\x63" + body, b"\xff"])))
    values = {
        row: value for group in groups for row, value in zip(group.rows.tolist(), group.values.to_pylist(), strict=True)
    }
    assert values == {0: {"a": "hello"}, 1: {"a": "hello"}, 2: None}


def test_what_a_payload_was_written_with_counts_before_a_schema_from_a_file() -> None:
    """Read by another schema, a string's bytes can be a number's: nobody would notice."""
    chosen = decoder(Choice("avro", schema_of("long")))
    payloads = [FRAME + b"\7\4hi", FRAME + b"\x08\2", b"\4", FRAME + b"\x63\2", FRAME + b"\7\4h"]
    headers: Any = [(), (), [("__value_schema_id", FRAME + b"\7")], (), ()]
    payloads[2] = b"\2a"
    decoded = [chosen.decode(payload, named) for payload, named in zip(payloads, headers, strict=True)]
    assert [item.value for item in decoded] == ["hi", 1, "a", 1, None]
    column = pa.array([[{"key": name, "value": value} for name, value in named] for named in headers], HEADERS_TYPE)
    found = decode_json(chosen, pa.array(payloads), column).json.to_pylist()
    assert found == ['"hi"', "1", '"a"', "1", None]


def test_a_format_that_needs_a_schema_says_that_it_has_none() -> None:
    assert decoder(Choice("avro")).decode(b"abc").reason is Reason.NO_SCHEMA
    assert decoder(Choice("avro")).decode(FRAME + b"\x63abc").reason is Reason.UNKNOWN_SCHEMA_ID
    assert decoder(Choice("avro")).decode(FRAME + b"\7\4hi").value == "hi"


@pytest.mark.parametrize(
    ("format", "payload", "value"),
    [
        ("short", b"\0\1", 1),
        ("int", b"\xff\xff\xff\xff", -1),
        ("long", b"\0" * 7 + b"\5", 5),
        ("float", b"\x3f\x80\0\0", 1.0),
        ("double", b"\x3f\xf0" + b"\0" * 6, 1.0),
        ("uuid", GUID.encode(), GUID),
        ("text", b"\0abc", "\0abc"),
        ("hex", b"{}", b"{}"),
    ],
)
def test_java_serializations_and_text(format: Any, payload: bytes, value: Any) -> None:
    decoded = decoder(Choice(format)).decode(payload)
    assert (decoded.value, decoded.exact) == (value, True)
    (group,) = decode(decoder(Choice(format)), pa.array([payload]))
    assert group.values.to_pylist() == [value]


def test_a_number_of_the_wrong_length_is_counted() -> None:
    chosen = decoder(Choice("long"))
    chosen.decode(b"abc")
    chosen.decode(b"abcd")
    assert list(chosen.tally or ()) == [("payments", "value", Reason.WRONG_LENGTH, 2)]


def test_the_same_value_gives_the_same_bytes_however_they_were_written() -> None:
    decoded = decoder().decode(b'{"a": 1.50, "a": 2}')
    assert decoded.encode({"a": 2}) == decoded.payload
    assert (decoded.exact, decoded.encode({"a": 3})) == (False, b'{"a": 3}')
