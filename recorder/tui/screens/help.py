"""All keys on one page, told by the bindings themselves."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from recorder.tui.jump import JUMP_FORMS

_KEY_NAMES = {"pageup": "PgUp", "pagedown": "PgDn", "escape": "Esc", "space": "Space", "enter": "Enter"}
_ARROWS = {"up": "↑", "down": "↓", "left": "←", "right": "→", "home": "Home", "end": "End", "tab": "Tab"}

_NOTES = f"""
Search and key ignore case unless you type a capital. A search looks into values, keys and headers.
Go to: {JUMP_FORMS}. All times are UTC.
A yellow time is out of order: the record counts later than it says. A red topic holds dead letters; ▪ under
the bars marks when. Bars in front are what the filter leaves of the bars behind; a click goes to that time.
"""


class HelpScreen(ModalScreen[None]):
    """Any of the usual keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close", id="help.close")
    ]

    def __init__(self, sections: dict[str, list[BindingType]]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "keys"
            yield Static(help_text(self._sections), markup=False)


def help_text(sections: dict[str, list[BindingType]]) -> Text:
    """The bindings that have a description, by section."""
    text = Text()
    for title, bindings in sections.items():
        text.append(f"{title}\n", "bold underline")
        for binding in bindings:
            if isinstance(binding, Binding) and binding.description:
                text.append(f"  {_keys(binding):<14}", "bold cyan")
                text.append(f"{binding.description}\n")
        text.append("\n")
    text.append(_NOTES.strip(), "dim")
    return text


def _keys(binding: Binding) -> str:
    if binding.key_display:
        return binding.key_display
    names = {**_KEY_NAMES, **_ARROWS}
    return " ".join(names.get(key, key) for key in binding.key.split(","))
