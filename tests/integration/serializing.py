"""Confluent's own serializers in three kinds, each with a schema that refers to another and that evolves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

KINDS = ("avro", "protobuf", "json")
Serializer = Callable[..., bytes | None]

_MONEY = {"type": "record", "name": "Money", "namespace": "pay", "fields": [
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "currency", "type": {"type": "enum", "name": "Currency", "symbols": ["EUR", "USD"]}}]}  # fmt: skip
_AT = {"type": "long", "logicalType": "timestamp-millis"}
_JSON_MONEY = {"type": "object", "title": "Money", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}
_STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_INT64 = descriptor_pb2.FieldDescriptorProto.TYPE_INT64
_MESSAGE = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE


def value(number: int, version: int) -> dict[str, Any]:
    """What is written, and what must be read: version 2 has a note more."""
    price = {"cents": 1250 + number}
    note = {"note": None if number % 2 else "sp\u00e4t \u2713"} if version == 2 else {}
    return {"id": f"p-{number}", "price": price, "at": f"2026-11-03T14:02:00.{number:03}Z", **note}


class Kind:
    """`serializer(version)` writes `value(number, version)` after `shaped` gave it this kind's shape."""

    def __init__(self, kind: str, client: SchemaRegistryClient, topic: str, side: str, *, in_header: bool) -> None:
        self._kind, self._client, self._topic, self._side = kind, client, topic, side
        self._conf: dict[str, Any] = {"schema.id.serializer": header_schema_id_serializer} if in_header else {}
        self._classes: dict[int, Any] = {}

    @property
    def field(self) -> str:
        return MessageField.KEY if self._side == "key" else MessageField.VALUE

    def serializer(self, version: int) -> Serializer:
        made: Any = getattr(self, f"_{self._kind}")(version)
        return made  # type: ignore[no-any-return]

    def shaped(self, written: Mapping[str, Any], version: int) -> Any:
        if self._kind == "json":
            return written
        at = datetime.fromisoformat(written["at"]).astimezone(UTC)
        cents = written["price"]["cents"]
        if self._kind == "avro":
            return {**written, "at": at, "price": {"amount": Decimal(cents) / 100, "currency": "EUR"}}
        message = self._classes[version](id=written["id"])
        message.price.cents = cents
        message.at.FromDatetime(at)
        if written.get("note") is not None:
            message.note = written["note"]
        return message

    def expected(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """What decoding gives, as JSON."""
        if self._kind == "avro":
            amount = f"{Decimal(written['price']['cents']) / 100:.2f}"
            return {**written, "price": {"amount": amount, "currency": "EUR"}}
        if self._kind == "protobuf":  # unset is absent
            there = {name: item for name, item in written.items() if item is not None}
            return {**there, "at": written["at"].replace("Z", "000000Z")}
        return dict(written)

    def _avro(self, version: int) -> AvroSerializer:
        money = f"{self._topic}-{self._side}-money"
        self._client.register_schema(money, Schema(json.dumps(_MONEY), "AVRO"))
        fields: list[Any] = [{"name": "id", "type": "string"}, {"name": "price", "type": "pay.Money"}]
        fields.append({"name": "at", "type": _AT})
        if version == 2:
            fields.append({"name": "note", "type": ["null", "string"], "default": None})
        text = json.dumps({"type": "record", "name": "Paid", "namespace": "pay", "fields": fields})
        schema = Schema(text, "AVRO", references=[SchemaReference("pay.Money", money, 1)])
        return AvroSerializer(self._client, schema, conf=self._conf)

    def _json(self, version: int) -> JSONSerializer:
        money = f"{self._topic}-{self._side}-money"
        self._client.register_schema(money, Schema(json.dumps(_JSON_MONEY), "JSON"))
        properties: dict[str, Any] = {
            "id": {"type": "string"},
            "price": {"$ref": "money.json"},
            "at": {"type": "string"},
        }
        if version == 2:
            properties["note"] = {"type": ["null", "string"]}
        text = json.dumps({"type": "object", "title": "Paid", "properties": properties})
        schema = Schema(text, "JSON", references=[SchemaReference("money.json", money, 1)])
        return JSONSerializer(schema, self._client, conf=self._conf)

    def _protobuf(self, version: int) -> ProtobufSerializer:
        unique = f"{self._topic}-{self._side}".replace("-", "_")
        pool = descriptor_pool.DescriptorPool()
        shipped = descriptor_pb2.FileDescriptorProto()
        from google.protobuf import timestamp_pb2

        timestamp_pb2.DESCRIPTOR.CopyToProto(shipped)
        pool.Add(shipped)
        money = descriptor_pb2.FileDescriptorProto(name=f"{unique}/money.proto", package="pay", syntax="proto3")
        _field(money.message_type.add(name="Money"), "cents", 1, _INT64)
        pool.Add(money)
        file = descriptor_pb2.FileDescriptorProto(name=f"{unique}/paid.proto", package="pay", syntax="proto3")
        file.dependency.extend([money.name, "google/protobuf/timestamp.proto"])
        file.message_type.add(name="Other")  # so that the message has an index
        paid = file.message_type.add(name="Paid")
        _field(paid, "id", 1, _STRING)
        _field(paid, "price", 2, _MESSAGE, ".pay.Money")
        _field(paid, "at", 3, _MESSAGE, ".google.protobuf.Timestamp")
        if version == 2:
            paid.oneof_decl.add(name="_note")
            note = _field(paid, "note", 4, _STRING)
            note.proto3_optional, note.oneof_index = True, 0
        pool.Add(file)
        self._classes[version] = message_factory.GetMessageClass(pool.FindMessageTypeByName("pay.Paid"))
        return ProtobufSerializer(self._classes[version], self._client, self._conf)


def _field(message: Any, name: str, number: int, kind: int, type_name: str = "") -> Any:
    return message.field.add(name=name, number=number, type=kind, label=1, type_name=type_name or None)
