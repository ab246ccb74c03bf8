"""The table of records: as long as the capture, but only the rows around what is seen are ever in memory."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from recorder.query.pages import Row
from recorder.tui.lines import Layout, Look, record_line

PAGE = 100
PAGES_KEPT = 20
"""2,000 rows at most."""

_SIDEWAYS = 16


class RecordTable(ScrollView, can_focus=True):
    """Shows rows by number; asks for those it has not with `Wanted`, gets them by `put`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "records--heading",
        "records--cursor",
        "records--muted",
        "records--late",
        "records--key",
        "records--binary",
        "records--match",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False, id="records.up"),
        Binding("down", "move(1)", "Down", show=False, id="records.down"),
        Binding("pageup", "move_page(-1)", "Page up", show=False, id="records.page-up"),
        Binding("pagedown,space", "move_page(1)", "Page down", show=False, id="records.page-down"),
        Binding("home", "first", "First", show=False, id="records.first"),
        Binding("end,G", "last", "Last", show=False, id="records.last"),
        Binding("left", "sideways(-1)", "Scroll value left", show=False, id="records.left"),
        Binding("right", "sideways(1)", "Scroll value right", show=False, id="records.right"),
        Binding("enter", "open", "Detail", id="records.open"),
    ]

    cursor: reactive[int] = reactive(0)
    """The number of the record that the cursor is on."""

    class Moved(Message):
        """The cursor is on another record, or the table holds other records."""

    class Opened(Message):
        """The record under the cursor is to be seen in full."""

    class Wanted(Message):
        """Rows that are to be seen but are not in memory: answer with `put`."""

        def __init__(self, generation: int, start: int, count: int) -> None:
            super().__init__()
            self.generation, self.start, self.count = generation, start, count

    def __init__(self, topics: list[str], partitions: int, last_offset: int) -> None:
        super().__init__()
        self.total = 0
        self.match: re.Pattern[str] | None = None
        self._shape = (topics, partitions, last_offset)
        self._pages: OrderedDict[int, list[Row]] = OrderedDict()
        self._generation = 0
        self._asked: tuple[int, int, int] | None = None
        self._scrolled = 0

    def show(self, total: int, cursor: int, match: re.Pattern[str] | None) -> None:
        """Begin anew with `total` rows, none of which is known yet."""
        self._generation += 1
        self._pages.clear()
        self._asked = None
        self.total, self.match = total, match
        self._scrolled = 0
        self.virtual_size = Size(0, total + 1)
        self.set_reactive(RecordTable.cursor, max(0, min(cursor, total - 1)))
        self._reveal(centre=True)
        self._want_visible()
        self.refresh()
        self.post_message(self.Moved())

    def put(self, generation: int, start: int, rows: list[Row]) -> None:
        """Rows from number `start` (a multiple of PAGE) on, as asked for."""
        if generation != self._generation:
            return
        for offset in range(0, len(rows), PAGE):
            self._pages[(start + offset) // PAGE] = rows[offset : offset + PAGE]
        while len(self._pages) > PAGES_KEPT:
            self._pages.popitem(last=False)
        self._asked = None
        self._want_visible()
        self.refresh()
        if start <= self.cursor < start + len(rows):
            self.post_message(self.Moved())

    def go(self, number: int) -> None:
        """Put the cursor on row `number`, in the middle when it was out of sight."""
        number = self.validate_cursor(number)
        if number != self.cursor:
            self.set_reactive(RecordTable.cursor, number)
            self._moved(centre=True)

    def row(self, number: int) -> Row | None:
        """The row of that number; None when it is not in memory or does not exist."""
        page = self._pages.get(number // PAGE)
        return page[number % PAGE] if page is not None and number % PAGE < len(page) else None

    @property
    def current(self) -> Row | None:
        """The row under the cursor, when it is in memory."""
        return self.row(self.cursor)

    def action_move(self, rows: int) -> None:
        self.cursor += rows

    def action_move_page(self, pages: int) -> None:
        self.cursor += pages * max(1, self._visible_rows - 1)

    def action_first(self) -> None:
        self.cursor = 0

    def action_last(self) -> None:
        self.cursor = self.total - 1

    def action_sideways(self, steps: int) -> None:
        self._scrolled = max(0, self._scrolled + steps * _SIDEWAYS)
        self.refresh()

    def action_open(self) -> None:
        self.post_message(self.Opened())

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.total - 1))

    def watch_cursor(self) -> None:
        self._moved()

    def _moved(self, *, centre: bool = False) -> None:
        self._reveal(centre=centre)
        self._want_visible()
        self.refresh()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        self._want_visible()

    def on_resize(self) -> None:
        self._want_visible()

    def on_click(self, event: events.Click) -> None:
        number = int(self.scroll_y) + event.y - 1
        if event.y > 0 and number < self.total:
            if number == self.cursor and event.chain > 1:
                self.action_open()
            self.cursor = number

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        layout = Layout.fitting(width, *self._shape)
        if y == 0:
            style = self.rich_style + self._style("heading")
            return Strip(layout.heading().render(self.app.console)).adjust_cell_length(width, style).apply_style(style)
        number = int(self.scroll_y) + y - 1
        if number >= self.total:
            return Strip.blank(width, self.rich_style)
        style = self.rich_style
        if number == self.cursor:
            style += self._style("cursor")
        row = self.row(number)
        if row is None:
            return Strip.blank(width, style)
        look = Look(*(self._style(name) for name in ("muted", "late", "key", "binary", "match")))
        line = record_line(row, layout, look, scrolled=self._scrolled, match=self.match)
        return Strip(line.render(self.app.console)).adjust_cell_length(width).apply_style(style)

    @property
    def _visible_rows(self) -> int:
        return max(1, self.scrollable_content_region.height - 1)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"records--{name}", partial=True)

    def _reveal(self, *, centre: bool = False) -> None:
        top, rows = int(self.scroll_y), self._visible_rows
        if centre and not top <= self.cursor < top + rows:
            self.scroll_to(y=max(0, self.cursor - rows // 2), animate=False, immediate=True, force=True)
        elif self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True, force=True)
        elif self.cursor >= top + rows:
            self.scroll_to(y=self.cursor - rows + 1, animate=False, immediate=True, force=True)

    def _want_visible(self) -> None:
        if not self.total:
            return
        first = max(0, int(self.scroll_y))
        last = min(self.total - 1, first + self._visible_rows)
        pages = [page for page in range(first // PAGE, last // PAGE + 1) if page not in self._pages]
        if not pages:
            return
        asked = (self._generation, pages[0] * PAGE, (pages[-1] - pages[0] + 1) * PAGE)
        if asked != self._asked:
            self._asked = asked
            self.post_message(self.Wanted(*asked))
