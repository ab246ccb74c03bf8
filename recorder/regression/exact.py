"""Are two captures equal record for record? Partition by partition, in order, field by field, in bounded memory.

Compares what a producer decides: key, value, headers, timestamp and its type, and the order in a partition. Offsets and
leader epochs belong to the cluster that stored a record, so they are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from recorder.capture.reader import Capture

FIELDS = ("timestamp_ms", "timestamp_type", "key", "value", "headers")
_MOST_DIFFERENCES = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two captures part; an offset is None where that capture has no such record."""

    topic: str
    partition: int
    left_offset: int | None
    right_offset: int | None
    what: str

    def sentence(self) -> str:
        return f"{self.topic}/{self.partition}: {self.what} (offset {self.left_offset} against {self.right_offset})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict: how many records are equal, how many are not, and the first differences."""

    partitions: int
    equal: int
    different: int
    only_left: int
    only_right: int
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        return not (self.different or self.only_left or self.only_right)


def compare_exactly(left: Capture, right: Capture, remap: Mapping[str, str] | None = None) -> Comparison:
    """Compare every partition of `left` with the one of the same number in `right`; `remap` renames left's topics.

    Topics that only `right` holds count as `only_right`. Raises CaptureError when a segment can't be read.
    """
    remap = remap or {}
    lefts = {(remap.get(t.name, t.name), p.partition): t.name for t, p in left.manifest.topic_partitions()}
    rights = {(t.name, p.partition) for t, p in right.manifest.topic_partitions()}
    counts = dict.fromkeys(("equal", "different", "only_left", "only_right"), 0)
    found: list[Difference] = []
    for topic, partition in sorted(lefts.keys() | rights):
        a = _rows(left, lefts.get((topic, partition)), partition)
        b = _rows(right, topic if (topic, partition) in rights else None, partition)
        for kind, rows, difference in _compare(topic, partition, a, b):
            counts[kind] += rows
            if difference and len(found) < _MOST_DIFFERENCES:
                found.append(difference)
    return Comparison(len(lefts.keys() | rights), differences=tuple(found), **counts)


def _rows(capture: Capture, topic: str | None, partition: int) -> Iterator[pa.RecordBatch]:
    if topic is None:
        return iter(())
    return capture.batches(topic, partition, columns=("offset", *FIELDS))


def _compare(
    topic: str, partition: int, left: Iterator[pa.RecordBatch], right: Iterator[pa.RecordBatch]
) -> Iterator[tuple[str, int, Difference | None]]:
    """Walk two streams in step, whatever their batch sizes: (kind, rows, an example)."""
    a, b = next(left, None), next(right, None)
    while a is not None and b is not None:
        rows = min(a.num_rows, b.num_rows)
        yield from _compare_batches(topic, partition, a.slice(0, rows), b.slice(0, rows))
        a = a.slice(rows) if rows < a.num_rows else next(left, None)
        b = b.slice(rows) if rows < b.num_rows else next(right, None)
    for kind, rest, stream in (("only_left", a, left), ("only_right", b, right)):
        while rest is not None:
            first = rest.column("offset")[0].as_py()
            at_left, at_right = (first, None) if kind == "only_left" else (None, first)
            where = Difference(topic, partition, at_left, at_right, "has no counterpart from here on")
            yield kind, rest.num_rows, where
            rest = next(stream, None)


def _compare_batches(
    topic: str, partition: int, a: pa.RecordBatch, b: pa.RecordBatch
) -> Iterator[tuple[str, int, Difference | None]]:
    if all(a.column(name).equals(b.column(name)) for name in FIELDS):
        yield "equal", a.num_rows, None
        return
    left_rows, right_rows = a.to_pylist(), b.to_pylist()
    for one, other in zip(left_rows, right_rows, strict=True):
        odd = [name for name in FIELDS if one[name] != other[name]]
        if odd:
            what = f"{' and '.join(odd)} differ"
            yield "different", 1, Difference(topic, partition, one["offset"], other["offset"], what)
        else:
            yield "equal", 1, None


def describe(comparison: Comparison) -> dict[str, Any]:
    """The verdict as plain values, for JSON."""
    return {
        "same": comparison.same,
        "partitions": comparison.partitions,
        "equal": comparison.equal,
        "different": comparison.different,
        "only_left": comparison.only_left,
        "only_right": comparison.only_right,
        "differences": [difference.sentence() for difference in comparison.differences],
    }
