"""Columns of JSON that is no schema's, kept in the cache as narrow files: it is parsed once, not by each query.

A topic's view has three branches, of which a variable of the query's own connection chooses one when the query is
bound: the records themselves (no variable), the kept columns (their `version`), and a `shape` of the view, one row that
says by the names of its columns which of them the optimizer can't do without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from recorder.capture.manifest import Segment
from recorder.query.cache import VERSION
from recorder.query.views import COLUMNS, literal, quoted, select, source_of

if TYPE_CHECKING:
    from recorder.query.json_columns import JsonColumn

_STORED: Mapping[str, tuple[str, ...]] = {
    "topic": (),
    "partition": ("partition",),
    "offset": ("offset",),
    "timestamp": ("timestamp_ms", "timestamp_type"),
    "timestamp_ms": ("timestamp_ms",),
    "timestamp_type": ("timestamp_type",),
    "key": ("key",),
    "key_bytes": ("key",),
    "leader_epoch": ("leader_epoch",),
}
"""The columns of every topic that can be kept too, and those of a segment that they are made of."""
_RAW = tuple(dict.fromkeys(column for columns in _STORED.values() for column in columns))


@dataclass(frozen=True, slots=True)
class ColumnsPlan:
    """Which columns of a topic a narrow file holds, by position in its `Layout`, and how they are made."""

    raw: tuple[str, ...]
    extracted: tuple[tuple[int, JsonColumn], ...]
    """The columns of JSON and their numbers."""

    @property
    def reads(self) -> list[str]:
        """The columns of a segment that it takes."""
        return ["value", *self.raw]


class Layout:
    """What can be kept of a topic: `extracted` are its columns of JSON by name."""

    def __init__(self, topic: str, extracted: Mapping[str, JsonColumn]) -> None:
        self.topic = topic
        self.extracted = dict(extracted)
        self._places = {name: place for place, name in enumerate((*_RAW, *self.extracted))}

    @cached_property
    def _fingerprint(self) -> bytes:
        columns = [
            (name, column.found("j"), column.value("j"), column.shown("j")) for name, column in self.extracted.items()
        ]
        return msgspec.json.encode((self.topic, columns))

    def needs(self, columns: Iterable[str]) -> int | None:
        """The bits of the stored columns that these columns of the view are made of; None when one can't be kept."""
        bits = 0
        for column in columns:
            for stored in self._sources(column):
                if stored not in self._places:
                    return None
                bits |= 1 << self._places[stored]
        return bits

    def parsed(self, bits: int) -> bool:
        """Whether any of the columns is of the JSON."""
        return bool(bits >> len(_RAW))

    def plan(self, bits: int) -> ColumnsPlan:
        raw = tuple(name for name in _RAW if bits >> self._places[name] & 1)
        made = bits >> len(_RAW)
        extracted = [(number, column) for number, column in enumerate(self.extracted.values()) if made >> number & 1]
        return ColumnsPlan(raw, tuple(extracted))

    def file(self, directory: Path, segment: Segment, bits: int) -> Path:
        """Where a segment's columns lie, whether they are there or not."""
        return directory / f"{self._stem(segment)}-{bits:x}.parquet"

    def present(self, directory: Path, segment: Segment) -> list[int]:
        """The bits of those files of a segment that are there."""
        found = []
        for path in directory.glob(f"{self._stem(segment)}-*.parquet"):
            try:
                found.append(int(path.stem.rpartition("-")[2], 16))
            except ValueError:
                continue  # nothing of ours
        return found

    def branches(self, variable: str, shape: Shape, kept: Kept | None) -> list[str]:
        """The branches of the view beside the records themselves."""
        shown = {name: f"cast(raw.{quoted(column)} as {kind})" for name, column, kind in shape.columns}
        parts = [f"{select(shown, source_of([shape.path], 1))} where getvariable({literal(variable)}) = 0"]
        if kept is not None:
            numbers = {name: number for number, name in enumerate(self.extracted)}
            shown = {}
            for name, _, kind in shape.columns:
                bits = self.needs([name])
                if bits is None or bits & ~kept.bits:
                    # Never reached: whoever chooses this branch has asked the shape.
                    shown[name] = f"error('not kept')::{kind}"
                else:
                    expression = f"raw.c{numbers[name]}" if name in numbers else COLUMNS[name]
                    expression = literal(self.topic) if name == "topic" else expression
                    shown[name] = f"cast({expression} as {kind})"
            source = source_of(kept.paths, kept.records)
            parts.append(f"{select(shown, source)} where getvariable({literal(variable)}) = {kept.version}")
        return parts

    def _sources(self, column: str) -> Sequence[str]:
        return (column,) if column in self.extracted else _STORED.get(column, ("",))

    def _stem(self, segment: Segment) -> str:
        parts = (str(VERSION).encode(), segment.sha256.encode(), str(segment.bytes).encode(), self._fingerprint)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


@dataclass(frozen=True, slots=True)
class Shape:
    """A file with the view's columns: each one's name in the view, in the file, and its type."""

    path: str
    columns: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """Narrow files of all segments of a topic, in their order."""

    version: int
    bits: int
    paths: list[str]
    records: int


def variable(number: int, topic: int) -> str:
    """The variable by which a query chooses its branch."""
    return f"kept_{number}_{topic}"


def first_branch(query: str, variable: str, kept: Kept | None) -> str:
    """The records themselves: what is read unless another branch is chosen."""
    others = "(0)" if kept is None else f"(0, {kept.version})"
    return f"{query} where coalesce(getvariable({literal(variable)}), -1) not in {others}"
