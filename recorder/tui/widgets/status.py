"""The line that says what is seen, what is being done, and what went wrong."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from recorder.payloads.render import one_line, visible
from recorder.query.pages import Filter


class Status(Static):
    """Normally the filter and the cursor's place; `say` and `complain` show until the next `show`."""

    def __init__(self) -> None:
        super().__init__(markup=False)

    def show(self, wanted: Filter, position: int, kept: int, total: int) -> None:
        line = filter_text(wanted)
        where = f"{min(position + 1, kept):,} of {kept:,}" if kept else "none"
        line.append(f"record {where}")
        if kept != total:
            line.append(f", of {total:,} in all  Esc clears", "dim")
        self.update(line)

    def say(self, text: str) -> None:
        self.update(Text(visible(text), "italic"))

    def complain(self, text: str) -> None:
        # The first lines say what and where; more would push the table away.
        self.update(Text("\n".join(visible(text).splitlines()[:5]), "bold red"))


def filter_text(wanted: Filter) -> Text:
    """What a filter asks for, in words."""
    line = Text(no_wrap=True, overflow="ellipsis")
    if wanted.topics:
        line.append("topic ", "dim")
        line.append(", ".join(sorted(wanted.topics)) + "  ", "bold")
    if wanted.key is not None:
        line.append("key is ", "dim")
        line.append(one_line(wanted.key, 40) + "  ", "bold")
    if wanted.key_text:
        line.append("key has ", "dim")
        line.append(visible(wanted.key_text) + "  ", "bold")
    if wanted.text:
        line.append("text ", "dim")
        line.append(visible(wanted.text) + "  ", "bold")
    return line
