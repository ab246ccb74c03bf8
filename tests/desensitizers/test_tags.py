from __future__ import annotations

import json
from typing import Any

import pytest

from desensitizers.plan import Plan
from desensitizers.policy import Policy
from recorder.payloads.schemas import Schema
from recorder.scrubbing.schemas import CaptureSchemas
from tests.desensitizers.helpers import SECRET, batch
from tests.desensitizers.schemas import ID, avro, clean, frame, refused
from tests.desensitizers.test_avro import read

AVRO = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "name", "type": "string", "confluent:tags": ["PII"]},
        {"name": "city", "type": ["null", "string"], "tags": "PII"},
        {"name": "open", "type": "string"},
        {
            "name": "owner",
            "confluent:tags": ["PII"],
            "type": {"type": "record", "name": "O", "fields": [{"name": "n", "type": "string"}]},
        },
    ],
}
JSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "confluent:tags": ["PII"]},
        "n": {"type": "integer"},
        "kind": {"enum": ["a", "b"], "type": "string"},
        "owner": {"$ref": "#/definitions/owner"},
        "tags": {"type": "array", "items": {"type": "string", "tags": ["PII"]}},
    },
    "definitions": {"owner": {"oneOf": [{"type": "null"}, {"properties": {"x": {"type": "string", "tag": "PII"}}}]}},
}
JSON_SCHEMA = Schema("json", json.dumps(JSON), id=ID)
PROTO = """
syntax = "proto3"; import "confluent/meta.proto";
message R { string name = 1 [(confluent.field_meta).tags = "PII"]; string open = 2; }
"""


def plan(value: str, schema: Schema) -> Plan:
    head = "version: 1\nsecret: {env: K}\nschema_tags: {PII: {rule: mask}}\n"
    text = f"{head}topics: [{{match: t, value: {value}}}]\n"
    return Policy.parse(text, env=SECRET).plan(schemas=CaptureSchemas([schema]))


def one(value: str, schema: Schema, payload: bytes) -> bytes:
    done = plan(value, schema).for_topic("t").apply(batch([payload]))
    assert not done.problems, done.problems
    assert done.batch is not None
    return bytes(done.batch.column("value")[0].as_py())


def test_a_tag_goes_before_a_wildcard_and_after_the_fields_own_name() -> None:
    row: dict[str, Any] = {"name": "Anna", "city": "Bonn", "open": "x", "owner": {"n": "Eva"}}
    schema, (payload,) = avro(AVRO, row)
    assert read(schema, one("{'**': keep, '**.@key': keep}", schema, payload)) == {
        "name": "****", "city": "****", "open": "x", "owner": {"n": "***"},
    }  # fmt: skip
    assert read(schema, one("{name: keep, '**': keep, '**.@key': keep}", schema, payload))["name"] == "Anna"
    problems = plan("{name: keep}", schema).for_topic("t").apply(batch([payload])).problems
    assert [problem.path for problem in problems] == ["open"]


def test_tags_in_protobuf_options_count() -> None:
    schema = Schema("protobuf", PROTO, id=ID)
    assert one("{'**': keep, '**.@key': keep}", schema, frame(b"\0\x0a\x04Anna\x12\x01x")) == frame(
        b"\0\x0a\x04****\x12\x01x"
    )


def test_tags_in_a_json_schema_count() -> None:
    body = b'{"name": "Anna", "n": 1, "owner": {"x": "Eva"}, "tags": ["a", "b"]}'
    after = one("{'**': keep, '**.@key': keep}", JSON_SCHEMA, frame(body))
    assert after == frame(b'{"name": "****", "n": 1, "owner": {"x": "***"}, "tags": ["*", "*"]}')
    assert one("{'**': keep, '**.@key': keep}", JSON_SCHEMA, body) == body


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("n: {rule: mask}", "rule 'mask' does not fit n, which is a integer"),
        ("kind: {rule: mask}", "does not give one of the 2 values"),
        ("kind: {rule: replace, with: c}", "does not give one of the 2 values"),
    ],
)
def test_a_rule_that_a_json_schema_can_not_hold_is_a_mistake(rules: str, says: str) -> None:
    assert says in refused(f"value: {{{rules}, '**': keep, '**.@key': keep}}", JSON_SCHEMA, [frame(b"{}")])


def test_json_under_a_schema_keeps_its_frame_and_spelling() -> None:
    body = frame(b'{ "n" : 1.0, "name":"Anna"}')
    assert clean("value: {'**': keep, '**.@key': keep}", JSON_SCHEMA, [body]) == [body]
    (after,) = clean("value: {name: {rule: mask}, '**': keep, '**.@key': keep}", JSON_SCHEMA, [body])
    assert after == body.replace(b"Anna", b"****")
