"""The first line: which capture this is, when, how much, and whether customers' data are in it."""

from __future__ import annotations

from rich.text import Text
from textual.reactive import reactive
from textual.widgets import Static

from recorder.capture.manifest import Manifest
from recorder.payloads.render import visible
from recorder.window import format_duration, format_time
from recorder.wording import counted


class Heading(Static):
    """Facts of the manifest in one line; the records' `span` stands in where the window is open."""

    span: reactive[tuple[int, int] | None] = reactive(None)

    def __init__(self, name: str, manifest: Manifest) -> None:
        super().__init__(markup=False)
        self._capture_name, self._manifest = name, manifest

    def watch_span(self, span: tuple[int, int] | None) -> None:
        self.update(heading(self._capture_name, self._manifest, span))


def heading(name: str, manifest: Manifest, span: tuple[int, int] | None) -> Text:
    """`span` is the first and last time of the records: it stands in where the window has no start or end."""
    line = Text.assemble(
        (f" {visible(name)} ", "bold reverse"), " ", _badge(manifest), no_wrap=True, overflow="ellipsis"
    )
    if losses := len(manifest.losses):
        line.append(f" {losses} {'LOSS' if losses == 1 else 'LOSSES'} ", "bold black on yellow")
    window = manifest.window
    first = window.from_ms if window.from_ms is not None else span and span[0]
    last = window.to_ms if window.to_ms is not None else span and span[1]
    if first is not None and last is not None:
        start, end = format_time(first), format_time(last)
        shared = "T" in start and start[:11] == end[:11]
        line.append(f"  {start.replace('T', ' ')} → {end[11:] if shared else end.replace('T', ' ')}")
        line.append(f" ({format_duration(last - first)})", "dim")
    line.append(f"  {counted(manifest.records, 'record')} in {counted(len(manifest.topics), 'topic')}")
    return line


def _badge(manifest: Manifest) -> Text:
    """Raw until proven otherwise."""
    return Text(" RAW ", "bold white on red") if manifest.clean is None else Text(" CLEAN ", "bold black on green")
