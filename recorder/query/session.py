"""A capture opened for questions: several queries at once on one sandboxed DuckDB, each of which can be interrupted."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from recorder.capture.reader import Capture
from recorder.errors import BlackboxError, CaptureError, ExitCode, UsageError
from recorder.payloads.choices import Choices
from recorder.payloads.render import visible
from recorder.query.arrow_types import marked, without_foreign_types
from recorder.query.cache import make_cache
from recorder.query.gate import check, names_only
from recorder.query.preparing import Progress
from recorder.query.sandbox import MAIN, open_sandbox, told_by, watch_progress
from recorder.query.spill import Spill
from recorder.query.views import PLAIN_COLUMNS

T = TypeVar("T")
Run = Callable[[Callable[[], Any]], Any]

BATCH_ROWS = 2_000
_LOOK_SECONDS = 0.1

Running = Callable[[float], None]
"""Called again and again while a query runs, with how many percent of it are done, as DuckDB guesses."""


class InterruptedQueryError(BlackboxError):
    """The query was stopped by `Session.interrupt`."""

    exit_code = ExitCode.INTERRUPTED


@dataclass(frozen=True, slots=True)
class Result:
    """A running query: its columns, each name once, and its rows in batches as they come.

    JSON columns have the Arrow type `arrow.json`.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]

    def table(self) -> pa.Table:
        """All rows, in memory."""
        return pa.Table.from_batches(list(self.batches), schema=self.schema)


class Session:
    """Queries over captures. Threads may share it; every query runs on a cursor of its own."""

    def __init__(self, captures: Capture | Mapping[str, Capture], *, choices: Choices | None = None) -> None:
        """One capture, or several by names that are prefixes of their views (`before.records`).

        `choices` are what somebody said of the formats of topics; all else is found out.
        """
        named = {MAIN: captures} if isinstance(captures, Capture) else dict(captures)
        self.captures = named
        self.capture = next(iter(named.values()))
        self._spill = Spill()
        self._shelf: Spill | None = None
        self._running: set[duckdb.DuckDBPyConnection] = set()
        self._stops: set[threading.Event] = set()
        self._lock = threading.Lock()
        try:
            try:
                self._shelf = Spill(make_cache())
            except OSError:
                self._shelf = Spill()  # no home to write in: what is decoded is kept for this session only
            self._connection, self._preparation = open_sandbox(
                named, self._spill.path, self._shelf.path, choices or Choices()
            )
        except BaseException:
            self._close_directories()
            raise

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The whole result in memory. See `stream` for errors."""
        with self.stream(sql, parameters) as result:
            return result.table()

    @contextmanager
    def stream(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        batch_rows: int = BATCH_ROWS,
        few: bool = False,
        progress: Progress | None = None,
        running: Running | None = None,
    ) -> Iterator[Result]:
        """Run one reading statement; leaving the block stops it. `parameters` fill `$name` in the SQL.

        With `few`, only the first rows are wanted; `progress` hears how decoding gets on, when there is much of it,
        `running` how the query itself does.

        UsageError for SQL that is wrong or does not only read, CaptureError for torn segments,
        InterruptedQueryError after `interrupt`; Ctrl-C stops the query at once.
        """
        with self._lock:
            cursor = self._connection.cursor()
            watch_progress(cursor, running is not None)
            self._running.add(cursor)
        # DuckDB waits in native code that Ctrl-C does not reach, so it gets a thread to wait in.
        with ThreadPoolExecutor(1, "blackbox-sql") as thread:

            def run(work: Callable[[], T]) -> T:
                with self._explaining(sql):
                    future = thread.submit(work)
                    while running is not None and not wait([future], _LOOK_SECONDS).done:
                        if (percent := cursor.query_progress()) >= 0:
                            running(percent)
                    return future.result()

            opened: list[pa.RecordBatchReader] = []
            stopped = threading.Event()

            def start() -> tuple[pa.RecordBatchReader, pa.Schema, pa.RecordBatch | None]:
                tree = check(cursor, sql)
                self._preparation.types(sql, parameters, plain=names_only(tree, PLAIN_COLUMNS))
                self._preparation.keep(cursor, sql, parameters, stopped, progress, few=few)
                if stopped.is_set():
                    raise InterruptedQueryError("The query was interrupted.")
                while True:
                    with self._preparation.watching(cursor, sql, parameters, few=few) as watch:
                        try:
                            reader, schema = _start(cursor, sql, parameters, batch_rows, opened)
                            return reader, schema, next(reader, None)
                        except (duckdb.Error, pa.ArrowException, OSError):
                            if not watch.wanted:
                                raise
                    self._preparation.decode(watch, stopped, progress)
                    if stopped.is_set():
                        raise InterruptedQueryError("The query was interrupted.")

            try:
                self._stops.add(stopped)
                reader, schema, beginning = run(start)
                yield Result(schema, _batches(reader, schema, beginning, run))
            finally:
                stopped.set()
                self._stops.discard(stopped)
                _stop(thread, cursor, opened)
                with self._lock:
                    self._running.discard(cursor)
                cursor.close()

    def interrupt(self) -> None:
        """Stop all running queries, from any thread; they end with InterruptedQueryError."""
        with self._lock:
            for stop in list(self._stops):
                stop.set()
            for cursor in self._running:
                cursor.interrupt()

    def close(self) -> None:
        """Stop what runs and remove what was spilled."""
        self.interrupt()
        self._connection.close()
        self._close_directories()

    def _close_directories(self) -> None:
        self._spill.close()
        if self._shelf is not None:
            self._shelf.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _explaining(self, sql: str) -> Iterator[None]:
        """Turn what DuckDB says into the program's own errors, with its message and the place it points at."""
        try:
            yield
        except duckdb.InterruptException:
            raise InterruptedQueryError("The query was interrupted.") from None
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if told := told_by(error):
                raise told from None
            text = visible(str(error).strip())
            if "INTERRUPT Error" in text:
                raise InterruptedQueryError("The query was interrupted.") from None
            if isinstance(error, duckdb.OutOfMemoryException):
                raise BlackboxError(
                    f"The query needs more memory and disk than it may use: ask for less at once. ({text})"
                ) from None
            if isinstance(error, duckdb.PermissionException):
                raise UsageError(
                    f"SQL may only read this capture, no other files and nothing on the network.\n{text}"
                ) from None
            if isinstance(error, duckdb.IOException | OSError) or any(
                str(capture.root) in text for capture in self.captures.values()
            ):
                raise CaptureError(
                    f"A segment can't be read: {text}\nRun 'blackbox verify' to see what is wrong."
                ) from None
            raise UsageError(text + self._hint(sql, text)) from None

    def _hint(self, sql: str, message: str) -> str:
        """What people meet first: topic names with dots and hyphens need quotes, and so does offset."""
        if "does not exist" in message or "syntax error" in message:
            for topic in [topic for capture in self.captures.values() for topic in capture.manifest.topics]:
                if not topic.name.isidentifier() and re.search(rf'(?<!["\w.-]){re.escape(topic.name)}(?!["\w-])', sql):
                    return f'\nA topic\'s name with dots or hyphens needs double quotes: FROM "{topic.name}".'
        if "syntax error" in message and re.search(r'(?<!["\w.])offset(?!["\w])', sql, re.IGNORECASE):
            return '\nThe column "offset" needs double quotes: the bare word belongs to LIMIT … OFFSET.'
        return ""


def _start(
    cursor: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: Mapping[str, Any] | None,
    batch_rows: int,
    opened: list[pa.RecordBatchReader],
) -> tuple[pa.RecordBatchReader, pa.Schema]:
    relation = cursor.sql(sql, params=dict(parameters) if parameters else None)
    relation, types = without_foreign_types(relation)
    reader = relation.to_arrow_reader(batch_rows)
    opened.append(reader)
    return reader, marked(reader.schema, types)


def _batches(
    reader: pa.RecordBatchReader, schema: pa.Schema, batch: pa.RecordBatch | None, run: Run
) -> Iterator[pa.RecordBatch]:
    """All batches, `batch` being the first."""
    while batch is not None:
        columns = [
            pa.ExtensionArray.from_storage(field.type, column) if field.type == pa.json_() else column
            for field, column in zip(schema, batch.columns, strict=True)
        ]
        if batch.num_rows:
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
        # A StopIteration would not survive the way through a Future: the thread gives None for the end.
        batch = run(lambda: next(reader, None))


def _stop(thread: ThreadPoolExecutor, cursor: duckdb.DuckDBPyConnection, opened: list[pa.RecordBatchReader]) -> None:
    """End the query, whatever it does just now and wherever Ctrl-C struck."""

    def close() -> None:
        for reader in opened:
            reader.close()

    # Closing waits for what DuckDB computes ahead, which only an interrupt ends; and one that comes before a query
    # has begun is lost.
    closed = thread.submit(close)
    while not closed.done():
        cursor.interrupt()
        wait([closed], timeout=0.05)
