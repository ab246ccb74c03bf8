"""Payloads without a schema: text, Java's serialized numbers and UUIDs, and bytes that are only bytes."""

from __future__ import annotations

import re
import struct

import pyarrow as pa

from recorder.payloads.codec import Column, Format, Read
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.rows import by_rows
from recorder.payloads.values import Value, number

UUID_TEXT = re.compile(rb"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBERS: dict[Format, tuple[str, pa.DataType]] = {
    "short": (">h", pa.int16()),
    "int": (">i", pa.int32()),
    "long": (">q", pa.int64()),
    "float": (">f", pa.float32()),
    "double": (">d", pa.float64()),
}


class NumberCodec:
    """Java's Short, Integer, Long, Float and Double serializers: big-endian, nothing around it."""

    exact = True

    def __init__(self, format: Format) -> None:
        self.format: Format = format
        code, self._type = _NUMBERS[format]
        self._struct = struct.Struct(code)

    def decode(self, body: bytes) -> Read:
        if len(body) != self._struct.size:
            raise PayloadError(Reason.WRONG_LENGTH, f"{len(body)} bytes, a {self.format} has {self._struct.size}")
        return Read(self._struct.unpack(body)[0])

    def encode(self, value: Value, like: bytes | None = None) -> bytes:
        try:
            return self._struct.pack(number(value) if self.format in ("float", "double") else value)
        except (struct.error, ValueError, OverflowError) as error:
            raise PayloadError(Reason.MISMATCH, f"{value!r:.60} as {self.format}") from error

    def field(self) -> pa.Field:
        return pa.field("value", self._type)

    def column(self, bodies: pa.Array) -> Column:
        return by_rows(self, bodies)


class TextCodec:
    """UTF-8 text, or (`uuid`) a UUID as Java's serializer writes it: 36 characters of text."""

    exact = True

    def __init__(self, format: Format = "text") -> None:
        self.format: Format = format

    def decode(self, body: bytes) -> Read:
        if self.format == "uuid" and not UUID_TEXT.fullmatch(body):
            raise PayloadError(Reason.MALFORMED, "not a UUID")
        try:
            return Read(body.decode())
        except UnicodeDecodeError as error:
            raise PayloadError(Reason.INVALID_UTF8, f"at byte {error.start}") from error

    def encode(self, value: Value, like: bytes | None = None) -> bytes:
        if not isinstance(value, str):
            raise PayloadError(Reason.MISMATCH, f"{value!r:.60} as text")
        try:
            raw = value.encode()
        except UnicodeEncodeError as error:
            raise PayloadError(Reason.MISMATCH, "a lone surrogate has no UTF-8") from error
        if self.format == "uuid":
            self.decode(raw)
        return raw

    def field(self) -> pa.Field:
        return pa.field("value", pa.string())

    def column(self, bodies: pa.Array) -> Column:
        return by_rows(self, bodies)


class BytesCodec:
    """Bytes that are shown as what they are."""

    format: Format = "hex"
    exact = True

    def decode(self, body: bytes) -> Read:
        return Read(body)

    def encode(self, value: Value, like: bytes | None = None) -> bytes:
        if not isinstance(value, bytes):
            raise PayloadError(Reason.MISMATCH, f"{value!r:.60} as bytes")
        return value

    def field(self) -> pa.Field:
        return pa.field("value", pa.binary())

    def column(self, bodies: pa.Array) -> Column:
        return Column(bodies.cast(pa.binary()), pa.nulls(len(bodies), pa.string()))
