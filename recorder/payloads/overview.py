"""What `blackbox schemas` shows: which schemas records name, where, how often, and what changed meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from recorder.payloads.reasons import Side
from recorder.payloads.schemas import Schema, SchemaBook
from recorder.payloads.used import Key, Use, Uses
from recorder.window import format_time

COLUMNS = ("topic", "side", "schema", "subject", "version", "kind", "records", "first", "last")


@dataclass(frozen=True, slots=True)
class Line:
    """One schema on one side of a topic; `schema` None: the capture does not hold it."""

    topic: str
    side: Side
    key: Key
    use: Use
    schema: Schema | None

    @property
    def row(self) -> tuple[object, ...]:
        newest = max(self.schema.subjects, default=None) if self.schema else None
        return (
            self.topic,
            self.side,
            self.key,
            newest.subject if newest else None,
            newest.version if newest else None,
            self.schema.kind if self.schema else "missing",
            self.use.records,
            format_time(self.use.first_ms),
            format_time(self.use.last_ms),
        )


def lines(uses: Uses, book: SchemaBook) -> list[Line]:
    """By topic and side, each schema in the order of its first record. Ids that nobody knows are only noise beside
    payloads that no known schema frames, and left out there.
    """
    found: dict[tuple[str, Side], list[Line]] = defaultdict(list)
    for topic, side, key, use in uses:
        found[topic, side].append(Line(topic, side, key, use, book.find(key)))
    return [
        line
        for place in found.values()
        for line in place
        if line.schema is not None or line.key in book.unresolved or not len(book)
    ]


def changes(shown: list[Line]) -> Iterator[str]:
    """A sentence for each schema that came into a topic while it was recorded."""
    before: dict[tuple[str, Side], Line] = {}
    for line in shown:
        previous = before.get((line.topic, line.side))
        before[line.topic, line.side] = line
        if previous is not None and previous.use.first_ms < line.use.first_ms:
            then = format_time(line.use.first_ms)
            ended = "" if previous.use.last_ms >= line.use.first_ms else ", which no record names after that"
            yield f"{line.topic} {line.side}: {_name(line)} from {then} on, before it {_name(previous)}{ended}"


def unused(uses: Uses, book: SchemaBook) -> list[Schema]:
    """Schemas that no record names: others refer to them."""
    named = uses.keys()
    return [schema for schema in book if schema.id not in named and schema.guid not in named]


def _name(line: Line) -> str:
    return line.schema.title if line.schema else f"id {line.key}"
