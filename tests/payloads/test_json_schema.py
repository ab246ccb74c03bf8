"""JSON Schema gives columns their types; what does not fit is null there, named, and whole in the JSON text."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from recorder.payloads.columns import decode, decode_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.json_schema import JsonSchemaCodec
from recorder.payloads.reasons import PayloadError
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


@pytest.mark.parametrize("text", ["", "7", "[1]", "{", '"x"', "null"])
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(PayloadError, match="schema does not parse"):
        JsonSchemaCodec(Schema("json", text), {})
