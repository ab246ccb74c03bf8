"""`blackbox sql`: any question to a capture, answered by DuckDB."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recorder.cli.interrupt import end_as_by_ctrl_c
from recorder.cli.options import FormatsFile, KeyFormats, OutputFormat, ValueFormats
from recorder.cli.output import Format, complain, emit, emit_lines, emit_text, progress, say
from recorder.errors import UsageError

if TYPE_CHECKING:
    from recorder.capture.reader import Capture
    from recorder.payloads.choices import Choices
    from recorder.query import Session

ROWS_SHOWN = 1_000
_QUIET_SECONDS = 1.0
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.+)", re.DOTALL)
_TAKEN = ("memory", "system", "temp", "main", "topics", "topics_raw")


def sql(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CAPTURE… SQL",
            help="A capture, or several as NAME=CAPTURE, and one statement that reads; '-' reads it from stdin.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="FILE", help="Read the statement from a file.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="Fills $NAME in the statement, as text; may repeat."),
    ] = None,
    key_format: KeyFormats = None,
    value_format: ValueFormats = None,
    formats_file: FormatsFile = None,
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
    explain: Annotated[bool, typer.Option("--explain", help="Show how the statement would be run.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Show the views and macros there are.")] = False,
    clear_cache: Annotated[
        bool, typer.Option("--clear-cache", help="Remove what queries decoded from your cache directory, and end.")
    ] = False,
) -> None:
    """Ask captures anything, in SQL: the view `records`, one typed view per topic, and what --list shows.

    Columns: topic, partition, "offset", timestamp, timestamp_ms, timestamp_type, key, value, key_json, value_json,
    headers, key_bytes, value_bytes, leader_epoch, key_reason, value_reason (why there is no JSON), and in a topic's
    view one for each member of its schemas, or of its JSON. Of several captures, names begin with the capture's.

    What a query decodes much of is kept in your cache directory (~/.cache/kafka-blackbox, or $BLACKBOX_CACHE_DIR), as
    sensitive as the capture: only you can read it, --clear-cache removes it.

    Example: blackbox sql incident/ 'SELECT topic, count(*) FROM records GROUP BY ALL'

    Example: blackbox sql incident/ --value-format orders=protobuf:order.proto#Order 'SELECT id FROM orders'

    Example: blackbox sql before=incident/ after=replayed/ 'SELECT count(*) FROM before.records' -o n.csv
    """
    from recorder.payloads.choices import typed_choices
    from recorder.query.results import check_output, csv_text, export, first, head, json_text, ndjson_text

    if clear_cache:
        from recorder.query.cache import clear

        say(f"{clear():,} bytes of decoded records removed.")
        return
    end_as_by_ctrl_c()
    places, rest = _places(words or [])
    if listing:
        _list(places, rest, form)
        return
    text = _statement(rest, file)
    opened = _open(places)
    if output is not None:
        for capture in opened.values():
            check_output(output, capture=capture.root)
    few = output is None and (limit or form is Format.TABLE)
    with (
        _session(opened, typed_choices(key_format or (), value_format or (), formats_file)) as session,
        progress("running", 100, "percent", after=_QUIET_SECONDS) as bar,
        session.stream(
            f"explain {text}" if explain else text,
            _parameters(parameters or []),
            few=bool(few) and limit != 0,
            progress=lambda done, total: bar.show(completed=done, total=total, description="decoding"),
            running=lambda percent: bar.show(completed=percent, total=100, description="running"),
        ) as result,
    ):
        if output is not None:
            count = export(first(result, limit), output)
            bar.end()
            say(f"{count:,} rows written to {output}")
        elif form is Format.TABLE:
            shown = head(result, ROWS_SHOWN if limit is None else limit or None)
            bar.end()
            if shown.columns == ["explain_key", "explain_value"]:
                emit_text("\n".join(row[1] for row in shown.rows))
                return
            emit(shown.columns, shown.rows, form)
            if shown.cut:
                complain(f"Cut: the first {len(shown.rows):,} rows. --limit N shows more, 0 all; -o FILE writes all.")
        else:
            if sys.stdout.isatty():
                bar.end()
            as_text = {Format.CSV: csv_text, Format.JSON: json_text, Format.NDJSON: ndjson_text}[form]
            emit_lines(as_text(first(result, limit)))


def _places(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Captures by their names (one alone has none), and the words that follow."""
    if words and (Path(words[0]).exists() or not _NAMED.match(words[0])):
        return {"": words[0]}, words[1:]
    named: dict[str, str] = {}
    for at, word in enumerate(words):
        found = _NAMED.match(word)
        if found is None or " " in word:
            return named, words[at:]
        if found[1].lower() in (*map(str.lower, named), *_TAKEN):
            raise UsageError(f"{word}: the name {found[1]} is taken, choose another one.")
        named[found[1]] = found[2]
    return named, []


def _open(places: dict[str, str]) -> dict[str, Capture]:
    from recorder.capture.reader import open_capture

    if not places:
        raise UsageError("Name a capture: blackbox sql CAPTURE 'SELECT …', or several: before=CAPTURE after=CAPTURE.")
    return {name: open_capture(place) for name, place in places.items()}


def _session(opened: dict[str, Capture], choices: Choices) -> Session:
    from recorder.query import Session

    return Session(opened.get("", opened), choices=choices)


def _list(places: dict[str, str], rest: list[str], form: Format) -> None:
    from recorder.query.canned import CANNED

    if rest:
        raise UsageError("--list takes captures and no statement.")
    rows = [["records", "all records, whatever their topic", "SELECT topic, count(*) FROM records GROUP BY ALL"]]
    if places:
        for capture in _open(places).values():
            rows += [
                [f'"{topic.name}"', f"{topic.records:,} records, typed", f'FROM "{topic.name}" LIMIT 5']
                for topic in capture.manifest.topics
            ]
    for canned in CANNED:
        signature = f"{canned.name}({canned.parameters})" if canned.parameters else canned.name
        rows.append([signature.replace("of_topic", "topic"), canned.says, canned.example])
    emit(["name", "what", "example"], rows, form)


def _parameters(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not equals or not name.isidentifier():
            raise UsageError(f"--param {name}{equals}: write NAME=VALUE, for $NAME in the statement.")
    return {name: value for name, _, value in pairs}


def _statement(rest: list[str], file: Path | None) -> str:
    if len(rest) != (file is None):
        raise UsageError("Give one SQL statement: as an argument, as '-' for stdin, or with -f FILE.")
    try:
        if file is not None:
            return file.read_text(encoding="utf-8")
        return sys.stdin.read() if rest[0] == "-" else rest[0]
    except OSError as error:
        raise UsageError(f"Can't read {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file or 'stdin'} is not UTF-8 text.") from None
