"""Why a payload could not be read, or was read with a doubt: a few named reasons, counted per topic and side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

Side = Literal["key", "value"]


class Reason(StrEnum):
    """Stable codes: they appear in SQL (`decode_errors`), in JSON and in reports."""

    TRUNCATED_FRAME = "truncated frame"
    """The wire format's prefix, or the header that stands for it, ends too early or makes no sense."""
    UNKNOWN_SCHEMA_ID = "unknown schema id"
    NO_SCHEMA = "no schema"
    """The payload is framed as nothing, and the format needs a schema that nobody named."""
    BAD_SCHEMA = "schema does not parse"
    MISSING_REFERENCE = "missing schema reference"
    NO_COMPILER = "no protobuf compiler"
    """A `.proto` text, and the package that compiles it is not installed."""
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing bytes"
    MALFORMED = "malformed"
    INVALID_UTF8 = "invalid utf-8"
    DUPLICATE_KEYS = "duplicate json keys"
    BEYOND_64_BITS = "number beyond 64 bits"
    NOT_A_NUMBER = "nan or infinity"
    """In JSON, which has none."""
    OUT_OF_RANGE = "out of range"
    """A decimal, a time or an enum's number that its type can't hold."""
    TOO_DEEP = "too deep"
    TOO_LARGE = "too large"
    WRONG_LENGTH = "wrong length"
    """A number of Java's serializers with too few or too many bytes."""
    MISMATCH = "does not fit the schema"
    """A value that its schema can't hold (when encoding, or JSON beside its JSON Schema)."""


REASONS = tuple(Reason)
DOUBTS = frozenset(
    {
        Reason.DUPLICATE_KEYS,
        Reason.BEYOND_64_BITS,
        Reason.NOT_A_NUMBER,
        Reason.OUT_OF_RANGE,
        Reason.INVALID_UTF8,
        Reason.MISMATCH,
        Reason.BAD_SCHEMA,  # JSON can be read without its schema
        Reason.MISSING_REFERENCE,
    }
)
"""What can be decoded all the same: then the value stands beside the reason."""


class PayloadError(Exception):
    """A payload or a schema that can't be decoded or encoded; never crosses the edge of this room as an exception."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Tally:
    """Failures and doubts counted by (topic, side, reason); tallies of several workers add up."""

    counts: Counter[tuple[str, Side, Reason]] = field(default_factory=Counter)

    def add(self, topic: str, side: Side, reason: Reason | None, count: int = 1) -> None:
        if reason is not None:
            self.counts[topic, side, reason] += count

    def add_column(self, topic: str, side: Side, reasons: pa.Array) -> None:
        """Count a column of reason codes (strings, null where all is well)."""
        for item in pc.value_counts(reasons.drop_null()).to_pylist():
            self.add(topic, side, Reason(item["values"]), item["counts"])

    def merge(self, other: Tally) -> None:
        self.counts.update(other.counts)

    def __iter__(self) -> Iterator[tuple[str, Side, Reason, int]]:
        """(topic, side, reason, count) in a steady order."""
        for (topic, side, reason), count in sorted(self.counts.items()):
            yield topic, side, reason, count

    def sentences(self) -> Iterator[str]:
        """One for each topic and side: ``payments.dlq values: 5 malformed, 1 unknown schema id``."""
        for (topic, side), items in groupby(self, lambda item: item[:2]):
            yield f"{topic} {side}s: " + ", ".join(f"{count:,} {reason}" for _, _, reason, count in items)

    def __bool__(self) -> bool:
        return bool(self.counts)
