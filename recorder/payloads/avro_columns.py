"""Avro bodies to Arrow."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from recorder.payloads.avro_rows import RawReader
from recorder.payloads.avro_schema import Node
from recorder.payloads.codec import Column
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.rows import to_array


def read_column(root: Node, field: pa.Field, bodies: pa.Array) -> Column:
    """A binary column to Arrow: null where a body is null or unreadable."""
    values: list[Any] = []
    reasons: list[str | None] = []
    for body in bodies.to_pylist():
        value, reason = None, None
        if body is not None:
            reader = RawReader(body)
            try:
                value = reader.raw(root, field)
                reason = reader.doubt
                if reader.at != len(body):
                    value, reason = None, Reason.TRAILING_BYTES
            except PayloadError as error:
                reason = error.reason
            except RecursionError:
                reason = Reason.TOO_DEEP
        values.append(value)
        reasons.append(None if reason is None else str(reason))
    return Column(*to_array(values, reasons, field.type))
