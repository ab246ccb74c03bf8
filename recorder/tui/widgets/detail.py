"""One record in full: where it lies, its key and headers on the left, its value on the right."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from recorder.capture.marks import Mark
from recorder.capture.schema import Record
from recorder.payloads.codec import Decoded
from recorder.payloads.render import render, visible
from recorder.tui.jump import clock
from recorder.tui.payload import payload_text, show_payload
from recorder.window import format_duration, format_time

_HEX_LIMIT_ABOUT = 1_024
_TEXT_LIMIT_ABOUT = 4_000
_MARKS: dict[Mark, str] = {
    "aborted": "aborted: readers of committed records never saw it",
    "undecided": "its transaction was open when the recording ended",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A record, the time that it counts with, what its payloads hold, and whether it was never committed."""

    record: Record
    effective_ms: int
    key: Decoded
    value: Decoded
    mark: Mark | None = None


class Detail(Horizontal):
    """Shows a record with `show`; both halves scroll."""

    def __init__(self) -> None:
        super().__init__()
        self._found: Found | None = None
        self._match: re.Pattern[str] | None = None
        self._raw = False
        self.value_text = ""
        """The value as it is shown, whole."""

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="about"):
            yield Static(id="about-text", markup=False)
        with VerticalScroll(id="value"):
            yield Static(id="value-text", markup=False)

    def show(self, found: Found | None, match: re.Pattern[str] | None = None) -> None:
        """A record and what to mark in it; None: nothing to show."""
        self._found, self._match = found, match
        self._draw()
        for pane in (self.query_one("#about"), self.query_one("#value")):
            pane.scroll_home(animate=False)

    def toggle_raw(self) -> None:
        """Payloads as bytes, or decoded again."""
        self._raw = not self._raw
        self.show(self._found, self._match)

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        about, value = self.query_one("#about"), self.query_one("#value")
        about_text, value_text = self.query_one("#about-text", Static), self.query_one("#value-text", Static)
        found, match = self._found, self._match
        if found is None:
            about.border_title, value.border_title, self.value_text = "record", "value", ""
            about_text.update("")
            value_text.update("")
            return
        record = found.record
        about.border_title = f"{record.topic}  {record.partition} @ {record.offset}"
        about_text.update(_marked(_about(found, self._raw, about.content_size.width), match))
        shown = show_payload(found.value, raw=self._raw, hex_row=_hex_row(value.content_size.width))
        size = "" if record.value is None else f" · {len(record.value):,} bytes"
        value.border_title = f"value · {shown.kind}{size}"
        self.value_text = shown.rendered.text
        value_text.update(_marked(shown.text, match))


def _about(found: Found, raw: bool, width: int) -> Text:
    record, effective_ms = found.record, found.effective_ms
    hex_row = _hex_row(width)
    text = Text()

    def fact(name: str, value: str | Text) -> None:
        text.append(f"{name:<6}", "dim")
        text.append(value)
        text.append("\n")

    time = f"{format_time(record.timestamp_ms)} {record.timestamp_type}"
    # Where it would be cut anywhere, below the date.
    fact("time", time if 6 + len(time) <= width else time.replace("T", f"\n{'':<6}", 1))
    if effective_ms != record.timestamp_ms:
        text.append(f"{'order':<6}", "dim")
        later = format_duration(effective_ms - record.timestamp_ms)
        by = f" ({later if later[0] == '-' else '+' + later})" if "T" in format_time(record.timestamp_ms) else ""
        text.append(f"counts at {clock(effective_ms)}{by}\n", "yellow")
    if found.mark is not None:
        fact("state", Text(_MARKS[found.mark], "yellow"))
    key = show_payload(found.key, raw=raw, hex_row=hex_row, text_limit=_TEXT_LIMIT_ABOUT, hex_limit=_HEX_LIMIT_ABOUT)
    fact("key", key.text)
    text.append("\n")
    text.append(f"headers ({len(record.headers)})\n" if record.headers else "no headers\n", "dim")
    for name, value in record.headers:
        text.append(visible(name).replace("\n", "\\n") or '""', "bold")
        text.append(" ")
        rendered = render(value, text_limit=_TEXT_LIMIT_ABOUT, hex_limit=_HEX_LIMIT_ABOUT, hex_row=hex_row)
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
