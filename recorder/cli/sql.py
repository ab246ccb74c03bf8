"""`blackbox sql`: any question to a capture, answered by DuckDB."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.options import CapturePath, OutputFormat
from recorder.cli.output import Format, complain, emit, emit_lines, emit_text, say
from recorder.errors import UsageError

ROWS_SHOWN = 1_000


def sql(
    capture: CapturePath,
    statement: Annotated[
        str | None,
        typer.Argument(metavar="SQL", help="One statement that reads; '-' reads it from stdin.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="FILE", help="Read the statement from a file.")
    ] = None,
    form: OutputFormat = Format.TABLE,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write the result to a new .parquet, .csv, .json or .ndjson file."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=0, help=f"At most N rows; 0: all. A table shows {ROWS_SHOWN} if not told."
        ),
    ] = None,
) -> None:
    """Ask a capture anything, in SQL: the view `records`, and one view per topic.

    Columns: topic, partition, "offset", timestamp, timestamp_ms, timestamp_type, key, value, value_json, headers,
    key_bytes, value_bytes, leader_epoch. Text is NULL where the bytes are not UTF-8.

    Example: blackbox sql incident/ 'SELECT topic, count(*) FROM records GROUP BY ALL'

    Example: blackbox sql incident/ 'SELECT key, value_json->>'"'"'$.error'"'"' FROM "payments.dlq"' -o failed.csv
    """
    from recorder.capture.reader import open_capture
    from recorder.query import Session
    from recorder.query.results import check_output, csv_text, export, first, head, json_text, ndjson_text

    # A DuckDB at work does not hear a signal, Python does: ended by SIGTERM, it still tidies up, as by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    text = _statement(statement, file)
    opened = open_capture(capture)
    if output is not None:
        check_output(output, capture=opened.root)
    with Session(opened) as session, session.stream(text) as result:
        if output is not None:
            count = export(first(result, limit), output)
            say(f"{count:,} rows written to {output}")
        elif form is Format.TABLE:
            shown = head(result, ROWS_SHOWN if limit is None else limit or None)
            if shown.columns == ["explain_key", "explain_value"]:
                emit_text("\n".join(row[1] for row in shown.rows))
                return
            emit(shown.columns, shown.rows, form)
            if shown.cut:
                complain(f"Cut: the first {len(shown.rows):,} rows. --limit N shows more, 0 all; -o FILE writes all.")
        else:
            as_text = {Format.CSV: csv_text, Format.JSON: json_text, Format.NDJSON: ndjson_text}[form]
            emit_lines(as_text(first(result, limit)))


def _statement(statement: str | None, file: Path | None) -> str:
    if (statement is None) == (file is None):
        raise UsageError("Give one SQL statement: as an argument, as '-' for stdin, or with -f FILE.")
    try:
        if file is not None:
            return file.read_text(encoding="utf-8")
        return sys.stdin.read() if statement == "-" else str(statement)
    except OSError as error:
        raise UsageError(f"Can't read {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file or 'stdin'} is not UTF-8 text.") from None
