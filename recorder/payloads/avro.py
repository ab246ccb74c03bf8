"""Avro bodies as trees and back: a union of several kinds keeps which one it was, so that bytes come back exactly.

A union of null and one other kind is that or null; any other union is an object with one member, named as the branch,
as in Avro's own JSON encoding. Reads with the schema that wrote (no resolution): what is shown is what was sent.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from decimal import InvalidOperation

import pyarrow as pa

from recorder.payloads import fields
from recorder.payloads.avro_columns import read_column
from recorder.payloads.avro_reader import Reader
from recorder.payloads.avro_schema import parse
from recorder.payloads.avro_writer import write
from recorder.payloads.codec import Column, Format, Read
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.schemas import Schema
from recorder.payloads.values import Value


class AvroCodec:
    """Avro's binary encoding, bare (no container file)."""

    format: Format = "avro"
    exact = True

    def __init__(self, schema: Schema, referenced: Mapping[str, Schema]) -> None:
        """Raises PayloadError when the schema does not parse."""
        self.root = parse(schema, referenced)
        self._field = fields.of_avro(self.root)

    def decode(self, body: bytes) -> Read:
        reader = Reader(body)
        value = reader.read(self.root, 0)
        if reader.at != len(body):
            raise PayloadError(Reason.TRAILING_BYTES, f"{len(body) - reader.at} bytes after the end")
        return Read(value, reader.doubt)

    def encode(self, value: Value, like: bytes | None = None) -> bytes:
        out = bytearray()
        try:
            write(self.root, value, out)
        except (ValueError, TypeError, KeyError, OverflowError, struct.error, InvalidOperation) as error:
            raise PayloadError(Reason.MISMATCH, f"{error!s:.200}") from error
        except RecursionError as error:
            raise PayloadError(Reason.TOO_DEEP) from error
        return bytes(out)

    def field(self) -> pa.Field:
        return self._field

    def column(self, bodies: pa.Array) -> Column:
        return read_column(self.root, self._field, bodies)
