"""One record in full: where it lies, its key and headers on the left, its value on the right."""

from __future__ import annotations

import re

from rich.highlighter import JSONHighlighter
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from recorder.capture.schema import Record
from recorder.payloads.render import Rendered, render, visible
from recorder.tui.jump import clock
from recorder.window import format_duration, format_time

_KINDS = {"json": "JSON", "text": "text", "hex": "binary", "null": "null", "empty": "empty"}
_HIGHLIGHTED = 64 << 10
"""Characters of JSON that get colours; more would make the cursor wait."""


class Detail(Horizontal):
    """Shows a record with `show`; both halves scroll."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Record | None, int | None, re.Pattern[str] | None] = (None, None, None)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="about"):
            yield Static(id="about-text", markup=False)
        with VerticalScroll(id="value"):
            yield Static(id="value-text", markup=False)

    def show(self, record: Record | None, effective_ms: int | None, match: re.Pattern[str] | None) -> None:
        """A record, the time that it counts with, and what to mark in it; None: nothing to show."""
        self._shown = record, effective_ms, match
        self._draw()
        for pane in (self.query_one("#about"), self.query_one("#value")):
            pane.scroll_home(animate=False)

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        about, value = self.query_one("#about"), self.query_one("#value")
        about_text, value_text = self.query_one("#about-text", Static), self.query_one("#value-text", Static)
        record, effective_ms, match = self._shown
        if record is None:
            about.border_title, value.border_title = "record", "value"
            about_text.update("")
            value_text.update("")
            return
        about.border_title = f"{record.topic}  {record.partition} @ {record.offset}"
        about_text.update(_marked(_about(record, effective_ms, _hex_row(about.content_size.width)), match))
        rendered = render(record.value, hex_row=_hex_row(value.content_size.width))
        size = "" if record.value is None else f" · {len(record.value):,} bytes"
        value.border_title = f"value · {_KINDS[rendered.kind]}{size}"
        value_text.update(_marked(payload_text(rendered), match))


def payload_text(rendered: Rendered) -> Text:
    """A rendered payload with colours where they help."""
    text = Text(rendered.text)
    if rendered.kind == "json" and len(rendered.text) <= _HIGHLIGHTED:
        JSONHighlighter().highlight(text)
    elif rendered.kind in {"null", "empty"}:
        text.stylize("dim italic")
    elif rendered.kind == "hex":
        text.highlight_regex(r"(?m)^[0-9a-f]{8}", "dim")
    if rendered.hidden:
        text.append(f"\n… {rendered.hidden:,} more {rendered.unit}", "dim italic")
    return text


def _about(record: Record, effective_ms: int | None, hex_row: int) -> Text:
    text = Text()

    def fact(name: str, value: str | Text) -> None:
        text.append(f"{name:<6}", "dim")
        text.append(value)
        text.append("\n")

    fact("time", f"{format_time(record.timestamp_ms)} {record.timestamp_type}")
    if effective_ms is not None and effective_ms != record.timestamp_ms:
        text.append(f"{'order':<6}", "dim")
        later = format_duration(effective_ms - record.timestamp_ms)
        by = f" ({later if later[0] == '-' else '+' + later})" if "T" in format_time(record.timestamp_ms) else ""
        text.append(f"counts at {clock(effective_ms)}{by}\n", "yellow")
    fact("key", payload_text(render(record.key, text_limit=4_000, hex_limit=1_024, hex_row=hex_row)))
    text.append("\n")
    text.append(f"headers ({len(record.headers)})\n" if record.headers else "no headers\n", "dim")
    for name, value in record.headers:
        text.append(visible(name).replace("\n", "\\n") or '""', "bold")
        text.append(" ")
        rendered = render(value, text_limit=4_000, hex_limit=1_024, hex_row=hex_row)
        text.append("\n" if "\n" in rendered.text else "")
        text.append(payload_text(rendered))
        text.append("\n")
    if record.leader_epoch is not None:
        text.append(f"\nleader epoch {record.leader_epoch}", "dim")
    return text


def _marked(text: Text, match: re.Pattern[str] | None) -> Text:
    for found in match.finditer(text.plain) if match is not None else ():
        text.stylize("black on yellow", *found.span())
    return text


def _hex_row(width: int) -> int:
    """As many bytes a row as fit, in steps of eight."""
    return next((row for row in (32, 16) if 10 + row // 8 * 25 + row <= width), 8)
