"""What every codec offers, and what a decoded payload is.

A codec belongs to one format and, where that has one, one schema. It reads bare bodies (the wire format's frame is
taken off before), one at a time as a tree (`values`) or a column at a time as Arrow, and writes trees back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import pyarrow as pa

from recorder.payloads.reasons import Reason
from recorder.payloads.schemas import Schema
from recorder.payloads.values import Value, to_json
from recorder.payloads.wire import Frame

Format = Literal[
    "json", "avro", "protobuf", "json-schema", "text", "hex", "short", "int", "long", "float", "double", "uuid"
]
FORMATS: tuple[Format, ...] = (
    "json", "avro", "protobuf", "json-schema", "text", "hex", "short", "int", "long", "float", "double", "uuid",
)  # fmt: skip
NEED_SCHEMA: tuple[Format, ...] = ("avro", "protobuf", "json-schema")


class Read(NamedTuple):
    """A body read: the tree and, when it was read with a doubt, why."""

    value: Value
    doubt: Reason | None = None


class Column(NamedTuple):
    """A column read: `values` (null where unreadable) of the codec's `field`, `reasons` (strings, null where fine).

    A reason beside a value that isn't null is a doubt.
    """

    values: pa.Array
    reasons: pa.Array


class Codec(Protocol):
    """Bytes to values and back, for one format and schema. Cheap to keep, not cheap to make: make one per schema."""

    format: Format
    exact: bool
    """Whether `encode(decode(b).value, like=b) == b` for whatever the format's usual writers write."""

    def decode(self, body: bytes) -> Read:
        """Raises PayloadError."""
        ...

    def encode(self, value: Value, like: bytes | None = None) -> bytes:
        """The body of a tree; `like` is the body that the tree came from, for what a tree doesn't keep (unknown
        fields, spelling). Raises PayloadError (does not fit the schema)."""
        ...

    def field(self) -> pa.Field:
        """Arrow type of `column` (struct for records; its metadata guides `column_json`)."""
        ...

    def column(self, bodies: pa.Array) -> Column:
        """Many bodies (binary, nulls stay null) at once. Never raises for what a body holds."""
        ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """A payload as what it is. `reason` with `value` None: unreadable; with a value: a doubt.

    `codec` is None for null, empty and unreadable payloads; `body` is the payload without its frame.
    """

    format: Format | Literal["null", "empty"]
    value: Value
    payload: bytes | None
    body: bytes | None = None
    frame: Frame | None = None
    schema: Schema | None = None
    codec: Codec | None = None
    reason: Reason | None = None
    detail: str = ""

    @property
    def readable(self) -> bool:
        return self.codec is not None

    @property
    def json(self) -> str:
        """JSON text of the value."""
        return to_json(self.value)

    @property
    def prefix(self) -> bytes:
        """What stands before the body in the payload: the frame, byte for byte."""
        return b"" if self.payload is None or self.body is None else self.payload[: len(self.payload) - len(self.body)]

    def encode(self, value: Value) -> bytes:
        """A payload with `value` in the place of this one's, in the same frame, under the same schema.

        The same value gives the same bytes, however they were written. Raises PayloadError when the value does not
        fit, ValueError when this payload was not readable.
        """
        if self.codec is None or self.payload is None:
            raise ValueError(f"a payload that was not readable can't be written anew: {self.reason or self.format}")
        if to_json(value) == self.json:
            return self.payload
        return self.prefix + self.codec.encode(value, self.body)

    @property
    def exact(self) -> bool:
        """Whether its codec, writing the value anew, gives this very payload (checked, not promised)."""
        return self.codec is not None and self.codec.encode(self.value, self.body) == self.body
