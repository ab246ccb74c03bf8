"""What happens between a question and its answer: topics that it names get their types, and what it has to decode
is decoded into the cache, when that is worth it.

The views are right before and after; all that is found out here only makes them more telling or quicker.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from recorder.capture.manifest import Segment
from recorder.payloads.choices import Choices
from recorder.payloads.decoder import Codecs
from recorder.query.catalog import CaptureViews, Typed
from recorder.query.decoding import TopicDecoder, TopicPlan
from recorder.query.functions import create_payload_function, create_typed_function
from recorder.query.merging import printable
from recorder.query.sql_types import sql_type
from recorder.query.views import facts_function, json_function, record_columns, typed_function

CACHE_RECORDS = 50_000
"""A topic with fewer records is decoded anew by each query: that is quick, and leaves nothing on disk."""
QUICK_RECORDS = 50_000
"""A query that decodes more payloads than that before it gives a row begins anew, on the decoded topic."""
_STREAMING = {"PROJECTION", "FILTER", "UNION", "READ_PARQUET"}

Progress = Callable[[int, int], None]
"""Called with how many records are decoded and how many will be."""


class DecodeFirstError(Exception):
    """Breaks off a query from inside a function that it calls."""


@dataclass(slots=True)
class Watch:
    """What a query decoded so far, by (capture, topic), and what should be decoded before it begins anew."""

    text: str
    limit: int
    rows: Counter[tuple[int, int]] = field(default_factory=Counter)
    wanted: set[tuple[int, int]] = field(default_factory=set)


@dataclass(slots=True)
class _Topic:
    """What is known of a topic once a query named it."""

    plan: TopicPlan
    decoder: TopicDecoder
    native: bool
    """Its values are JSON, which the database reads itself."""


@dataclass(slots=True)
class _Source:
    """A capture of the session and what was found out about it."""

    views: CaptureViews
    codecs: Codecs | None = None
    topics: dict[int, _Topic] = field(default_factory=dict)


class _Report:
    """Adds up what is decoded."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total, self._done, self._progress = total, 0, progress

    def more(self, records: int) -> None:
        self._done += records
        if self._progress is not None:
            self._progress(self._done, self.total)


class Preparation:
    """Prepares the views of a session's captures for its queries. Threads may share it."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, views: Sequence[CaptureViews], choices: Choices, shelf: Path
    ) -> None:
        """`shelf` is where decoded files may be read from: those of the cache, in which it lies, are linked there."""
        self._connection = connection
        self._choices = choices
        self._sources = [_Source(view) for view in views]
        self._shelf = shelf
        self._lock = threading.RLock()
        self._watches: list[Watch] = []
        for source in self._sources:
            json, facts = json_function(source.views.number), facts_function(source.views.number)
            create_payload_function(connection, json, self._decoder_for(source, True))
            create_payload_function(connection, facts, self._decoder_for(source, False))

    def types(self, sql: str, parameters: Mapping[str, Any] | None) -> None:
        """Give the topics that a query names their typed views. Raises CaptureError."""
        text = _text(sql, parameters)
        with self._lock:
            for source in self._sources:
                for index in source.views.mentioned(text):
                    if index not in source.views.typed:
                        self._type(source, index)
                        for statement in source.views.topic(index):
                            self._connection.execute(statement)

    @contextlib.contextmanager
    def watching(
        self, cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None, *, few: bool
    ) -> Iterator[Watch]:
        """Break off, with an error and something `wanted`, a query that begins to decode more than is quick.

        Until its first rows are there, that is. `few`: no more than these will be looked at.
        """
        large = any(self._large(source, index) for source in self._sources for index in range(len(source.views.topics)))
        whole = large and not few and _streams(cursor, sql, parameters)
        watch = Watch(_text(sql, parameters), 0 if whole else QUICK_RECORDS)
        with self._lock:
            self._watches.append(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches.remove(watch)

    def decode(self, watch: Watch, stop: threading.Event, progress: Progress | None = None) -> None:
        """Decode into the cache what the query wanted. Raises CaptureError."""
        with self._lock:
            wanted = [
                (self._sources[number], index)
                for number, index in sorted(watch.wanted)
                if index not in self._sources[number].views.decoded
            ]
            self._decode(wanted, stop, progress)

    def _asked(self, source: _Source, index: int, rows: int, *, json_only: bool, everywhere: bool) -> None:
        """A function of a running query decodes so many payloads of a topic."""
        if index in source.views.decoded or not self._large(source, index):
            return
        if json_only and self._known(source, index).native:
            return  # what little of it is not JSON is quickly said
        with self._lock:
            # Two queries at once can't be told apart here: then both go on as they are.
            watch = self._watches[0] if len(self._watches) == 1 else None
            if watch is None:
                return
            place = (source.views.number, index)
            watch.rows[place] += rows
            if watch.rows[place] <= watch.limit:
                return
            watch.wanted.add(place)
            if everywhere:
                others = source.views.mentioned(watch.text) or range(len(source.views.topics))
                watch.wanted |= {
                    (source.views.number, other)
                    for other in others
                    if self._large(source, other) and not (json_only and self._known(source, other).native)
                }
        raise DecodeFirstError("decode first")

    def _decode(self, wanted: list[tuple[_Source, int]], stop: threading.Event, progress: Progress | None) -> None:
        from recorder.query.cache import file_of, shrink
        from recorder.query.decode_segments import Job, decode_all

        directory = self._shelf.parent if self._shelf.parent.name == "decoded" else self._shelf
        targets: dict[int, list[Path]] = {}
        missing: dict[int, list[Job]] = {}
        for place, (source, index) in enumerate(wanted):
            plan, root = self._known(source, index).plan, source.views.capture.root
            fingerprint = plan.fingerprint(tuple(self._codecs(source).book))
            segments = _segments(source, index)
            files = targets[place] = [file_of(directory, segment, plan.topic, fingerprint) for segment in segments]
            missing[place] = [
                Job(root / segment.path, segment, file, plan)
                for segment, file in zip(segments, files, strict=True)
                if not self._shelve(file)
            ]
        report = _Report(sum(job.segment.records for jobs in missing.values() for job in jobs), progress)
        for place, (source, index) in enumerate(wanted):
            if not decode_all(missing[place], tuple(self._codecs(source).book), stop, report.more):
                return
            for job in missing[place]:
                self._shelve(job.target)
            source.views.decoded[index] = [str(self._shelf / file.name) for file in targets[place]]
            for statement in (*source.views.topic(index), source.views.records()):
                self._connection.execute(statement)
        if report.total and directory != self._shelf:
            shrink(directory)

    def _shelve(self, file: Path) -> bool:
        """Link a decoded file to where this session may read it: removed from the cache, it still stays here."""
        link = self._shelf / file.name
        if not link.exists():
            try:
                os.link(file, link)
            except FileNotFoundError:
                return False
        with contextlib.suppress(OSError):
            os.utime(file)
        return True

    def _large(self, source: _Source, index: int) -> bool:
        return source.views.topics[index].records >= CACHE_RECORDS

    def _codecs(self, source: _Source) -> Codecs:
        if source.codecs is None:
            from recorder.payloads.snapshot import book_of

            source.codecs = Codecs(book_of(source.views.capture))
        return source.codecs

    def _known(self, source: _Source, index: int) -> _Topic:
        with self._lock:
            if index not in source.topics:
                from recorder.query.planning import plan_topic, sample_of

                codecs, topic = self._codecs(source), source.views.topics[index]
                sample = sample_of(source.views.capture, topic)
                plan = plan_topic(topic.name, sample, codecs, self._choices, self._ids(source, index, codecs))
                native = plan.value.choice is None and plan.value.format in ("json", "text", None)
                source.topics[index] = _Topic(plan, TopicDecoder(plan, codecs), native)
            return source.topics[index]

    def _decoder_for(self, source: _Source, json_only: bool) -> Callable[[str, int], TopicDecoder | None]:
        places = {topic.name: index for index, topic in enumerate(source.views.topics)}

        def decoder_for(topic: str, rows: int) -> TopicDecoder | None:
            if topic not in places:
                return None
            self._asked(source, places[topic], rows, json_only=json_only, everywhere=True)
            return self._known(source, places[topic]).decoder

        return decoder_for

    def _ids(self, source: _Source, index: int, codecs: Codecs) -> list[int]:
        """The known schema ids that values of a topic begin with, rare ones too."""
        if not any(schema.id is not None for schema in codecs.book):
            return []
        rows = self._connection.cursor().execute(
            f"select distinct value_bytes[1:5] from {source.views.topic_view(index)} "
            "where value_bytes[1:1] = '\\x00'::blob and octet_length(value_bytes) >= 5"
        )
        return [int.from_bytes(start[1:5], "big") for (start,) in rows.fetchall()]

    def _type(self, source: _Source, index: int) -> None:
        known = self._known(source, index)
        taken = {name.lower() for name in record_columns(0)} | {"decoded"}
        columns: dict[str, str] = {}
        structs = []
        for side, struct in ((known.plan.value, "v"), (known.plan.key, "k")):
            for place, column in enumerate(side.columns):
                columns[_name(column.name, side.side, taken)] = _shown(column, f"base.{struct}.c{place}")
            if side.columns:
                structs.append(struct)
                function = typed_function(source.views.number, index, side.side)
                asked = partial(self._asked, source, index, json_only=False, everywhere=False)
                create_typed_function(self._connection, function, known.decoder, side.side, asked)
        if known.native and not known.plan.value.columns:
            columns |= self._json_columns(source, index, taken)
        source.views.typed[index] = Typed(columns, tuple(structs))

    def _json_columns(self, source: _Source, index: int, taken: set[str]) -> dict[str, str]:
        from recorder.query.json_columns import columns_of, infer
        from recorder.query.planning import sample_of

        values = sample_of(source.views.capture, source.views.topics[index]).values
        texts = [value.decode(errors="replace") for value in values if value and value[:1] == b"{"]
        found = columns_of(infer(self._connection.cursor(), texts), "base.j")
        # Straight from the text: it is parsed once, and what is not JSON has no columns.
        return {_name(name, "value", taken): expression for name, expression in found.items()}


def _segments(source: _Source, index: int) -> list[Segment]:
    return [segment for partition in source.views.topics[index].partitions for segment in partition.segments]


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


def _text(sql: str, parameters: Mapping[str, Any] | None) -> str:
    return "\n".join([sql, *(value for value in (parameters or {}).values() if isinstance(value, str))])


def _streams(cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None) -> bool:
    """Whether a query gives rows as it reads them, and as many as there are."""
    try:
        rows = cursor.execute("explain (format json) " + sql, dict(parameters) if parameters else None).fetchall()
        waiting = msgspec.json.decode(rows[0][1])
    except (duckdb.Error, msgspec.DecodeError, IndexError):
        return False  # it can't be explained, or is wrong: the query itself will say so
    while waiting:
        node = waiting.pop()
        if str(node.get("name", "")).strip() not in _STREAMING:
            return False
        waiting += node.get("children", [])
    return True
