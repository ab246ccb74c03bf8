"""What happens between a question and its answer: topics that it names get their types, and what it has to decode
is decoded into the cache, when that is worth it.

The views are right before and after; all that is found out here only makes them more telling or quicker.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from recorder.payloads.choices import Choices
from recorder.query.cache import CacheError
from recorder.query.catalog import CaptureViews
from recorder.query.decoding import TopicDecoder
from recorder.query.functions import create_payload_function, create_typed_function
from recorder.query.known import Source
from recorder.query.views import facts_function, json_function, typed_function

QUICK_RECORDS = 50_000
"""A query that decodes more payloads than that before it gives a row begins anew, on the decoded topic."""

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
        self._lock = threading.RLock()
        self._sources = [Source(view, choices, connection, self._lock) for view in views]
        self._shelf = shelf
        self._directory = shelf.parent if shelf.parent.name == "decoded" else shelf
        self._watches: list[Watch] = []
        self._uncached = False
        """Nothing can be written into the cache: every query decodes what it needs."""
        for source in self._sources:
            json, facts = json_function(source.views.number), facts_function(source.views.number)
            create_payload_function(connection, json, self._decoder_for(source, True))
            create_payload_function(connection, facts, self._decoder_for(source, False))

    def types(self, sql: str, parameters: Mapping[str, Any] | None, *, plain: bool = False) -> None:
        """Give the topics that a query names their views: typed ones, unless all columns it asks for are `plain`.

        Raises CaptureError.
        """
        text = _text(sql, parameters)
        with self._lock:
            for source in self._sources:
                views = source.views
                for index in views.mentioned(text):
                    if index in views.typed or (plain and index in views.named):
                        continue
                    if not plain:
                        self._type(source, index)
                    self._show(source, index)
                    views.named.add(index)
                    if not plain:
                        self._lay_out(source, index)

    def keep(
        self,
        cursor: duckdb.DuckDBPyConnection,
        sql: str,
        parameters: Mapping[str, Any] | None,
        stop: threading.Event,
        progress: Progress | None,
        *,
        few: bool,
    ) -> None:
        """Let the query of a cursor read kept columns of JSON where these are all that it needs. Raises CaptureError.

        `few`: no more than the first rows will be looked at.
        """
        if not any(source.views.layouts for source in self._sources):
            return
        from recorder.query.keeping import keep, needs
        from recorder.query.kept import variable

        with self._lock:
            for need in needs(cursor, self._sources, sql, parameters, few=few):
                before = need.source.views.kept.get(need.index)
                if not keep(need, self._directory, self._shelf, stop, progress):
                    continue
                kept = need.source.views.kept[need.index]
                if kept is not before:
                    self._show(need.source, need.index)
                cursor.execute(f"set variable {variable(need.source.views.number, need.index)} = {kept.version}")

    @contextlib.contextmanager
    def watching(
        self, cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None, *, few: bool
    ) -> Iterator[Watch]:
        """Break off, with an error and something `wanted`, a query that begins to decode more than is quick.

        Until its first rows are there, that is. `few`: no more than these will be looked at.
        """
        large = any(source.large(index) for source in self._sources for index in range(len(source.views.topics)))
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
            try:
                self._decode(wanted, stop, progress)
            except CacheError:
                self._uncached = True

    def _asked(self, source: Source, index: int, rows: int, *, json_only: bool, everywhere: bool) -> None:
        """A function of a running query decodes so many payloads of a topic."""
        if index in source.views.decoded or not source.large(index) or self._uncached:
            return
        if json_only and source.known(index).native:
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
                    if source.large(other) and not (json_only and source.known(other).native)
                }
        raise DecodeFirstError("decode first")

    def _decode(self, wanted: list[tuple[Source, int]], stop: threading.Event, progress: Progress | None) -> None:
        from recorder.query.cache import file_of, shelve, shrink
        from recorder.query.decode_segments import Job, decode_all

        directory = self._directory
        targets: dict[int, list[Path]] = {}
        missing: dict[int, list[Job]] = {}
        for place, (source, index) in enumerate(wanted):
            plan, root = source.known(index).plan, source.views.capture.root
            fingerprint = plan.fingerprint(tuple(source.codecs.book))
            segments = source.segments(index)
            files = targets[place] = [file_of(directory, segment, plan.topic, fingerprint) for segment in segments]
            missing[place] = [
                Job(root / segment.path, segment, file, plan)
                for segment, file in zip(segments, files, strict=True)
                if not shelve(file, self._shelf)
            ]
        report = _Report(sum(job.segment.records for jobs in missing.values() for job in jobs), progress)
        for place, (source, index) in enumerate(wanted):
            if not decode_all(missing[place], tuple(source.codecs.book), stop, report.more):
                return
            for job in missing[place]:
                shelve(job.target, self._shelf)
            source.views.decoded[index] = [str(self._shelf / file.name) for file in targets[place]]
            for statement in (*source.views.topic(index), source.views.records()):
                self._connection.execute(statement)
        if report.total and directory != self._shelf:
            shrink(directory)

    def _decoder_for(self, source: Source, json_only: bool) -> Callable[[str, int], TopicDecoder | None]:
        places = {topic.name: index for index, topic in enumerate(source.views.topics)}

        def decoder_for(topic: str, rows: int) -> TopicDecoder | None:
            if topic not in places:
                return None
            self._asked(source, places[topic], rows, json_only=json_only, everywhere=True)
            return source.known(places[topic]).decoder

        return decoder_for

    def _show(self, source: Source, index: int) -> None:
        for statement in source.views.topic(index):
            self._connection.execute(statement)

    def _lay_out(self, source: Source, index: int) -> None:
        if not source.views.typed[index].extracted or not source.large(index):
            return
        from recorder.query.keeping import lay_out

        lay_out(source, index, self._shelf, self._connection)
        self._show(source, index)

    def _type(self, source: Source, index: int) -> None:
        known = source.known(index)
        for side in (known.plan.value, known.plan.key):
            if side.columns:
                function = typed_function(source.views.number, index, side.side)
                asked = partial(self._asked, source, index, json_only=False, everywhere=False)
                create_typed_function(self._connection, function, known.decoder, side.side, asked)
        source.views.typed[index] = known.columns


def _text(sql: str, parameters: Mapping[str, Any] | None) -> str:
    return "\n".join([sql, *(value for value in (parameters or {}).values() if isinstance(value, str))])


def _streams(cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None) -> bool:
    """Whether a query gives rows as it reads them, and as many as there are."""
    from recorder.query.plans import STREAMING, explained

    waiting = [explained(cursor, sql, parameters)]
    while waiting:
        node = waiting.pop()
        if node is None or str(node.get("name", "")).strip() not in STREAMING:
            return False
        waiting += node.get("children", [])
    return True
