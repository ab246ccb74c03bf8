"""The one place that writes to stdout (results) and to stderr (everything else), in the form that was asked for.

Machine formats carry full precision; tables are for eyes. Progress shows only on a terminal.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

from recorder.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import Console


class Format(StrEnum):
    """How results are written to stdout."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


@dataclass(slots=True)
class Verbosity:
    """Set once, by the flags before the verb."""

    quiet: bool = False
    verbose: bool = False
    debug: bool = False


VERBOSITY = Verbosity()


def say(text: str) -> None:
    """A line for the person, on stderr; silent with --quiet."""
    if not VERBOSITY.quiet:
        sys.stderr.write(text + "\n")


def complain(text: str) -> None:
    """A line that must be seen, on stderr, also with --quiet."""
    sys.stderr.write(text + "\n")


@contextmanager
def _stdout() -> Iterator[TextIO]:
    """Where results go. Its reader (head, less) may leave at any time: then nothing is left to do or wrong."""
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        # Keep the exit from flushing into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(ExitCode.OK) from None


def emit(columns: Sequence[str], rows: Iterable[Sequence[Any]], form: Format) -> None:
    """Write rows to stdout. JSON and NDJSON write one object a row with `columns` as its keys."""
    if form is Format.TABLE:
        emit_text(_table(columns, rows))
    elif form is Format.CSV:
        with _stdout() as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
    elif form is Format.NDJSON:
        emit_lines(to_json(dict(zip(columns, row, strict=True))) for row in rows)
    else:
        emit_json([dict(zip(columns, row, strict=True)) for row in rows])


def emit_json(value: Any) -> None:
    """One JSON value on stdout, indented."""
    emit_text(to_json(value, indent=2))


def emit_object(value: Mapping[str, Any], form: Format) -> None:
    """One object on stdout: indented JSON, one line of NDJSON, or CSV with a line of names and one of values."""
    if form is Format.JSON:
        emit_json(value)
    else:
        emit(
            tuple(value),
            [[_flat(cell) for cell in value.values()] if form is Format.CSV else list(value.values())],
            form,
        )


def to_json(value: Any, *, indent: int | None = None) -> str:
    """JSON text of plain values; bytes that are not UTF-8 become `{"base64": …}`, other objects their str()."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def emit_lines(lines: Iterable[str]) -> None:
    """Lines to stdout as they come, so that `head` sees the first at once."""
    with _stdout() as out:
        for line in lines:
            out.write(line + "\n")


def emit_text(text: str) -> None:
    """Text on stdout."""
    with _stdout() as out:
        out.write(text if text.endswith("\n") else text + "\n")


def emit_facts(title: str, facts: Mapping[str, str]) -> None:
    """A heading and aligned name-value lines on stdout."""
    width = max((len(name) for name in facts), default=0)
    emit_text("\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in facts.items())]))


@contextmanager
def progress(
    description: str, total: float | None = None, unit: str = "records", *, after: float = 0, eta: bool = True
) -> Iterator[Progress]:
    """Progress with rate and ETA on stderr; `unit` is ``records``, ``bytes`` or ``percent`` (which has no rate).

    Without `eta`, for work whose notes say how long it will take.

    Nothing when not a terminal, nor before so many seconds `after` now.
    """
    if VERBOSITY.quiet or not sys.stderr.isatty():
        yield Progress()
        return
    from rich import progress as rich_progress

    rates = {"records": _rate_column, "bytes": rich_progress.TransferSpeedColumn}
    bar = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
        *([rates[unit]()] if unit in rates else []),
        *([rich_progress.TimeRemainingColumn()] if eta else []),
        rich_progress.TextColumn("{task.fields[note]}"),
        console=_console(stderr=True),
        transient=True,
    )
    shown = _Bar(bar, bar.add_task(description, total=total, note=""), time.monotonic() + after)
    if not after:
        bar.start()
    try:
        yield shown
    finally:
        shown.end()


class Progress:
    """What long work reports to; this one shows nothing."""

    def advance(self, amount: float) -> None:
        """So much more is done."""

    def show(
        self,
        *,
        completed: float | None = None,
        total: float | None = None,
        note: str | None = None,
        description: str | None = None,
    ) -> None:
        """Where the work stands now; None leaves a figure as it is."""

    def end(self) -> None:
        """Take it away, for good: what is written now must not meet it on the terminal."""


class _Bar(Progress):
    """On the terminal from the first report that comes at `due` (monotonic seconds) or later."""

    def __init__(self, bar: Any, task: Any, due: float) -> None:
        self._bar, self._task, self._due = bar, task, due
        self._ended = False

    def advance(self, amount: float) -> None:
        self._bar.advance(self._task, amount)
        self._start()

    def show(self, **given: Any) -> None:
        self._bar.update(self._task, **{name: value for name, value in given.items() if value is not None})
        self._start()

    def end(self) -> None:
        self._ended = True
        self._bar.stop()

    def _start(self) -> None:
        if not self._ended and not self._bar.live.is_started and time.monotonic() >= self._due:
            self._bar.start()


def _rate_column() -> Any:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")

    return RateColumn()


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    materialised = [list(row) for row in rows]
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) or row[index] is None for row in materialised)
        table.add_column(column, justify="right" if numeric and materialised else "left", overflow="fold")
    for row in materialised:
        table.add_row(*(Text(_cell(column, value)) for column, value in zip(columns, row, strict=True)))
    console = _console(stderr=False)
    with console.capture() as captured:
        # A pipe has no width: never fold what a program or `less -S` may read.
        console.print(table, soft_wrap=not sys.stdout.isatty())
    return captured.get()


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        # Offsets and times get copied into commands; counts get read.
        return str(value) if "offset" in column or column.endswith("_ms") else f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    return _printable(value if isinstance(value, str) else str(value))


def _printable(text: str) -> str:
    """Text from a record must not steer the terminal: control characters are shown escaped."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def _flat(value: Any) -> Any:
    return to_json(value) if isinstance(value, list | dict) else value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            import base64

            return {"base64": base64.b64encode(value).decode()}
    return str(value)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    piped = not (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, width=10_000 if piped and not stderr else None)
