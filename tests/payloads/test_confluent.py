"""What Confluent's own serializers write, all three kinds, in prefix and header, is read and written back the same."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka.schema_registry import Schema as Registered
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.schema_registry.schema_registry_client import SchemaReference
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import timestamp_pb2

from recorder.capture.schema import HEADERS_TYPE
from recorder.payloads.columns import decode, decode_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.schemas import Reference, Schema, SchemaBook, SubjectVersion

PERSON = {"type": "record", "name": "Person", "namespace": "x", "fields": [{"name": "name", "type": "string"}]}
PAYMENT = {
    "type": "record",
    "name": "Payment",
    "fields": [{"name": "who", "type": "x.Person"}, {"name": "amount", "type": ["null", "double"], "default": None}],
}
VALUE = {"who": {"name": "Anna"}, "amount": 2.5}


@pytest.fixture
def client() -> Any:
    return SchemaRegistryClient.new_client({"url": "mock://registry"})


def book_of(client: Any) -> SchemaBook:
    """All that the registry knows, as a recording would keep it."""
    book = SchemaBook()
    for subject in client.get_subjects():
        for version in client.get_versions(subject):
            known = client.get_version(subject, version)
            references = tuple(Reference(r.name, r.subject, r.version) for r in known.schema.references or ())
            kind: Any = (known.schema.schema_type or "AVRO").lower()
            where = (SubjectVersion(subject, version),)
            book.add(Schema(kind, known.schema.schema_str, known.schema_id, known.guid, where, references))
    return book


def context(headers: list[Any]) -> SerializationContext:
    return SerializationContext("payments", MessageField.VALUE, headers)


def check(client: Any, payload: bytes, headers: list[Any], expected: Any) -> None:
    decoder = Decoder(Codecs(book_of(client)), "payments", "value")
    decoded = decoder.decode(payload, headers)
    assert (decoded.value, decoded.reason) == (expected, None)
    assert decoded.exact
    column = pa.array([[{"key": name, "value": value} for name, value in headers]], HEADERS_TYPE)
    found = decode_json(decoder, pa.array([payload]), column)
    assert json.loads(found.json[0].as_py()) == expected
    (group,) = decode(decoder, pa.array([payload]), column)
    assert group.reasons.null_count == 1


@pytest.mark.parametrize("in_header", [False, True])
def test_avro_with_a_reference_and_two_versions(client: Any, in_header: bool) -> None:
    client.register_schema("person", Registered(json.dumps(PERSON), "AVRO"))
    reference = [SchemaReference("x.Person", "person", 1)]
    older = {**PAYMENT, "fields": PAYMENT["fields"][:1]}
    conf: Any = {"schema.id.serializer": header_schema_id_serializer} if in_header else {}
    for schema, value in ((older, {"who": {"name": "Ben"}}), (PAYMENT, VALUE)):
        serializer = AvroSerializer(client, Registered(json.dumps(schema), "AVRO", reference), conf=conf)
        headers: list[Any] = []
        payload = serializer(value, context(headers))
        assert bool(headers) is in_header
        check(client, payload, headers, value)


@pytest.mark.parametrize("in_header", [False, True])
def test_json_schema(client: Any, in_header: bool) -> None:
    schema = {"title": "P", "type": "object", "properties": {"who": {"type": "object"}, "amount": {"type": "number"}}}
    conf: Any = {"schema.id.serializer": header_schema_id_serializer} if in_header else {}
    headers: list[Any] = []
    payload = JSONSerializer(json.dumps(schema), client, conf=conf)(VALUE, context(headers))
    check(client, payload, headers, VALUE)


@pytest.mark.parametrize("in_header", [False, True])
def test_protobuf(client: Any, in_header: bool) -> None:
    conf: Any = {"use.deprecated.format": False}
    if in_header:
        conf["schema.id.serializer"] = header_schema_id_serializer
    headers: list[Any] = []
    message = timestamp_pb2.Timestamp(seconds=1_773_500_000)
    payload = ProtobufSerializer(timestamp_pb2.Timestamp, client, conf)(message, context(headers))
    check(client, payload, headers, "2026-03-14T14:53:20.000000000Z")
