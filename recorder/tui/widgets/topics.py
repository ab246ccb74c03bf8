"""The topics with their counts: choose one to see only it, or several."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from recorder.payloads.render import fit
from recorder.tui.lines import topic_style

_ALL = 0
_COUNT_WIDTH = 16  # mark, gaps, a count of seven digits, frame


class TopicList(OptionList):
    """All topics, then each. Enter shows one alone, space adds it or takes it away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "add", "Add topic", id="topics.toggle"),
        Binding("enter", "select", "Only this topic", id="topics.only"),
    ]

    class Chosen(Message):
        """Show these topics only; none given: all of them."""

        def __init__(self, topics: frozenset[str]) -> None:
            super().__init__()
            self.topics = topics

    def __init__(self, topics: list[str]) -> None:
        super().__init__(markup=False)
        self._topics = topics
        self.styles.width = max(24, min(42, max(map(len, topics), default=0) + _COUNT_WIDTH))
        self._chosen: frozenset[str] = frozenset()
        self._counts: list[int] | None = None

    def show(self, counts: list[int] | None, chosen: frozenset[str]) -> None:
        """The number of records beside each topic (None: not known yet), and which topics are chosen."""
        self._counts, self._chosen = counts, chosen
        highlighted = self.highlighted
        self.clear_options()
        self.add_options([Option(self._prompt(index)) for index in range(len(self._topics) + 1)])
        self.highlighted = highlighted if highlighted is not None else _ALL

    def on_mount(self) -> None:
        self.show(None, frozenset())

    def on_resize(self) -> None:
        self.show(self._counts, self._chosen)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        index = event.option_index
        self.post_message(self.Chosen(frozenset() if index == _ALL else frozenset({self._topics[index - 1]})))

    def action_add(self) -> None:
        if self.highlighted is None:
            return
        if self.highlighted == _ALL:
            self.post_message(self.Chosen(frozenset()))
        else:
            self.post_message(self.Chosen(self._chosen ^ {self._topics[self.highlighted - 1]}))

    def _prompt(self, index: int) -> Text:
        name = "all topics" if index == _ALL else self._topics[index - 1]
        counts = self._counts
        count = "" if counts is None else f"{sum(counts) if index == _ALL else counts[index - 1]:,}"
        width = max(10, self.scrollable_content_region.width - 2)
        room = width - len(count) - 3
        on = not self._chosen if index == _ALL else not self._chosen or name in self._chosen
        line = Text("● " if on else "○ ", no_wrap=True)
        line.append(fit(name, room).ljust(room), "bold" if index == _ALL else topic_style(name, index - 1))
        line.append(f" {count}")
        if not on or (count == "0" and index != _ALL):
            line.stylize("dim")
        return line
