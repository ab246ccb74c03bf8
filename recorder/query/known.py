"""What is found out about a capture's topics when a query first names them: how to decode them, their typed columns."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from recorder.capture.manifest import Segment
from recorder.payloads.choices import Choices
from recorder.payloads.decoder import Codecs
from recorder.payloads.samples import Sample
from recorder.query.catalog import CaptureViews, Typed
from recorder.query.decoding import TopicDecoder, TopicPlan
from recorder.query.merging import printable
from recorder.query.sql_types import sql_type
from recorder.query.views import record_columns

if TYPE_CHECKING:
    from recorder.query.json_columns import JsonColumn

CACHE_RECORDS = 50_000
"""A topic with fewer records is decoded anew by each query: that is quick, and leaves nothing on disk."""


@dataclass(frozen=True, slots=True)
class KnownTopic:
    """What is known of a topic."""

    plan: TopicPlan
    decoder: TopicDecoder
    native: bool
    """Its values are JSON, which the database reads itself."""
    structure: dict[str, Any]
    """That of its JSON, where no schema gives its columns."""

    @property
    def columns(self) -> Typed:
        """Its typed columns."""
        taken = {name.lower() for name in record_columns(0)} | {"decoded"}
        columns: dict[str, str] = {}
        structs: list[str] = []
        extracted: dict[str, JsonColumn] = {}
        for side, struct in ((self.plan.value, "v"), (self.plan.key, "k")):
            for place, column in enumerate(side.columns):
                columns[_name(column.name, side.side, taken)] = _shown(column, f"raw.{struct}.c{place}")
            if side.columns:
                structs.append(struct)
        if self.structure:
            from recorder.query.json_columns import columns_of

            # Straight from the text: it is parsed once, and what is not JSON has no columns.
            extracted = {_name(name, "value", taken): column for name, column in columns_of(self.structure).items()}
        return Typed(columns, tuple(structs), extracted)


@dataclass(slots=True)
class Source:
    """A capture of a session and what was found out about it. Threads may share it."""

    views: CaptureViews
    choices: Choices
    connection: duckdb.DuckDBPyConnection
    lock: threading.RLock
    _codecs: Codecs | None = None
    _topics: dict[int, KnownTopic] = field(default_factory=dict)

    @property
    def codecs(self) -> Codecs:
        """Those of the capture's schemas. Raises CaptureError."""
        if self._codecs is None:
            from recorder.payloads.snapshot import book_of

            self._codecs = Codecs(book_of(self.views.capture))
        return self._codecs

    def large(self, index: int) -> bool:
        """Whether decoding topic number `index` is worth a cache."""
        return self.views.topics[index].records >= CACHE_RECORDS

    def segments(self, index: int) -> list[Segment]:
        return [segment for partition in self.views.topics[index].partitions for segment in partition.segments]

    def known(self, index: int) -> KnownTopic:
        """Looked up in a sample, the first time. Raises CaptureError."""
        with self.lock:
            if index not in self._topics:
                from recorder.payloads.samples import sample_of
                from recorder.query.planning import plan_topic

                topic = self.views.topics[index]
                sample = sample_of(self.views.capture, topic)
                names = [each.name for each in self.views.topics]
                search = partial(self._search_ids, index)
                plan = plan_topic(topic.name, sample, self.codecs, self.choices, names, search)
                native = plan.value.choice is None and plan.value.format in ("json", "text", None)
                structure = self._structure(sample) if native and not plan.value.columns else {}
                self._topics[index] = KnownTopic(plan, TopicDecoder(plan, self.codecs), native, structure)
            return self._topics[index]

    def _search_ids(self, index: int) -> list[int]:
        """The schema ids that values of a topic begin with, rare ones too: reads them all."""
        rows = self.connection.cursor().execute(
            f"select distinct value_bytes[1:5] from {self.views.topic_view(index)} "
            "where value_bytes[1:1] = '\\x00'::blob and octet_length(value_bytes) >= 5"
        )
        return [int.from_bytes(start[1:5], "big") for (start,) in rows.fetchall()]

    def _structure(self, sample: Sample) -> dict[str, Any]:
        from recorder.query.json_columns import infer

        texts = [value.decode(errors="replace") for value in sample.values if value and value[:1] == b"{"]
        return infer(self.connection.cursor(), texts)


def _name(name: str, side: str, taken: set[str]) -> str:
    """A column's name that nothing else has: a key's begins with `key_`, a value's where it must with `value_`."""
    name = printable(name)
    if side == "key" or name.lower() in taken:
        name = f"{side}_{name}"
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free.lower())
    return free


def _shown(column: pa.Field, expression: str) -> str:
    """JSON as JSON, also inside."""
    kind = sql_type(column)
    return f"cast({expression} as {kind})" if "JSON" in kind else expression
