"""Fills the narrow files of kept columns, segment by segment: DuckDB reads, parses and writes with all processors.

In this process: unlike decoding in Python it needs no workers, and is as quick as the query that asks.
"""

from __future__ import annotations

import contextlib
import glob
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from recorder.capture.locations import Location, whole
from recorder.capture.manifest import Segment
from recorder.capture.reader import reading
from recorder.query.cache import CacheError, new_file
from recorder.query.decode_segments import check_digest
from recorder.query.kept import ColumnsPlan
from recorder.query.views import literal, literals, quoted, select, select_more

MEMORY_LIMIT = "256MiB"
_ARRIVED = "arrived"
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Extraction:
    """One segment, and where the file of its columns goes."""

    source: Location
    segment: Segment
    target: Path
    plan: ColumnsPlan


def extract_all(jobs: Sequence[Extraction], stop: threading.Event, progress: Callable[[int], None]) -> bool:
    """Write all targets; False when `stop` was set before the end. `progress` hears of records as they are done.

    Raises CaptureError for altered segments, CacheError for targets that can't be written.
    """
    if not jobs:
        return True
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": ""}) as connection:
        connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
        with _interrupting(connection, stop):
            for job in jobs:
                try:
                    with new_file(job.target) as path:
                        _extract(connection, job, path)
                except (duckdb.Error, OSError) as error:
                    if stop.is_set():
                        return False
                    raise CacheError(str(error)) from error
                progress(job.segment.records)
                if stop.is_set():
                    return False
    return True


def _extract(connection: duckdb.DuckDBPyConnection, job: Extraction, target: Path) -> None:
    with reading(job.source), whole(job.source) as raw:
        check_digest(job.source, job.segment, raw)
        if isinstance(job.source, Path) and not glob.has_magic(str(job.source)):
            source = f"read_parquet({literal(str(job.source))}, hive_partitioning = false)"
        else:  # in an object store, or where DuckDB would take the name for a pattern
            source = _ARRIVED
            connection.register(_ARRIVED, pq.read_table(raw, columns=job.plan.reads))
    connection.execute(
        f"copy ({_columns(job.plan, f'{source} as raw')}) to {literal(str(target))} "
        "(format parquet, compression zstd, compression_level 1, use_tmp_file false)"
    )


def _columns(plan: ColumnsPlan, source: str) -> str:
    """The query of the columns: it parses a value once for all that take text of it, and once for those that take JSON.

    A list of pointers costs little more than one of them.
    """
    values: dict[str, str] = {}
    columns = {name: f"raw.{quoted(name)}" for name in plan.raw}
    for kind, function in (("texts", "json_extract_string"), ("parts", "json_extract")):
        chosen = [(number, column) for number, column in plan.extracted if column.plain == (kind == "texts")]
        if chosen:
            # A try of its own for decode would cost a tenth of all. Of two such columns in one SELECT, DuckDB
            # would take decode out of both, and out of what catches its error.
            found = f"try({function}(decode(raw.value), {literals([column.pointer for _, column in chosen])}))"
            source = f"({select_more({kind: found}, source)}) as raw"
        for place, (number, column) in enumerate(chosen, 1):
            values[f"x{number}"] = column.value(f"raw.{kind}[{place}]")
            columns[f"c{number}"] = column.shown(f"raw.x{number}")
    return select(columns, f"({select_more(values, source)}) as raw")


@contextlib.contextmanager
def _interrupting(connection: duckdb.DuckDBPyConnection, stop: threading.Event) -> Iterator[None]:
    """Break off what the connection does when `stop` is set."""
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            if stop.wait(_LOOK_SECONDS):
                connection.interrupt()
                done.wait(_LOOK_SECONDS)

    watcher = threading.Thread(target=look, name="blackbox-stop", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
