"""The SQL pane: a statement above, its first rows below; a row that names a record leads to it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import DataTable, Footer, TextArea
from textual.worker import Worker, WorkerState

from recorder.payloads.render import fit, one_line, visible
from recorder.query import Session
from recorder.query.results import Head
from recorder.tui.loading import Answered, Failed, Loader
from recorder.tui.widgets.status import Status

ROWS_SHOWN = 1_000
CELL_WIDTH = 60
FIRST_STATEMENT = (
    "SELECT topic, count(*) AS records, min(timestamp) AS first, max(timestamp) AS last\n"
    "FROM records GROUP BY topic ORDER BY records DESC;"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A record that a row of the result names."""

    topic: str
    partition: int
    offset: int


class Editor(TextArea):
    """Runs on Enter after a last semicolon, as the shells of databases do."""

    class Submitted(Message):
        """Run what is written."""

    async def _on_key(self, event: events.Key) -> None:
        at_end = self.cursor_location == self.document.end
        if event.key == "enter" and at_end and self.text.rstrip().endswith(";"):
            event.stop()
            event.prevent_default()
            self.post_message(self.Submitted())
        else:
            await super()._on_key(event)


class SqlScreen(Screen[Chosen | None]):
    """Runs one statement at a time in a worker; ends with the record that was chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+r,ctrl+j", "run", "Run", key_display="F5 / ^r / ;⏎", priority=True, id="sql.run"),
        Binding("tab", "app.focus_next", "Result", id="sql.result"),
        Binding("escape", "back", "Stop / back", priority=True, id="sql.back"),
    ]

    def __init__(self, session: Session, statement: str | None) -> None:
        super().__init__()
        self.statement = statement or FIRST_STATEMENT
        """What is written, also after the screen has gone."""
        self._load: Loader = Loader(self, session)
        self._started: float | None = None
        self._head: Head | None = None

    def compose(self) -> ComposeResult:
        editor = Editor(self.statement, language="sql", tab_behavior="focus", show_line_numbers=False)
        editor.border_title = "SQL"
        editor.border_subtitle = 'views: records, and one per topic · "offset" needs quotes'
        yield editor
        table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=True)
        table.border_title = "result"
        yield table
        yield Status()
        yield Footer()

    def on_mount(self) -> None:
        editor = self.query_one(Editor)
        editor.move_cursor(editor.document.end)
        self.action_run()

    def on_text_area_changed(self) -> None:
        self.statement = self.query_one(Editor).text

    def on_editor_submitted(self) -> None:
        self.action_run()

    def action_run(self) -> None:
        if self._started is not None:
            return
        self._started = monotonic()
        self.query_one(Status).say("running… Esc stops.")
        self._load.query(self.statement, ROWS_SHOWN)

    def action_back(self) -> None:
        if self._started is not None:
            self._load.interrupt()
        else:
            self.dismiss(None)

    def on_answered(self, message: Answered) -> None:
        seconds, self._started = monotonic() - (self._started or monotonic()), None
        self._head = message.head
        table = self.query_one(DataTable)
        table.clear(columns=True)
        rows = [[cell_text(value) for value in row] for row in message.head.rows]
        for index, name in enumerate(message.head.columns):
            heading = Text(fit(visible(name), CELL_WIDTH))
            table.add_column(heading, width=max([heading.cell_len, *(row[index].cell_len for row in rows)]))
        table.add_rows(rows)
        count = f"{len(message.head.rows):,} {'row' if len(message.head.rows) == 1 else 'rows'}"
        cut = f"the first {count}, there are more" if message.head.cut else count
        leads = " · Enter on a row shows that record" if self._leads() else ""
        self.query_one(Status).say(f"{cut} in {seconds:.2f} s{leads}")

    def on_failed(self, message: Failed) -> None:
        self._started = None
        self.query_one(Status).complain(message.text)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            self._started = None
            self.query_one(Status).complain(f"unexpected {type(event.worker.error).__name__}: {event.worker.error}")

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if self._head is not None and (named := self._leads()):
            row = self._head.rows[event.cursor_row]
            topic, partition, offset = (row[column] for column in named)
            if isinstance(topic, str) and isinstance(partition, int) and isinstance(offset, int):
                self.dismiss(Chosen(topic, partition, offset))

    def _leads(self) -> tuple[int, int, int] | None:
        """The result's columns that name a record, when it has them."""
        columns = self._head.columns if self._head is not None else []
        if not {"topic", "partition", "offset"} <= set(columns):
            return None
        return columns.index("topic"), columns.index("partition"), columns.index("offset")


def cell_text(value: Any) -> Text:
    """A result's value in one short line; numbers to the right, NULL unlike any text."""
    if value is None:
        return Text("NULL", "dim italic")
    if isinstance(value, bool):
        return Text(str(value).lower())
    if isinstance(value, int | float | Decimal):
        return Text(f"{value:,}" if isinstance(value, int) else str(value), justify="right")
    payload = value if isinstance(value, bytes) else str(value).encode("utf-8", "backslashreplace")
    return Text(one_line(payload, CELL_WIDTH) if payload else "", no_wrap=True)
