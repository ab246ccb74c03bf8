"""Decides, before a query runs, whether it is answered from kept columns of JSON, and fills those that it lacks.

The optimizer says which columns the query needs. Filling them costs what reading the records costs, so it is done for
queries that read a topic through, and for others only what is there is used.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from recorder.query.cache import CacheError, shelve, shrink
from recorder.query.extracting import Extraction, extract_all
from recorder.query.kept import Kept, Layout, Shape, variable
from recorder.query.known import Source
from recorder.query.plans import explained, reads_through
from recorder.query.views import quoted

_PLACES = {"partition", "offset", "timestamp", "timestamp_ms", "key", "key_bytes"}
"""A condition on one of these finds its records without reading all."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a query needs of topic number `index` of a source."""

    source: Source
    index: int
    bits: int
    through: bool
    """Whether it reads the topic through."""


def lay_out(source: Source, index: int, shelf: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Find out what can be kept of a topic that has its typed view, and lay the shape of that view on the shelf."""
    views, typed = source.views, source.views.typed[index]
    if not (typed.extracted and source.large(index)):
        return
    names = views.names(index)
    if not names:
        return
    described = connection.cursor().execute(f"describe from {names[0]}").fetchall()
    columns = tuple(
        (name, _shape_name(views.number, index, place), kind) for place, (name, kind, *_) in enumerate(described)
    )
    row = ", ".join(f"null::{kind} as {quoted(column)}" for _, column, kind in columns)
    path = shelf / f"shape-{views.number}-{index}.parquet"
    try:
        # Statistics would let the optimizer do without columns that the real ones can't.
        pq.write_table(connection.cursor().sql(f"select {row}").to_arrow_table(), path, write_statistics=False)
    except OSError:
        return  # no room: every query reads the records themselves
    layout = Layout(views.topics[index].name, typed.extracted)
    views.layouts[index] = (layout, Shape(str(path), columns))


def needs(
    cursor: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    sql: str,
    parameters: Mapping[str, Any] | None,
    *,
    few: bool,
) -> list[Need]:
    """Which topics a query can be answered of from kept columns, and from which."""
    topics = [(source, index) for source in sources for index in source.views.layouts]
    for source, index in topics:
        cursor.execute(f"set variable {variable(source.views.number, index)} = 0")
    try:
        plan = explained(cursor, sql, parameters)
    finally:
        for source, index in topics:
            cursor.execute(f"reset variable {variable(source.views.number, index)}")
    if plan is None:
        return []
    found: dict[tuple[int, int], set[int]] = {}
    for number, index, place in re.findall(r"\bshape_(\d+)_(\d+)_(\d+)\b", str(plan)):
        found.setdefault((int(number), int(index)), set()).add(int(place))
    result = []
    for source, index in topics:
        number = source.views.number
        places = found.get((number, index), set())
        layout, shape = source.views.layouts[index]
        names = [name for place, (name, _, _) in enumerate(shape.columns) if place in places]
        bits = layout.needs(names)
        if bits is not None and layout.parsed(bits):
            aimed = [_shape_name(number, index, p) for p, (name, _, _) in enumerate(shape.columns) if name in _PLACES]
            result.append(
                Need(source, index, bits, reads_through(plan, _shape_name(number, index), aimed, limited=few))
            )
    return result


def keep(
    need: Need, directory: Path, shelf: Path, stop: threading.Event, progress: Callable[[int, int], None] | None
) -> bool:
    """Have what a query needs on the shelf: from the cache, else made when the query reads its topic through.

    False when it is not there. Raises CaptureError for altered segments.
    """
    source, index = need.source, need.index
    views, (layout, _) = source.views, source.views.layouts[index]
    kept = views.kept.get(index)
    if kept is not None and not need.bits & ~kept.bits:
        return True
    segments = source.segments(index)
    if not segments:
        return False
    present = layout.present(directory, segments[0])
    bits = min((found for found in present if not need.bits & ~found), default=None, key=int.bit_count)
    if bits is None:
        if not need.through:
            return False
        bits = need.bits
        for found in present:  # one file for all questions so far, so that they don't pile up
            bits |= found
    files = [layout.file(directory, segment, bits) for segment in segments]
    missing = [
        Extraction(views.capture.root / segment.path, segment, file, layout.plan(bits))
        for segment, file in zip(segments, files, strict=True)
        if not shelve(file, shelf)
    ]
    if missing and not need.through:
        return False
    total, done = sum(job.segment.records for job in missing), 0

    def report(records: int) -> None:
        nonlocal done
        done += records
        if progress is not None:
            progress(done, total)

    try:
        if not extract_all(missing, stop, report):
            return False
    except CacheError:
        return False  # the records themselves answer
    if not all(shelve(job.target, shelf) for job in missing):
        return False
    version = 1 if kept is None else kept.version + 1
    views.kept[index] = Kept(version, bits, [str(shelf / file.name) for file in files], views.topics[index].records)
    for found in present:
        if found != bits and not found & ~bits:
            for segment in segments:
                with contextlib.suppress(OSError):
                    layout.file(directory, segment, found).unlink()
    if missing and directory != shelf:
        shrink(directory)
    return True


def _shape_name(number: int, index: int, place: int | None = None) -> str:
    return f"shape_{number}_{index}_" + ("" if place is None else str(place))
