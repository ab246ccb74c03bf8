"""The capture's pulse: records per slice of time, what a filter leaves of them, and where the cursor is."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from recorder.query.timeline import Timeline
from recorder.tui.jump import clock
from recorder.tui.lines import is_dead_letter
from recorder.window import format_duration

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_BAR_ROWS = 2


class TimeStrip(Widget):
    """Bars over the window; a click goes to that time."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "strip--all",
        "strip--kept",
        "strip--dead",
        "strip--cursor",
        "strip--axis",
    }

    class Chosen(Message):
        """Go to this time."""

        def __init__(self, time_ms: int) -> None:
            super().__init__()
            self.time_ms = time_ms

    def __init__(self) -> None:
        super().__init__()
        self._everything: Timeline | None = None
        self._kept: Timeline | None = None
        self._cursor_ms: int | None = None
        self._lines: list[Strip] = []

    def show(self, everything: Timeline, kept: Timeline) -> None:
        """Draw `kept` in front of `everything`."""
        self._everything, self._kept = everything, kept
        self._draw()

    def point(self, time_ms: int | None) -> None:
        """Mark where the cursor is."""
        if time_ms != self._cursor_ms:
            self._cursor_ms = time_ms
            self._draw()

    @property
    def edges(self) -> list[int]:
        """The borders of the slices, in epoch ms; empty when there is nothing."""
        span = self._everything.span if self._everything is not None else None
        width = self.content_size.width
        if span is None or width < 1:
            return []
        first, length = span[0], max(span[1] - span[0] + 1, width)
        return [first + length * column // width for column in range(width + 1)]

    def on_resize(self) -> None:
        self._draw()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        edges = self.edges
        if offset is not None and 0 <= offset.x < len(edges) - 1:
            self.post_message(self.Chosen(edges[offset.x]))

    def render_line(self, y: int) -> Strip:
        return self._lines[y] if y < len(self._lines) else Strip.blank(self.size.width, self.rich_style)

    def _draw(self) -> None:
        edges = self.edges
        self._lines = []
        if edges and self._everything is not None and self._kept is not None:
            everything, kept = self._everything.counts(edges), self._kept.counts(edges)
            dead = self._everything.only(lambda stream: is_dead_letter(stream.topic)).counts(edges)
            peak = max(everything)
            self.border_title = (
                f"records per {format_duration(edges[1] - edges[0])} · at most {peak:,} · "
                f"{format_duration(edges[-1] - edges[0])} in all"
            )
            for level in reversed(range(_BAR_ROWS)):
                self._lines.append(self._bars(everything, kept, peak, level))
            self._lines.append(self._marks(edges, dead))
            self._lines.append(self._axis(edges))
        self.refresh()

    def _bars(self, everything: list[int], kept: list[int], peak: int, level: int) -> Strip:
        behind, front = self._style("all"), self._style("kept")
        segments = []
        for total, part in zip(everything, kept, strict=True):
            all_fill, part_fill = _fill(total, peak, level), _fill(part, peak, level)
            if part_fill:
                # Where the bar behind goes on above, it shows as the background of the cell.
                style = front + Style(bgcolor=behind.color) if all_fill == 8 and part_fill < 8 else front
                segments.append(Segment(_EIGHTHS[part_fill], style))
            else:
                segments.append(Segment(_EIGHTHS[all_fill], behind))
        return Strip(segments).apply_style(self.rich_style)

    def _marks(self, edges: list[int], dead: list[int]) -> Strip:
        cursor, alarm = self._style("cursor"), self._style("dead")
        segments = []
        for low, high, letters in zip(edges, edges[1:], dead, strict=False):
            if self._cursor_ms is not None and low <= self._cursor_ms < high:
                segments.append(Segment("▲", cursor))
            else:
                segments.append(Segment("▪" if letters else " ", alarm))
        return Strip(segments).apply_style(self.rich_style)

    def _axis(self, edges: list[int]) -> Strip:
        width = len(edges) - 1
        labels = [" "] * width
        wanted = max(2, min(6, width // 24))
        for index in range(wanted):
            text = clock(edges[width * index // (wanted - 1)], milliseconds=False)
            start = min(width - len(text), max(0, width * index // (wanted - 1) - len(text) // 2))
            if start >= 0:
                labels[start : start + len(text)] = text
        return Strip([Segment("".join(labels), self._style("axis"))]).apply_style(self.rich_style)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"strip--{name}", partial=True)


def _fill(count: int, peak: int, level: int) -> int:
    """Eighths of the cell at `level` that a bar for `count` fills; any record at all shows."""
    if not count:
        return 0
    eighths = max(1, round(count / peak * 8 * _BAR_ROWS))
    return max(0, min(8, eighths - 8 * level))
