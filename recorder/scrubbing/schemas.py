"""The schemas of a capture for desensitizers: what a payload's frame, or a header, says about its body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from desensitizers.errors import Refusal
from desensitizers.types import Framed, Type
from recorder.payloads import wire
from recorder.payloads.reasons import PayloadError
from recorder.payloads.schemas import Schema, SchemaBook

_FORMATS: dict[str, Literal["avro", "protobuf", "json-schema"]] = {
    "avro": "avro", "protobuf": "protobuf", "json": "json-schema",
}  # fmt: skip


class CaptureSchemas:
    """Implements `desensitizers.types.Schemas` over a capture's own schemas."""

    def __init__(self, schemas: Iterable[Schema] = ()) -> None:
        self._book = SchemaBook(schemas)
        self._types: dict[tuple[Schema, tuple[int, ...] | None], Type] = {}

    def framed(self, payload: bytes, header: bytes | None) -> Framed | None:
        """See `Schemas.framed`."""
        try:
            if header is not None:
                frame, body = wire.read_header(header), payload
            else:
                found, body = wire.split(payload)
                if found is None:
                    return None
                frame = found
            schema = self._book.find(frame.key)
            if schema is None:
                name = f"{'GUID' if frame.guid else 'id'} {frame.key}"
                reason = f"names schema {name}, which is not in the capture; blackbox schemas --fetch gets it"
                raise Refusal("", reason, cause="unknown_schema")
            indexes = None
            if schema.kind == "protobuf":
                frame, body = wire.take_indexes(frame, body)
                indexes = wire.read_indexes(frame.indexes or b"\0")[0]
        except PayloadError as error:
            raise Refusal("", f"can't be decoded: {error}", undecodable=True) from None
        return self._framed(schema, indexes, len(payload) - len(body))

    def of_topic(self, topic: str, side: str) -> Iterator[Framed]:
        """Those registered for the keys or values of a topic by the usual name of a subject."""
        for schema in self._book:
            if any(version.subject == f"{topic}-{side}" for version in schema.subjects):
                protobuf = schema.kind == "protobuf"
                yield self._framed(schema, (0,) if protobuf else None, wire.PREFIX_SIZE + protobuf)

    def _framed(self, schema: Schema, indexes: tuple[int, ...] | None, prefix: int) -> Framed:
        number = "" if indexes in (None, (0,)) else f" message {'.'.join(map(str, indexes or ()))}"
        return Framed(prefix, _FORMATS[schema.kind], schema.title + number, lambda: self._type(schema, indexes))

    def _type(self, schema: Schema, indexes: tuple[int, ...] | None) -> Type:
        key = schema, indexes
        if key not in self._types:
            try:
                self._types[key] = self._built(schema, indexes)
            except PayloadError as error:
                raise Refusal("", f"can't be decoded: {error}", undecodable=True) from None
        return self._types[key]

    def _built(self, schema: Schema, indexes: tuple[int, ...] | None) -> Type:
        from recorder.payloads.avro_schema import parse
        from recorder.scrubbing.avro_types import avro_type

        if schema.kind == "protobuf":
            from recorder.payloads.protobuf_schema import message_class
            from recorder.scrubbing.protobuf_types import protobuf_type

            return protobuf_type(message_class(schema, self._book.referenced(schema), indexes).DESCRIPTOR)
        if schema.kind == "json":
            from recorder.scrubbing.json_types import json_type

            return json_type(schema, self._book.referenced(schema))
        return avro_type(parse(schema, self._book.referenced(schema)))
