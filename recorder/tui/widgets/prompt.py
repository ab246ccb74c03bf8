"""One line at the bottom in which a search, a key or a time is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class Prompt(Input):
    """Hidden until `ask`; then Enter answers and Escape takes it back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", id="prompt.cancel")]

    class Answered(Message):
        """What was typed for that `purpose`."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose, self.text = purpose, text

    class Cancelled(Message):
        """Nothing is to change."""

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._purpose = ""
        self.display = False

    def ask(self, purpose: str, title: str, hint: str, text: str) -> None:
        """Open with `text` filled in; `hint` shows while it is empty."""
        self._purpose = purpose
        self.border_title = title
        self.placeholder = hint
        self.value = text
        self.display = True
        self.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.display = False
        self.post_message(self.Answered(self._purpose, self.value))

    def action_cancel(self) -> None:
        self.display = False
        self.post_message(self.Cancelled())
