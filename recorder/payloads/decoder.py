"""Payloads of one topic and side to values: takes the frame off, finds the schema, picks the codec, names what failed.

Without a choice each payload speaks for itself: a frame whose id is known, JSON, text, else bytes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recorder.payloads import wire
from recorder.payloads.choices import Choice
from recorder.payloads.codec import NEED_SCHEMA, Codec, Decoded, Format
from recorder.payloads.reasons import PayloadError, Reason, Side, Tally
from recorder.payloads.schemas import Schema, SchemaBook
from recorder.payloads.wire import Frame, Headers

_BYTES_SHOWN = b" \t\r\n"
_FORMAT_OF: dict[str, Format] = {"avro": "avro", "json": "json-schema", "protobuf": "protobuf"}


class Codecs:
    """The codecs of a book's schemas, each made once; what can't be made is remembered as such."""

    def __init__(self, book: SchemaBook) -> None:
        self.book = book
        self._made: dict[Any, Codec | PayloadError] = {}

    def plain(self, format: Format) -> Codec:
        """A codec that needs no schema. Raises PayloadError (no schema) when the format does."""
        return self._get(format, lambda: _plain(format))

    def of(self, schema: Schema, indexes: tuple[int, ...] | None = None) -> Codec:
        """The codec of a schema; `indexes` say which Protobuf message. Raises PayloadError."""
        return self._get((schema, indexes), lambda: _of_schema(schema, self.book, indexes))

    def _get(self, key: Any, make: Any) -> Codec:
        made = self._made.get(key)
        if made is None:
            try:
                made = make()
            except PayloadError as error:
                made = error
            self._made[key] = made
        if isinstance(made, PayloadError):
            raise PayloadError(made.reason, made.detail)
        return made


class Decoder:
    """Decodes the keys or the values of a topic; counts failures and doubts in `tally` when there is one."""

    def __init__(
        self, codecs: Codecs, topic: str, side: Side, choice: Choice | None = None, tally: Tally | None = None
    ) -> None:
        self.codecs = codecs
        self.topic = topic
        self.side: Side = side
        self.choice = choice
        self.tally = tally

    def decode(self, payload: bytes | None, headers: Headers = ()) -> Decoded:
        """Never raises for what a payload holds."""
        if not payload:
            return Decoded("null" if payload is None else "empty", None, payload)
        decoded = self._decode(payload, headers)
        if self.tally is not None:
            self.tally.add(self.topic, self.side, decoded.reason)
        return decoded

    def _decode(self, payload: bytes, headers: Headers) -> Decoded:
        try:
            frame = wire.from_headers(headers, self.side)
        except PayloadError as error:
            return Decoded("hex", None, payload, reason=error.reason, detail=error.detail)
        body = payload
        if frame is None:
            frame, body = wire.split(payload)
        schema = self.codecs.book.find(frame.key) if frame is not None else None
        if self.choice is not None:
            return self._chosen(self.choice, payload, frame, body, schema)
        if frame is None:
            return self.unframed(payload)
        if schema is None:
            detail = f"{'guid' if frame.guid else 'id'} {frame.key}"
            return Decoded("hex", None, payload, frame=frame, reason=Reason.UNKNOWN_SCHEMA_ID, detail=detail)
        return self._framed(payload, frame, body, schema)

    def _chosen(
        self, choice: Choice, payload: bytes, frame: Frame | None, body: bytes, schema: Schema | None
    ) -> Decoded:
        if choice.schema is None:
            if choice.format not in NEED_SCHEMA:
                return self._with(
                    lambda: self.codecs.plain(choice.format), Decoded(choice.format, None, payload, payload)
                )
            if frame is not None and schema is not None:
                return self._framed(payload, frame, body, schema)
            known = Reason.NO_SCHEMA if frame is None else Reason.UNKNOWN_SCHEMA_ID
            detail = "" if frame is None else f"id {frame.key}"
            return Decoded(choice.format, None, payload, frame=frame, reason=known, detail=detail)
        mine = choice.schema
        if frame is not None and schema is not None and schema.kind == mine.kind:
            written = self._framed(payload, frame, body, schema)  # only what it was written with reads it right
            if written.readable:
                return written
        bare = self._with(lambda: self.codecs.of(mine), Decoded(choice.format, None, payload, payload, schema=mine))
        if bare.readable or frame is None:
            return bare
        framed = self._framed(payload, frame, body, mine)
        return framed if framed.readable else bare

    def _framed(self, payload: bytes, frame: Frame, body: bytes, schema: Schema) -> Decoded:
        format = _FORMAT_OF[schema.kind]
        indexes = None
        if schema.kind == "protobuf":
            try:
                frame, body = wire.take_indexes(frame, body)
                indexes = wire.read_indexes(frame.indexes or b"\0")[0]
            except PayloadError as error:
                return Decoded(
                    format, None, payload, frame=frame, schema=schema, reason=error.reason, detail=error.detail
                )
        start = Decoded(format, None, payload, body, frame, schema)
        decoded = self._with(lambda: self.codecs.of(schema, indexes), start)
        if format == "json-schema" and not decoded.readable:
            plain = self._with(lambda: self.codecs.plain("json"), start)
            if plain.readable:  # it needs no schema to be read
                return replace(plain, reason=plain.reason or decoded.reason, detail=plain.detail or decoded.detail)
        return decoded

    def unframed(self, payload: bytes) -> Decoded:
        """A payload without frame, headers or choice: JSON, text or bytes."""
        if payload.lstrip(_BYTES_SHOWN)[:1] in (b"{", b"["):
            decoded = self._with(lambda: self.codecs.plain("json"), Decoded("json", None, payload, payload))
            if decoded.readable:
                return decoded
        else:
            decoded = None
        shown = self._with(lambda: self.codecs.plain("text"), Decoded("text", None, payload, payload))
        if not shown.readable or not _is_text(shown.value):
            shown = self._with(lambda: self.codecs.plain("hex"), Decoded("hex", None, payload, payload))
        if decoded is not None:  # it began as JSON does
            return replace(shown, reason=decoded.reason, detail=decoded.detail)
        return shown

    def _with(self, codec: Any, start: Decoded) -> Decoded:
        try:
            made: Codec = codec()
            assert start.body is not None
            value, doubt = made.decode(start.body)
        except PayloadError as error:
            return replace(start, reason=error.reason, detail=error.detail)
        except RecursionError:
            return replace(start, reason=Reason.TOO_DEEP)
        return replace(start, value=value, codec=made, reason=doubt)


def _is_text(value: Any) -> bool:
    """Text without the controls that make bytes of it: NUL, or many others."""
    controls = sum(character < " " and character not in "\t\n\r" for character in value[:4096])
    return "\0" not in value and controls * 8 <= len(value)


def _plain(format: Format) -> Codec:
    from recorder.payloads.json_text import JsonCodec
    from recorder.payloads.primitives import BytesCodec, NumberCodec, TextCodec

    if format == "json":
        return JsonCodec()
    if format in ("text", "uuid"):
        return TextCodec(format)
    if format == "hex":
        return BytesCodec()
    if format in ("short", "int", "long", "float", "double"):
        return NumberCodec(format)
    raise PayloadError(Reason.NO_SCHEMA, f"{format} needs a schema")


def _of_schema(schema: Schema, book: SchemaBook, indexes: tuple[int, ...] | None) -> Codec:
    referenced = book.referenced(schema)
    if schema.kind == "avro":
        from recorder.payloads.avro import AvroCodec

        return AvroCodec(schema, referenced)
    if schema.kind == "json":
        from recorder.payloads.json_schema import JsonSchemaCodec

        return JsonSchemaCodec(schema, referenced)
    from recorder.payloads.protobuf import ProtobufCodec

    return ProtobufCodec(schema, referenced, indexes)
