"""Columns read row by row: for formats, small batches and odd rows where that is fast enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from recorder.payloads.codec import Codec, Column
from recorder.payloads.reasons import PayloadError, Reason


def by_rows(codec: Codec, bodies: pa.Array) -> Column:
    """`Codec.column` by means of `Codec.decode`, for codecs whose trees are what their Arrow type takes."""
    values: list[Any] = []
    reasons: list[str | None] = []
    for body in bodies.to_pylist():
        value, reason = None, None
        if body is not None:
            try:
                value, reason = codec.decode(body)
            except PayloadError as error:
                reason = error.reason
        values.append(value)
        reasons.append(None if reason is None else str(reason))
    return Column(*to_array(values, reasons, codec.field().type))


def to_array(values: list[Any], reasons: list[str | None], kind: pa.DataType) -> tuple[pa.Array, pa.Array]:
    """(values, reasons) as Arrow; a value that the type can't hold becomes null, with the reason "out of range"."""
    try:
        array = pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError, ValueError):
        for at, value in enumerate(values):
            if not fits(value, kind):
                values[at] = None
                reasons[at] = reasons[at] or str(Reason.OUT_OF_RANGE)
        array = pa.array(values, kind)
    return array, pa.array(reasons, pa.string())


def fits(value: Any, kind: pa.DataType) -> bool:
    """Whether an Arrow type can hold a value."""
    try:
        pa.array([value], kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError, ValueError):
        return False
    return True


def combined(chunks: pa.Array | pa.ChunkedArray | Sequence[bytes | None]) -> pa.Array:
    """One array of bytes, whatever it comes as."""
    if isinstance(chunks, pa.ChunkedArray):
        return chunks.combine_chunks() if chunks.num_chunks != 1 else chunks.chunk(0)
    return chunks if isinstance(chunks, pa.Array) else pa.array(chunks, pa.binary())
