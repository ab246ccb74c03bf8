"""The views over one capture: `records`, and one per topic, under names that can't be mistaken for one another.

A topic is found as `topics."its.name"`, as `"its.name"` where nothing else is called so, and as `its_name` where that
is nobody's name. Beneath, `topics_raw` holds each topic by its position in the manifest, whatever it is called.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from recorder.capture.manifest import Topic
from recorder.capture.reader import Capture
from recorder.query.kept import Kept, Layout, Shape, first_branch, variable
from recorder.query.views import (
    COLUMNS,
    PROLOGUE,
    RECORDS,
    TRANSACTIONS,
    aborted_macro,
    decoded_columns,
    literal,
    prologue_paths,
    quoted,
    record_columns,
    segment_paths,
    select,
    select_more,
    source_of,
    transactions_table,
    typed_function,
)

if TYPE_CHECKING:
    from recorder.query.json_columns import JsonColumn


@dataclass(frozen=True, slots=True)
class Typed:
    """A topic's typed columns: SQL over `raw`: a segment's columns, the structs `k` and `v`, the text `j`."""

    columns: Mapping[str, str]
    structs: tuple[str, ...] = ()
    """Which of `k` and `v` are needed."""
    extracted: Mapping[str, JsonColumn] = field(default_factory=dict)
    """More columns, which are made of `j` alone."""


class CaptureViews:
    """The views over capture `number` of a session, whose segments lie below `root`, in the database `catalog`.

    `reserved` are names of other views; of the topics `chosen` somebody said what their payloads are.
    """

    def __init__(
        self,
        capture: Capture,
        number: int,
        catalog: str,
        root: Path | str,
        reserved: Sequence[str] = (),
        chosen: Sequence[str] = (),
    ) -> None:
        self.capture, self.number, self.catalog, self.root, self.chosen = capture, number, catalog, root, chosen
        self.typed: dict[int, Typed] = {}
        self.named: set[int] = set()
        """The topics that have views under all their names."""
        self.decoded: dict[int, list[str]] = {}
        """Decoded files of the topics whose segments are all decoded."""
        self.layouts: dict[int, tuple[Layout, Shape]] = {}
        """The topics of which columns can be kept."""
        self.kept: dict[int, Kept] = {}
        lowered = Counter(topic.name.lower() for topic in self.topics)
        self._taken = {RECORDS, PROLOGUE, TRANSACTIONS, *reserved}
        # SQL, which ignores case, would take these for one.
        self._ambiguous = {name for name, count in lowered.items() if count > 1}
        aliases = Counter(plain_alias(topic.name) for topic in self.topics)
        self._aliases = {
            alias for alias, count in aliases.items() if count == 1 and alias not in self._taken | lowered.keys()
        }

    @property
    def topics(self) -> tuple[Topic, ...]:
        return self.capture.manifest.topics

    def base(self) -> Iterator[str]:
        """The DDL of all views, before anything is known of what the payloads are."""
        yield f"create schema {self._in('topics_raw')}"
        yield f"create schema {self._in('topics')}"
        yield from transactions_table(self.capture.manifest, self.catalog)
        yield aborted_macro(self.catalog)
        yield self.records()
        prologue = source_of(prologue_paths(self.topics, self.root), self.capture.manifest.prologue_records)
        yield self._create(self._in("main", PROLOGUE), select(record_columns(self.number, self.chosen), prologue))
        for index, topic in enumerate(self.topics):
            yield self._create(self.topic_view(index), self._plain(index, topic))
            if self._is_main(topic):
                yield self._create(self._in("main", topic.name), f"from {self.topic_view(index)}")
        for name in sorted(self._ambiguous - self._taken):
            advice = f"Several topics are called {name} but for upper and lower case: use FROM records WHERE topic = "
            refusal = f"select error({literal(advice + literal(name))}) as refused"
            nothing = ", ".join(f"null as {quoted(column)}" for column in COLUMNS)
            yield self._create(self._in("main", name), f"select {nothing} from ({refusal}) where refused is not null")

    def records(self) -> str:
        """The DDL of `records`: segments as they are, but of the topics that are decoded already."""
        rest = [topic for index, topic in enumerate(self.topics) if index not in self.decoded]
        parts = [] if self.decoded and not rest else [self._segments(rest)]
        parts += [
            select(decoded_columns(), source_of(self.decoded[index], self.topics[index].records))
            for index in self.decoded
        ]
        return self._create(self._in("main", RECORDS), " union all ".join(parts))

    def topic(self, index: int) -> Iterator[str]:
        """The DDL of a topic's views as typed as it is known to be."""
        topic = self.topics[index]
        typed = self.typed.get(index)
        query = self._plain(index, topic) if typed is None else self._typed(index, topic, typed)
        for name in self.names(index):
            yield self._create(name, query)

    def names(self, index: int) -> list[str]:
        """What the views of a topic are called, qualified."""
        topic = self.topics[index]
        if topic.name.lower() in self._ambiguous:
            return []
        names = [self._in("topics", topic.name)]
        if self._is_main(topic):
            names.append(self._in("main", topic.name))
        if (alias := plain_alias(topic.name)) in self._aliases:
            names.append(self._in("main", alias))
        return names

    def mentioned(self, text: str) -> list[int]:
        """The topics whose name, or alias, is in a text."""
        lowered = text.lower().replace('""', '"')
        return [
            index
            for index, topic in enumerate(self.topics)
            if topic.name.lower() in lowered or plain_alias(topic.name) in lowered
        ]

    def topic_view(self, index: int) -> str:
        return self._in("topics_raw", f"t{index}")

    def _plain(self, index: int, topic: Topic) -> str:
        if index in self.decoded:
            return select(decoded_columns(), source_of(self.decoded[index], topic.records))
        return self._segments([topic])

    def _segments(self, topics: Sequence[Topic]) -> str:
        records = sum(topic.records for topic in topics)
        return select(record_columns(self.number, self.chosen), source_of(segment_paths(topics, self.root), records))

    def _typed(self, index: int, topic: Topic, typed: Typed) -> str:
        paths = self.decoded.get(index)
        columns = decoded_columns() if paths is not None else record_columns(self.number, self.chosen)
        # What conditions need comes first, the other columns only of the records that these leave.
        inner = {"j": "try(decode(raw.value))"}
        for struct, side in (("k", "key"), ("v", "value")):
            if struct in typed.structs and paths is None:
                inner[struct] = f"{typed_function(self.number, index, side)}(raw.{side}, raw.headers)"
        source = source_of(segment_paths([topic], self.root) if paths is None else paths, topic.records)
        source = f"({select_more(inner, source)}) as raw"
        json = {name: column.shown(column.value(column.found("raw.j"))) for name, column in typed.extracted.items()}
        records = select({**columns, **typed.columns, **json}, source)
        if index not in self.layouts:
            return records
        (layout, shape), kept, chosen = self.layouts[index], self.kept.get(index), variable(self.number, index)
        return " union all ".join([first_branch(records, chosen, kept), *layout.branches(chosen, shape, kept)])

    def _is_main(self, topic: Topic) -> bool:
        return topic.name.lower() not in self._taken | self._ambiguous

    def _in(self, schema: str, name: str | None = None) -> str:
        return f"{quoted(self.catalog)}.{schema}" + ("" if name is None else f".{quoted(name)}")

    @staticmethod
    def _create(name: str, query: str) -> str:
        return f"create or replace view {name} as {query}"


def plain_alias(name: str) -> str:
    """A topic's name as one word that needs no quotes: `payments.dlq` is `payments_dlq`."""
    alias = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return alias if alias[:1].isalpha() else f"t_{alias}"
