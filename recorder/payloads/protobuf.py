"""Protobuf bodies as trees and back; what a tree doesn't keep (unknown fields, extensions) stays in the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import InvalidOperation

import pyarrow as pa
from google.protobuf.message import DecodeError, EncodeError, Message

from recorder.payloads.codec import Column, Format, Read
from recorder.payloads.protobuf_columns import Plan
from recorder.payloads.protobuf_schema import message_class
from recorder.payloads.protobuf_values import fill, tree
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.schemas import Schema
from recorder.payloads.values import Value


class ProtobufCodec:
    """One message type. `indexes` are the frame's; without them the schema's `message`, or the file's first."""

    format: Format = "protobuf"
    exact = True

    def __init__(
        self, schema: Schema, referenced: Mapping[str, Schema], indexes: tuple[int, ...] | None = None
    ) -> None:
        """Raises PayloadError."""
        self._class = message_class(schema, referenced, indexes)
        self.message: str = self._class.DESCRIPTOR.full_name
        self._plan = Plan(self._class)

    def decode(self, body: bytes) -> Read:
        try:
            return Read(tree(_parse(self._class, body), 0))
        except UnicodeDecodeError as error:  # only proto2 lets it pass until the field is read
            raise PayloadError(Reason.INVALID_UTF8, f"a string: {error!s:.100}") from error

    def encode(self, value: Value, like: bytes | None = None) -> bytes:
        message = _parse(self._class, like) if like is not None else self._class()
        try:
            fill(message, value)
            written: bytes = message.SerializeToString()
            return written
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, EncodeError, InvalidOperation) as error:
            raise PayloadError(Reason.MISMATCH, f"{error!s:.200}") from error
        except RecursionError as error:
            raise PayloadError(Reason.TOO_DEEP) from error

    def field(self) -> pa.Field:
        return self._plan.field

    def column(self, bodies: pa.Array) -> Column:
        return self._plan.read(bodies)


def _parse(kind: type[Message], body: bytes) -> Message:
    """Raises PayloadError."""
    try:
        return kind.FromString(body)
    except (DecodeError, UnicodeDecodeError) as error:
        raise PayloadError(Reason.MALFORMED, f"not a {kind.DESCRIPTOR.full_name}: {error!s:.100}") from error
