"""The first screen: topics, the window's pulse, the records in time order, and the one under the cursor."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer
from textual.worker import Worker, WorkerState

from recorder.capture.marks import Marks
from recorder.errors import UsageError
from recorder.payloads.formats import Formats
from recorder.query import Session
from recorder.query.pages import Filter
from recorder.query.timeline import Place, Timeline
from recorder.tui.jump import JUMP_FORMS, parse_jump
from recorder.tui.lines import matcher
from recorder.tui.loading import Failed, Finding, Loader, RecordRead, RowsRead, Searched, TimelineRead
from recorder.tui.moves import to_dead_letter, to_slice
from recorder.tui.screens.help import HelpScreen
from recorder.tui.screens.sql import Chosen, SqlScreen
from recorder.tui.widgets.detail import Detail, Found
from recorder.tui.widgets.heading import Heading
from recorder.tui.widgets.prompt import Prompt
from recorder.tui.widgets.records import RecordTable
from recorder.tui.widgets.status import Status
from recorder.tui.widgets.strip import TimeStrip
from recorder.tui.widgets.topics import TopicList


class BrowseScreen(Screen[None]):
    """Keeps what is looked for and what that leaves; the widgets show it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "ask_text", "Search", key_display="/", id="browse.search"),
        Binding("k", "ask_key", "Key", id="browse.key"),
        Binding("t", "topics", "Topics", id="browse.topics"),
        Binding("g", "ask_time", "Go to time", id="browse.time"),
        Binding("f", "follow", "Follow key", id="browse.follow"),
        Binding("e", "dead_letter(1)", "Next dead letter", show=False, id="browse.next-dead-letter"),
        Binding("E", "dead_letter(-1)", "Previous dead letter", show=False, id="browse.previous-dead-letter"),
        Binding("right_square_bracket", "slice(1)", "Next slice", key_display="]", show=False, id="browse.next-slice"),
        Binding(
            "left_square_bracket",
            "slice(-1)",
            "Previous slice",
            key_display="[",
            show=False,
            id="browse.previous-slice",
        ),
        Binding("n", "step(1)", "Next record", show=False, id="browse.next"),
        Binding("p", "step(-1)", "Previous record", show=False, id="browse.previous"),
        Binding("x", "raw", "Bytes / decoded", show=False, id="browse.raw"),
        Binding("y", "copy", "Copy value", show=False, id="browse.copy"),
        Binding("s,semicolon", "sql", "SQL", key_display="s", id="browse.sql"),
        Binding("escape", "back", "Back", id="browse.back"),
        Binding("question_mark", "help", "Help", key_display="?", id="browse.help"),
        Binding("q", "app.quit", "Quit", id="browse.quit"),
    ]
    AUTO_FOCUS = "RecordTable"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012

    def __init__(self, session: Session, name: str, formats: Formats) -> None:
        super().__init__()
        self._session = session
        self._capture_name = name
        self._formats = formats
        self._load = Loader(self, session)
        self._marks = Marks(session.capture.manifest)
        self._topics = [topic.name for topic in session.capture.manifest.topics]
        self._everything = Timeline(())
        self._found = Timeline(())  # what the content leaves, of all topics
        self._kept = Timeline(())  # what the topics leave of that: the table's rows
        self._wanted = Filter()
        self._searching = False
        self._record: RecordRead | None = None
        self._latest: Place | None = None  # where the cursor was before a filter left nothing
        self._sql: str | None = None

    def compose(self) -> ComposeResult:
        manifest = self._session.capture.manifest
        partitions = max((len(topic.partitions) for topic in manifest.topics), default=1)
        last_offset = max((partition.end_offset for _, partition in manifest.topic_partitions()), default=0)
        yield Heading(self._capture_name, manifest)
        with Horizontal(id="body"):
            yield TopicList(self._topics)
            with Vertical(id="main"):
                yield TimeStrip()
                yield RecordTable(self._topics, partitions, last_offset)
                yield Detail()
        yield Prompt()
        yield Status()
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(TopicList).border_title = "topics"
        self.query_one(Detail).show(None)
        self.query_one(Status).say("reading the timeline…")
        self._load.timeline()

    # What was read ------------------------------------------------------------------------------------------------

    def on_timeline_read(self, message: TimelineRead) -> None:
        self._everything = self._found = message.timeline
        self.query_one(Heading).span = message.timeline.span
        self._show(0)

    def on_finding(self, message: Finding) -> None:
        if self._searching:
            self.query_one(Status).say(f"searching: {message.records:,} found so far. Esc stops.")

    def on_searched(self, message: Searched) -> None:
        place = self._place() or self._latest
        self._searching = False
        self._wanted, self._found = message.wanted, message.found
        self._show(place)

    def on_rows_read(self, message: RowsRead) -> None:
        self.query_one(RecordTable).put(message.generation, message.start, message.rows)

    def on_record_read(self, message: RecordRead) -> None:
        if message.place == self._place():
            self._record = message
            record = message.record
            mark = self._marks.at(record.topic, record.partition, record.offset)
            found = Found(record, message.place.effective_ms, message.key, message.value, mark)
            self.query_one(Detail).show(found, self._match)

    def on_failed(self, message: Failed) -> None:
        self._searching = self._searching and message.group != "search"
        self.query_one(Status).complain(message.text)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            kind = type(event.worker.error).__name__
            self.query_one(Status).complain(f"unexpected {kind}: {event.worker.error}")

    # What widgets ask for -----------------------------------------------------------------------------------------

    def on_record_table_wanted(self, message: RecordTable.Wanted) -> None:
        self._load.rows(self._kept, self._formats, message.generation, message.start, message.count)

    def on_record_table_moved(self) -> None:
        place = self._place()
        self._show_status()
        self.query_one(TimeStrip).point(None if place is None else place.effective_ms)
        self._latest = place or self._latest
        if place is None:
            self.query_one(Detail).show(None)
        elif self._record is None or self._record.place != place:
            self._load.record(self._kept, self._formats, place)

    def on_record_table_opened(self) -> None:
        if len(self._kept):
            self.add_class("zoomed")
            self.query_one("#value").focus()

    def on_topic_list_chosen(self, message: TopicList.Chosen) -> None:
        place = self._place() or self._latest
        self._wanted = replace(self._wanted, topics=message.topics)
        self._show(place)

    def on_time_strip_chosen(self, message: TimeStrip.Chosen) -> None:
        self._go(self._kept.position_at(message.time_ms))

    @on(Prompt.Answered)
    def _answered(self, message: Prompt.Answered) -> None:
        self.query_one(RecordTable).focus()
        if message.purpose == "text":
            self._look_for(replace(self._wanted, text=message.text))
        elif message.purpose == "key":
            self._look_for(replace(self._wanted, key=None, key_text=message.text))
        elif message.text.strip() and (span := self._everything.span) is not None:
            try:
                time_ms = parse_jump(message.text, span)
            except UsageError as error:
                self.query_one(Status).complain(str(error))
            else:
                self._go(self._kept.position_at(time_ms))

    @on(Prompt.Cancelled)
    def _cancelled(self) -> None:
        self.query_one(RecordTable).focus()

    # Keys ---------------------------------------------------------------------------------------------------------

    def action_ask_text(self) -> None:
        self.query_one(Prompt).ask(
            "text", "search", "part of a value, a key or a header; empty: all records", self._wanted.text
        )

    def action_ask_key(self) -> None:
        self.query_one(Prompt).ask("key", "key", "part of the key; empty: all records", self._wanted.key_text)

    def action_ask_time(self) -> None:
        self.query_one(Prompt).ask("time", "go to time", JUMP_FORMS, "")

    def action_topics(self) -> None:
        self.remove_class("zoomed")
        self.add_class("choosing")
        self.query_one(TopicList).focus()

    def action_follow(self) -> None:
        """Every record with this record's key, in all topics; again: no longer."""
        if self._wanted.key is not None:
            self._look_for(replace(self._wanted, key=None))
        elif self._record is None or self._record.place != self._place() or self._record.record.key is None:
            self.query_one(Status).complain("This record has no key to follow.")
        else:
            self._look_for(Filter(key=self._record.record.key))

    def action_dead_letter(self, direction: int) -> None:
        place = self._place()
        position = None if place is None else to_dead_letter(self._kept, place, direction)
        if position is None:
            self.query_one(Status).complain("No dead letters here: no topic in view is called so and holds records.")
        else:
            self._go(position)

    def action_slice(self, direction: int) -> None:
        place, edges = self._place(), self.query_one(TimeStrip).edges
        if place is not None and edges:
            self._go(to_slice(self._kept, place, direction, edges))

    def action_step(self, records: int) -> None:
        self.query_one(RecordTable).action_move(records)

    def action_copy(self) -> None:
        if self._record is not None:
            self.app.copy_to_clipboard(self.query_one(Detail).value_text)
            self.query_one(Status).say("The value is in the clipboard, as it is shown.")

    def action_raw(self) -> None:
        """Keys and values as bytes; again: decoded."""
        self.query_one(Detail).toggle_raw()

    def action_sql(self) -> None:
        screen = SqlScreen(self._session, self._sql)

        def back(chosen: Chosen | None) -> None:
            self._sql = screen.statement
            if chosen is not None:
                self._go_to(chosen)

        self.app.push_screen(screen, back)

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(SECTIONS))

    def action_back(self) -> None:
        """Undo the latest: the big record, the search that runs, the focus elsewhere, the filter."""
        if self._searching:
            self._load.interrupt()
        elif self.has_class("zoomed"):
            self.remove_class("zoomed")
            self.query_one(RecordTable).focus()
        elif not self.query_one(RecordTable).has_focus:
            self.remove_class("choosing")
            self.query_one(RecordTable).focus()
        elif self._wanted != Filter():
            self._look_for(Filter())

    # Showing ------------------------------------------------------------------------------------------------------

    def _look_for(self, wanted: Filter) -> None:
        self._searching = True
        self.query_one(Status).say("searching…")
        self._load.search(self._everything, wanted)

    def _show(self, place: Place | int | None) -> None:
        """Show what is kept now, with the cursor as near as can be to where it was."""
        topics = self._wanted.topics
        self._kept = self._found.only(lambda stream: stream.topic in topics) if topics else self._found
        counts = [0] * len(self._topics)
        for stream in self._found.streams:
            counts[stream.topic_index] += len(stream.times)
        self.query_one(TopicList).show(counts, topics)
        self.query_one(TimeStrip).show(self._everything, self._kept)
        position = place if isinstance(place, int) else 0 if place is None else self._kept.position_of(place)
        self._record = None
        self.query_one(RecordTable).show(len(self._kept), position, self._match)

    @property
    def _match(self) -> re.Pattern[str] | None:
        return matcher(self._wanted.text or self._wanted.key_text)

    def _show_status(self) -> None:
        if not self._searching:
            cursor = self.query_one(RecordTable).cursor
            self.query_one(Status).show(self._wanted, cursor, len(self._kept), len(self._everything))

    def _place(self) -> Place | None:
        places = self._kept.places(self.query_one(RecordTable).cursor, 1)
        return places[0] if places else None

    def _go(self, position: int) -> None:
        self.query_one(RecordTable).go(position)

    def _go_to(self, chosen: Chosen) -> None:
        """A row of an SQL result: show that record among all."""
        place = self._everything.find(chosen.topic, chosen.partition, chosen.offset)
        if place is None:
            self.query_one(Status).complain(
                f"{chosen.topic} {chosen.partition} @ {chosen.offset} is not in this capture."
            )
            return
        self._wanted, self._found = Filter(), self._everything
        self._show(place)


SECTIONS: dict[str, list[BindingType]] = {
    "Everywhere": BrowseScreen.BINDINGS,
    "Records": RecordTable.BINDINGS,
    "Topics": TopicList.BINDINGS,
    "SQL": SqlScreen.BINDINGS,
}
"""What the help tells."""
