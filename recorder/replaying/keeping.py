"""Keeping the state of a replay while it runs: often enough that resuming is quick, seldom enough to cost nothing."""

from __future__ import annotations

import msgspec

from recorder.errors import UsageError
from recorder.kafka.producer import RecordProducer
from recorder.kafka.transactions import TransactionalProducer
from recorder.replaying.coverage import Covered
from recorder.replaying.findings import Finding
from recorder.replaying.frontier import Frontier
from recorder.replaying.plan import Plan
from recorder.replaying.resumption import Resumption, first_state
from recorder.replaying.state import State, StateFile

_EVERY_NS = 1_000_000_000
_ENOUGH = 1 << 17  # settled records that are worth a note at once


class Keeper:
    """Writes what `frontier` says into a file.

    With `from_beginning`, what is sent depends on all that came before it: then nothing is noted but the beginning, and
    after a seek nothing at all.
    """

    def __init__(self, file: StateFile, state: State, frontier: Frontier, *, from_beginning: bool = False) -> None:
        self._file, self._state, self.frontier = file, state, frontier
        self._from_beginning = from_beginning
        self._noted_ns = 0
        self._problem: str | None = None

    def begin(self, *, start_ms: int, shift_ms: int) -> None:
        """A replay begins, before its first record. Raises UsageError when the file can't be written."""
        self._state = msgspec.structs.replace(self._state, started_at_ms=start_ms, shifted_by_ms=shift_ms)
        self._file.begin(self._state)

    def go_on(self) -> None:
        """A replay that was begun before goes on. Raises UsageError when the file can't be written."""
        self._state = msgspec.structs.replace(self._state, parts=self._state.parts + 1)
        self._file.begin(self._state)

    def tick(self, now_ns: int) -> None:
        """Note how far all is settled, when it is time to."""
        if now_ns - self._noted_ns < _EVERY_NS and self.frontier.moved < _ENOUGH:
            return
        self._noted_ns = now_ns
        self.note()

    def note(self) -> None:
        """Note how far all is settled."""
        if not self._from_beginning and self.frontier.note():
            self._write(msgspec.structs.replace(self._state, base=self.frontier.base, point=self.frontier.point))

    def moved(self, lap: int, number: int, covered: Covered) -> None:
        """A seek led there, and all that was sent before it is settled."""
        if self._from_beginning:
            self._file.remove()
            return
        self.frontier.move(lap, number)
        point = self.frontier.point
        state = msgspec.structs.replace(self._state, base=point, point=point, covered=covered, since=(lap, number))
        if not self._write(state):
            self._file.remove()  # an older note would lead to where nobody was

    def findings(self) -> tuple[Finding, ...]:
        """What went wrong with it."""
        if self._problem is None:
            return ()
        return (
            Finding(
                severity="warning",
                topic=None,
                what=f"What is needed to resume this replay could not be kept up to date: {self._problem}",
                fix="Give --state a place that can be written to.",
            ),
        )

    def _write(self, state: State) -> bool:
        self._state = state
        try:
            self._file.write(state)
        except UsageError as error:  # no reason to end a replay that goes well: an older note only means more reading
            self._problem = str(error)
            return False
        return True


def new_keeper(
    plan: Plan, file: StateFile, replay_id: str, resumption: Resumption | None, producer: RecordProducer
) -> Keeper:
    """For a replay that begins, or goes on."""
    chaos = plan.options.chaos
    committed = (lambda: producer.committed_records) if isinstance(producer, TransactionalProducer) else None
    moves = chaos is not None and bool(chaos.delay or chaos.reorder)  # records, over any point that could be noted
    if resumption is not None:
        return Keeper(file, resumption.state, resumption.frontier(committed), from_beginning=moves)
    first = first_state(plan, replay_id)
    return Keeper(file, first, Frontier(first.base, committed=committed), from_beginning=moves)
