"""What takes time: reading, searching and querying in worker threads, which answer with messages and touch nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from recorder.capture.schema import Record
from recorder.errors import BlackboxError
from recorder.payloads.codec import Decoded
from recorder.payloads.formats import SIDES, Formats
from recorder.query import InterruptedQueryError, Session
from recorder.query.pages import Filter, Row, read_record, read_rows, search
from recorder.query.results import Head, head
from recorder.query.timeline import Place, Timeline, read_timeline


@dataclass
class TimelineRead(Message):
    """The capture's timeline is there."""

    timeline: Timeline


@dataclass
class Finding(Message):
    """So many records hold what is searched for, so far."""

    records: int


@dataclass
class Searched(Message):
    """What a search by content leaves, of all topics; `wanted` is the filter that asked."""

    wanted: Filter
    found: Timeline


@dataclass
class RowsRead(Message):
    """A page for the table."""

    generation: int
    start: int
    rows: list[Row]


@dataclass
class RecordRead(Message):
    """One record, whole, with its key and value decoded."""

    place: Place
    record: Record
    key: Decoded
    value: Decoded


@dataclass
class Answered(Message):
    """The first rows of a query's result."""

    head: Head


@dataclass
class Failed(Message):
    """Work came to nothing: a sentence for the person."""

    group: str
    text: str


class Loader:
    """Runs work for a screen; of each group only the latest counts."""

    def __init__(self, screen: Screen[Any], session: Session) -> None:
        self._screen = screen
        self._session = session

    def timeline(self) -> None:
        """Answers TimelineRead."""
        self._run("timeline", lambda: TimelineRead(read_timeline(self._session.capture, _cancelled())))

    def search(self, everything: Timeline, wanted: Filter) -> None:
        """Answers Finding, often, and Searched; by content only, whatever topics are wanted."""
        content = replace(wanted, topics=frozenset())

        def work() -> Message:
            return Searched(
                wanted, search(self._session, everything, content, lambda records: self._post(Finding(records)))
            )

        self._run("search", work)

    def rows(self, timeline: Timeline, formats: Formats, generation: int, start: int, count: int) -> None:
        """Answers RowsRead."""
        self._run(
            "rows",
            lambda: RowsRead(generation, start, self._rows(timeline, formats, start, count)),
            again=True,
        )

    def record(self, timeline: Timeline, formats: Formats, place: Place) -> None:
        """Answers RecordRead."""

        def work() -> Message:
            record = read_record(self._session, timeline, place)
            key, value = (
                formats.decoder(record.topic, side).decode(payload, record.headers)
                for side, payload in zip(SIDES, (record.key, record.value), strict=True)
            )
            return RecordRead(place, record, key, value)

        self._run("record", work, again=True)

    def query(self, sql: str, limit: int) -> None:
        """Answers Answered."""

        def work() -> Message:
            with self._session.stream(sql) as result:
                return Answered(head(result, limit))

        self._run("query", work)

    def interrupt(self) -> None:
        """Stop what DuckDB is doing; what is still wanted begins again by itself."""
        self._session.interrupt()

    def _rows(self, timeline: Timeline, formats: Formats, start: int, count: int) -> list[Row]:
        return read_rows(self._session, timeline, timeline.places(start, count), formats)

    def _run(self, group: str, work: Callable[[], Message], *, again: bool = False) -> None:
        def attempt() -> None:
            cancelled = _cancelled()
            while not cancelled():
                try:
                    self._post(work())
                except InterruptedQueryError as error:
                    if again:
                        continue  # it was meant for another query
                    self._post(Failed(group, str(error)))
                except BlackboxError as error:
                    self._post(Failed(group, str(error)))
                return

        self._screen.run_worker(attempt, group=group, thread=True, exclusive=True, exit_on_error=False)

    def _post(self, message: Message) -> None:
        if not get_current_worker().is_cancelled:
            self._screen.post_message(message)


def _cancelled() -> Callable[[], bool]:
    worker = get_current_worker()
    return lambda: worker.is_cancelled
