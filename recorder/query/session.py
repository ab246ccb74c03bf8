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
from recorder.payloads.render import visible
from recorder.query.gate import check
from recorder.query.sandbox import open_sandbox, told_by
from recorder.query.spill import Spill
from recorder.query.views import quoted

T = TypeVar("T")
Run = Callable[[Callable[[], Any]], Any]

BATCH_ROWS = 2_000

# Types that Arrow, or what reads Arrow, has no place for: they become text, inside other types JSON.
_FOREIGN = re.compile(r"INTERVAL|BIT\b|BIGNUM|VARIANT|UNION|TIME WITH TIME ZONE|TIME_NS|TIMESTAMP_NS|GEOMETRY")


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
    """Queries over one capture. Threads may share it; every query runs on a cursor of its own."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self._spill = Spill()
        self._running: set[duckdb.DuckDBPyConnection] = set()
        self._lock = threading.Lock()
        try:
            self._connection = open_sandbox(capture, self._spill.path)
        except BaseException:
            self._spill.close()
            raise

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The whole result in memory. See `stream` for errors."""
        with self.stream(sql, parameters) as result:
            return result.table()

    @contextmanager
    def stream(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, batch_rows: int = BATCH_ROWS
    ) -> Iterator[Result]:
        """Run one reading statement; leaving the block stops it. `parameters` fill `$name` in the SQL.

        UsageError for SQL that is wrong or does not only read, CaptureError for torn segments,
        InterruptedQueryError after `interrupt`; Ctrl-C stops the query at once.
        """
        with self._lock:
            cursor = self._connection.cursor()
            self._running.add(cursor)
        # DuckDB waits in native code that Ctrl-C does not reach, so it gets a thread to wait in.
        with ThreadPoolExecutor(1, "blackbox-sql") as thread:

            def run(work: Callable[[], T]) -> T:
                with self._explaining(sql):
                    return thread.submit(work).result()

            opened: list[pa.RecordBatchReader] = []
            try:
                reader, schema = run(lambda: _start(cursor, sql, parameters, batch_rows, opened))
                yield Result(schema, _batches(reader, schema, run))
            finally:
                _stop(thread, cursor, opened)
                with self._lock:
                    self._running.discard(cursor)
                cursor.close()

    def interrupt(self) -> None:
        """Stop all running queries, from any thread; they end with InterruptedQueryError."""
        with self._lock:
            for cursor in self._running:
                cursor.interrupt()

    def close(self) -> None:
        """Stop what runs and remove what was spilled."""
        self.interrupt()
        self._connection.close()
        self._spill.close()

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
            if isinstance(error, duckdb.IOException | OSError) or str(self.capture.root) in text:
                raise CaptureError(
                    f"A segment can't be read: {text}\nRun 'blackbox verify' to see what is wrong."
                ) from None
            raise UsageError(text + self._hint(sql, text)) from None

    def _hint(self, sql: str, message: str) -> str:
        """What people meet first: topic names with dots and hyphens need quotes, and so does offset."""
        if "does not exist" in message or "syntax error" in message:
            for topic in self.capture.manifest.topics:
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
    check(cursor, sql)
    relation = cursor.sql(sql, params=dict(parameters) if parameters else None)
    types = [str(kind) for kind in relation.types]
    if any(_FOREIGN.search(kind) for kind in types):
        relation = relation.project(_projection(relation.columns, types))
        types = [str(kind) for kind in relation.types]
    reader = relation.to_arrow_reader(batch_rows)
    opened.append(reader)
    return reader, _schema(reader.schema, types)


def _batches(reader: pa.RecordBatchReader, schema: pa.Schema, run: Run) -> Iterator[pa.RecordBatch]:
    # A StopIteration would not survive the way through a Future: the thread gives None for the end.
    while (batch := run(lambda: next(reader, None))) is not None:
        columns = [
            pa.ExtensionArray.from_storage(field.type, column) if field.type == pa.json_() else column
            for field, column in zip(schema, batch.columns, strict=True)
        ]
        if batch.num_rows:
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


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


def _projection(names: list[str], types: list[str]) -> str:
    """All columns by position, foreign types as text or, nested, as JSON."""
    columns = []
    for position, (name, kind) in enumerate(zip(names, types, strict=True), start=1):
        if not _FOREIGN.search(kind):
            columns.append(f"#{position}")
        elif kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "VARIANT")):
            columns.append(f"to_json(#{position}) as {quoted(name)}")
        else:
            columns.append(f"cast(#{position} as varchar) as {quoted(name)}")
    return ", ".join(columns)


def _schema(schema: pa.Schema, types: list[str]) -> pa.Schema:
    """The result's schema with each name once and JSON marked as JSON."""
    taken: set[str] = set()
    fields = []
    for field, kind in zip(schema, types, strict=True):
        name, number = field.name, 0
        while name in taken:
            number += 1
            name = f"{field.name}_{number}"
        taken.add(name)
        is_json = kind == "JSON" and field.type == pa.string()
        fields.append(pa.field(name, pa.json_() if is_json else field.type))
    return pa.schema(fields)
