"""JSON Schema gives columns their types; what does not fit is null there, named, and whole in the JSON text."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from recorder.payloads.columns import decode, decode_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.json_schema import JsonSchemaCodec
from recorder.payloads.json_validation import validator
from recorder.payloads.reasons import PayloadError, Reason, Tally
from recorder.payloads.schemas import Reference, Schema, SchemaBook, SubjectVersion


def codec(schema: Any, **others: Any) -> JsonSchemaCodec:
    return JsonSchemaCodec(
        Schema("json", json.dumps(schema)), {name: Schema("json", json.dumps(other)) for name, other in others.items()}
    )


SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "count": {"type": ["null", "integer"]},
        "rate": {"oneOf": [{"type": "null"}, {"type": "number"}]},
        "tags": {"type": "array", "items": {"$ref": "#/definitions/Tag"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {},
        "parent": {"$ref": "#"},
    },
    "definitions": {"Tag": {"type": "object", "properties": {"name": {"type": "string"}}}},
}


def test_the_type_is_the_schemas() -> None:
    kind = codec(SCHEMA).field().type
    assert kind.field("count").type == pa.int64()
    assert kind.field("rate").type == pa.float64()
    assert kind.field("tags").type.value_type == pa.struct([("name", pa.string())])
    assert kind.field("labels").type == pa.map_(pa.string(), pa.string())
    assert kind.field("free").metadata == kind.field("parent").metadata == {b"json": b"1"}


def test_values_stand_in_their_columns_and_the_rest_as_json() -> None:
    body = {
        "id": "a",
        "count": 1,
        "rate": 2,
        "tags": [{"name": "x"}],
        "labels": {"k": "v"},
        "free": [1],
        "parent": {"id": "b"},
    }
    values, reasons = codec(SCHEMA).column(
        pa.array([json.dumps(body).encode(), b"{}", None, b"{", b'{"count":"x","id":"b"}'])
    )
    first, empty, *_, odd = values.to_pylist()
    assert first == {**body, "labels": [("k", "v")], "free": "[1]", "parent": '{"id":"b"}'}
    assert set(empty.values()) == {None}
    assert (odd["id"], odd["count"]) == ("b", None)
    assert reasons.to_pylist() == [None, None, None, "malformed", "does not fit the schema"]


def test_references_by_name_are_followed_and_none_outside() -> None:
    kind = (
        codec(
            {"type": "object", "properties": {"a": {"$ref": "b.json"}, "x": {"$ref": "http://there/c.json"}}},
            **{"b.json": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        )
        .field()
        .type
    )
    assert kind.field("a").type == pa.struct([("n", pa.int64())])
    assert kind.field("x").metadata == {b"json": b"1"}


def test_the_json_text_is_the_payloads_own() -> None:
    base = Schema("json", '{"type":"integer"}', 1, None, (SubjectVersion("n", 1),))
    schema = Schema(
        "json", '{"type":"object","properties":{"n":{"$ref":"n.json"}}}', 2, references=(Reference("n.json", "n", 1),)
    )
    decoder = Decoder(Codecs(SchemaBook([base, schema])), "t", "value")
    payloads = pa.array([b'\0\0\0\0\2{"n": 1.50, "more": true}', b'\0\0\0\0\2{"n": 7}'])
    assert decode_json(decoder, payloads).json.to_pylist() == ['{"n": 1.50, "more": true}', '{"n": 7}']
    (group,) = decode(decoder, payloads)
    assert group.values.to_pylist() == [{"n": None}, {"n": 7}]
    assert group.reasons.to_pylist() == ["does not fit the schema", None]
    decoded = decoder.decode(payloads[1].as_py())
    assert (decoded.format, decoded.encode({"n": 8})) == ("json-schema", b'\0\0\0\0\2{"n": 8}')


STRICT = {
    "type": "object",
    "properties": {"id": {"type": "string", "pattern": "^p-"}, "cents": {"type": "integer", "minimum": 0}},
    "required": ["id"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"id": "p-1", "cents": 1}', None),
        ('{"cents": 1}', Reason.MISMATCH),
        ('{"id": "q-1"}', Reason.MISMATCH),
        ('{"id": "p-1", "cents": -1}', Reason.MISMATCH),
        ('{"id": "p-1", "more": 1}', Reason.MISMATCH),
        ('{"id": "p-1", "cents": 18446744073709551616}', Reason.BEYOND_64_BITS),
        ('["p-1"]', Reason.MISMATCH),
        ('{"id": "p-1"', Reason.MALFORMED),
    ],
)
def test_a_record_that_violates_its_schema_is_a_named_doubt_and_readable(body: str, reason: Reason | None) -> None:
    decoder = Decoder(Codecs(SchemaBook([Schema("json", json.dumps(STRICT), 2)])), "t", "value", tally=Tally())
    payload = b"\0\0\0\0\2" + body.encode()
    decoded = decoder.decode(payload)
    assert (decoded.reason, decoded.readable) == (reason, reason is not Reason.MALFORMED)
    found = decode_json(decoder, pa.array([payload]))
    assert found.reasons.to_pylist() == [reason]
    assert [text and json.loads(text) for text in found.json.to_pylist()] == [decoded.value]
    (group,) = decode(decoder, pa.array([payload]))
    assert group.reasons.to_pylist() == [reason]
    assert list(decoder.tally or ()) == ([("t", "value", reason, 3)] if reason else [])


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"items": [{"type": "integer"}]}, ["x"], False),  # draft 7 where nothing is said
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [False]}, ["x"], False),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 5, "exclusiveMaximum": True}, 5, False),
        ({"$schema": "http://example.com/own", "maximum": 5}, 6, False),
        ({"format": "date"}, "no date", True),
        ({"$ref": "http://127.0.0.1:1/x.json"}, 1, True),
        ({"$ref": "file:///etc/hostname"}, 1, True),
        ({"$id": "http://e.x/a/b.json", "$ref": "c.json"}, "no integer", False),
        ({"$ref": "c.json#/definitions/d"}, "no integer", False),
        ({"$ref": "#"}, 1, True),
        ({"type": "string", "pattern": "^(?=a)(a+)+$"}, "a" * 50 + "b", False),
        (True, 1, True),
        (False, 1, False),
    ],
)  # fmt: skip
def test_all_drafts_are_checked_and_nothing_is_fetched(schema: Any, value: Any, fits: bool) -> None:
    other = {"type": "integer", "definitions": {"d": {"type": "integer"}}}
    assert validator(schema, {"c.json": other})(value) is fits


def test_a_schema_that_bombs_is_refused_and_recursion_is_not() -> None:
    steps = {f"d{n}": {"allOf": [{"$ref": f"#/definitions/d{n + 1}"}] * 2} for n in range(40)}
    with pytest.raises(PayloadError, match="expand to more than"):
        validator({"definitions": {**steps, "d40": {"type": "integer"}}, "$ref": "#/definitions/d0"}, {})
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    assert validator({"allOf": [{"properties": {"a": {"$ref": "#"}}}] * 2}, {})(deep)


@pytest.mark.parametrize("text", ["{", "7", '{"type": "strng"}', '{"$ref": "#/definitions/none"}'])
def test_json_can_be_read_without_a_schema_that_is_broken(text: str) -> None:
    decoder = Decoder(Codecs(SchemaBook([Schema("json", text, 2)])), "t", "value")
    decoded = decoder.decode(b'\0\0\0\0\2{"a": 1}')
    assert (decoded.value, decoded.reason) == ({"a": 1}, Reason.BAD_SCHEMA)
    assert decoded.exact
    found = decode_json(decoder, pa.array([b'\0\0\0\0\2{"a": 1}', b"\0\0\0\0\2{"]))
    assert found.json.to_pylist() == ['{"a": 1}', None]
    assert found.reasons.to_pylist() == [Reason.BAD_SCHEMA, Reason.MALFORMED]


@pytest.mark.parametrize("text", ["", "7", "[1]", "{", '"x"', "null", '{"type": "strng"}'])
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(PayloadError, match="schema does not parse"):
        JsonSchemaCodec(Schema("json", text), {})
