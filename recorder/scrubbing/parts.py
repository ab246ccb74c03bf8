"""The places of a batch of records in which something may stand: keys, values, headers and their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from desensitizers.proof.lines import Lines
from recorder.capture.schema import HEADERS_TYPE


@dataclass(frozen=True, eq=False)
class Part:
    """All payloads of a batch in one kind of place."""

    place: str
    column: Any
    """A binary Arrow array."""
    sought: Any
    """The same without most repeats where there are many, as in headers: what there is to find is in these."""

    @cached_property
    def lines(self) -> Lines:
        """Of `sought`."""
        return Lines.of(self.sought)

    @property
    def size(self) -> int:
        """Bytes of all payloads."""
        return pc.sum(pc.binary_length(self.column)).as_py() or 0


def parts(batch: pa.RecordBatch) -> Iterator[Part]:
    """Everything in a batch that may hold something, place by place."""
    for place, column in columns(batch).items():
        sought = column.unique() if "header" in place else column
        yield Part(place, column, sought)


def columns(batch: pa.RecordBatch) -> dict[str, Any]:
    """By place; those of headers have a row for each header."""
    headers = batch.column("headers").cast(HEADERS_TYPE).flatten()
    return {
        "key": batch.column("key"),
        "value": batch.column("value"),
        "header": headers.field("value"),
        "header name": headers.field("key").cast(pa.binary()),
    }
