"""One record as one line of the table: columns that fit the width, coloured by what they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from recorder.payloads.render import EMPTY, NULL, fit
from recorder.query.pages import Row
from recorder.tui.jump import clock
from recorder.window import format_time

TOPIC_COLOURS = ("#5fafd7", "#87af5f", "#d7af5f", "#af87d7", "#5fafaf", "#d7875f", "#87afff", "#afaf87")
DEAD_LETTER_COLOUR = "#ff5f5f"
"""Red means trouble, so no other topic is red."""

_DEAD_LETTERS = re.compile(r"(^|[._-])(dlq|dlt|dead[._-]?letters?|errors?|poison)([._-]|$)", re.IGNORECASE)
_TIME = 12
_DAY_MS = 86_400_000
_GAP = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths of the columns in terminal cells; the value takes what is left."""

    topic: int
    partition: int
    offset: int
    key: int
    value: int

    @classmethod
    def fitting(cls, width: int, topics: list[str], partitions: int, last_offset: int) -> Layout:
        """The layout for a table of that width over these topics."""
        topic = max(5, min(max(map(len, topics), default=5), max(12, width // 5)))
        partition = max(1, len(str(partitions - 1)))
        offset = max(6, len(str(last_offset)))
        key = max(8, min(24, width // 6))
        used = _TIME + topic + partition + offset + key + 5 * _GAP
        return cls(topic, partition, offset, key, max(10, width - used))

    def heading(self) -> Text:
        """The names of the columns."""
        columns = [("time (UTC)", _TIME), ("topic", self.topic), ("p", self.partition), ("offset", -self.offset)]
        return _row([*columns, ("key", self.key), ("value", self.value)])


@dataclass(frozen=True, slots=True)
class Look:
    """The styles of a line, from the theme."""

    muted: Style
    late: Style
    key: Style
    binary: Style
    match: Style


def topic_style(topic: str, index: int) -> Style:
    """A topic's colour, the same everywhere; red for dead letters."""
    return Style(color=DEAD_LETTER_COLOUR if is_dead_letter(topic) else TOPIC_COLOURS[index % len(TOPIC_COLOURS)])


def is_dead_letter(topic: str) -> bool:
    """Whether a topic's name says that it holds what could not be handled."""
    return _DEAD_LETTERS.search(topic) is not None


def record_line(row: Row, layout: Layout, look: Look, *, scrolled: int, match: re.Pattern[str] | None) -> Text:
    """The line of `row`; the value starts `scrolled` cells in, or where it first matches beyond the right edge."""
    line = Text(no_wrap=True, end="")
    # A record that counts later or earlier than it says: out of order, or with a wild timestamp.
    line.append(_time(row).ljust(_TIME), look.late if row.place.effective_ms != row.timestamp_ms else None)
    line.append("  ")
    line.append(_padded(fit(row.topic, layout.topic), layout.topic), topic_style(row.topic, row.topic_index))
    line.append("  ")
    line.append(str(row.partition).rjust(layout.partition), look.muted)
    line.append("  ")
    line.append(str(row.place.offset).rjust(layout.offset), look.muted)
    line.append("  ")
    line.append(
        _padded(fit(row.key_line, layout.key), layout.key), _payload_style(row.key, row.key_line, look, look.key)
    )
    line.append("  ")
    whole = row.value_line
    shown = whole[_start(whole, layout.value, scrolled, match) :]
    line.append(fit(shown, layout.value), _payload_style(row.value, whole, look, None))
    if match is not None:
        for found in match.finditer(line.plain):
            line.stylize(look.match, *found.span())
    return line


def matcher(text: str) -> re.Pattern[str] | None:
    """Finds `text` in a line as the search found it in the record: ignoring case unless it holds a capital."""
    if not text:
        return None
    return re.compile(re.escape(text), 0 if text != text.lower() else re.IGNORECASE)


def _start(text: str, width: int, scrolled: int, match: re.Pattern[str] | None) -> int:
    if scrolled or match is None:
        return min(scrolled, max(0, len(text) - width // 2))
    found = match.search(text)
    return 0 if found is None or found.end() < width else max(0, found.start() - width // 3)


def _payload_style(payload: bytes | None, line: str, look: Look, normal: Style | None) -> Style | None:
    if not payload:
        return look.muted
    if line.startswith("(") and not payload.startswith(b"("):  # the reason why it can't be read
        return look.late
    return look.binary if line.startswith("0x") and not payload.startswith(b"0x") else normal


def _time(row: Row) -> str:
    """The time of day; the date when it is another day's, and no number that would be cut."""
    text = format_time(row.timestamp_ms)
    if "T" not in text:
        return "(wild)"
    return clock(row.timestamp_ms) if abs(row.timestamp_ms - row.place.effective_ms) < _DAY_MS else text[:10]


def _padded(text: str, width: int) -> str:
    return text + " " * max(0, width - Text(text).cell_len)


def _row(columns: list[tuple[str, int]]) -> Text:
    cells = [name[:width].ljust(width) if width > 0 else name[:-width].rjust(-width) for name, width in columns]
    return Text("  ".join(cells), no_wrap=True, end="")


__all__ = ["EMPTY", "NULL", "Layout", "Look", "is_dead_letter", "matcher", "record_line", "topic_style"]
