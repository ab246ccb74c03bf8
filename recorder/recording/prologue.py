"""The state before the window: of compacted topics, the last record of each key before the window's start.

The log before the window may be larger than memory, so it is read twice: first only to learn which offset is the
newest of its key, then to keep these records. A key that was deleted (by a tombstone) has no state, and what is not
committed is none either.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import msgspec
import numpy as np

from recorder.capture.manifest import Note, Prologue, Segment
from recorder.capture.schema import row_group_bytes
from recorder.capture.writer import PartitionWriter, reporting_write_errors
from recorder.kafka.cluster import Cluster, TopicFacts
from recorder.kafka.fetching import Message
from recorder.kafka.offsets import Place, log_starts
from recorder.payloads.used import Uses
from recorder.recording.checkpoint import Checkpoint, write_checkpoint
from recorder.recording.columns import to_batch
from recorder.recording.look import Stretch, look
from recorder.recording.newest import NewestPerKey, Offsets
from recorder.recording.plan import Plan
from recorder.recording.throttle import Throttle

FOLDER = "prologue"
_PLACES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class State:
    """The prologues of all compacted partitions, and what is missing from them."""

    prologues: Mapping[Place, Prologue]
    notes: tuple[Note, ...]


def record_state(
    cluster: Cluster,
    plan: Plan,
    root: Path,
    *,
    without: Collection[str] = (),
    stopped: Callable[[], bool] = lambda: False,
    throttle: Throttle | None = None,
    passed: Callable[[int], None] = lambda _offsets: None,
    uses: Uses | None = None,
) -> State:
    """Write the state before each partition's start below `root`, over whatever an earlier try left there; not that of
    the topics `without`.

    `passed` is told offsets as they are read, twice each; `uses` the schemas that are named.
    Raises BlackboxError where we may not read, and CaptureError.
    """
    with reporting_write_errors(root / FOLDER):
        shutil.rmtree(root / FOLDER, ignore_errors=True)
    places = [place for place in plan.spans if plan.topics[place[0]].compacted and place[0] not in without]
    notes = list(_without_state(plan.topics))
    prologues: dict[Place, Prologue] = dict.fromkeys(places, Prologue())
    lows = log_starts(cluster, places)
    stretches = {place: (lows[place], plan.spans[place].start) for place in places}
    work = [place for place, (begin, end) in stretches.items() if begin < end]
    try:
        for start in range(0, len(work), _PLACES_AT_ONCE):
            group = {place: stretches[place] for place in work[start : start + _PLACES_AT_ONCE]}
            one = _Group(cluster, group, root, stopped, throttle, passed, uses)
            prologues |= one.record()
            notes += one.notes
    finally:
        shutil.rmtree(root / FOLDER / ".keys", ignore_errors=True)
        if not any((root / FOLDER).glob("*")):
            shutil.rmtree(root / FOLDER, ignore_errors=True)
    return State(prologues, tuple(notes))


def with_state(
    cluster: Cluster,
    checkpoint: Checkpoint,
    root: Path,
    *,
    without: Collection[str],
    is_there: Callable[[Segment], bool],
    stopped: Callable[[], bool],
    throttle: Throttle | None,
    passed: Callable[[int], None],
    uses: Uses | None,
) -> Checkpoint:
    """The checkpoint with the state before the window, if that was asked for and is not there already, all of it.

    When `stopped` was set it is not kept, as half a state is none; whoever resumes takes it anew.
    """
    if not checkpoint.state_prologue:
        return checkpoint
    if checkpoint.prologues is not None and all(map(is_there, segments_of(checkpoint))):
        return checkpoint
    state = record_state(
        cluster, checkpoint.plan, root, without=without, stopped=stopped, throttle=throttle, passed=passed, uses=uses
    )
    if stopped():
        with reporting_write_errors(root / FOLDER):
            shutil.rmtree(root / FOLDER, ignore_errors=True)
        note = Note(level="loss", text="the state before the window was not read: the recording was ended")
        return msgspec.structs.replace(checkpoint, notes=(*checkpoint.notes, note))
    kept = tuple((*place, prologue) for place, prologue in state.prologues.items())
    checkpoint = msgspec.structs.replace(checkpoint, prologues=kept, notes=(*checkpoint.notes, *state.notes))
    write_checkpoint(root, checkpoint)
    return checkpoint


def segments_of(checkpoint: Checkpoint) -> list[Segment]:
    """What holds the state before the window, as far as it is finished."""
    return [segment for _, _, prologue in checkpoint.prologues or () for segment in prologue.segments]


def _without_state(topics: Mapping[str, TopicFacts]) -> Iterator[Note]:
    for name, facts in topics.items():
        if facts.effective is None:
            text = "we may not read its configuration: no state before the window, in case it is compacted"
            yield Note(level="warning", text=text, topic=name)
    if not any(facts.compacted for facts in topics.values()):
        yield Note(level="info", text="no topic is compacted: there is no state before the window to keep")


class _Group:
    """A few partitions at once."""

    def __init__(
        self,
        cluster: Cluster,
        stretches: Mapping[Place, Stretch],
        root: Path,
        stopped: Callable[[], bool],
        throttle: Throttle | None,
        passed: Callable[[int], None],
        uses: Uses | None,
    ) -> None:
        self._cluster, self._stretches, self._root = cluster, stretches, root
        self._stopped, self._throttle, self._passed, self._uses = stopped, throttle, passed, uses
        self.notes: list[Note] = []

    def record(self) -> dict[Place, Prologue]:
        kept = self._learn()
        writers = self._write(kept)
        for place, writer in writers.items():
            if not self._stopped() and (gone := len(kept[place]) - sum(s.records for s in writer.segments)):
                self._lost(place, f"{gone:,} records of its state before the window were gone before they were read")
        return {
            place: Prologue(
                records=sum(segment.records for segment in writer.segments),
                payload_bytes=sum(writer.payloads),
                segments=tuple(writer.segments),
            )
            for place, writer in writers.items()
        }

    def _learn(self) -> dict[Place, Offsets]:
        """Which offsets hold the state."""
        keys = self._root / FOLDER / ".keys"
        newest = {place: NewestPerKey(keys / place[0] / str(place[1])) for place in self._stretches}

        def saw(place: Place, messages: list[Message]) -> None:
            found = list(map(Message.key, messages))
            offsets = np.fromiter(map(Message.offset, messages), np.int64, len(messages))
            deleted = np.fromiter((message.value() is None for message in messages), np.bool_, len(messages))
            keyed = np.fromiter((key is not None for key in found), np.bool_, len(found))
            with reporting_write_errors(keys):
                newest[place].add([key for key in found if key is not None], offsets[keyed], deleted[keyed])

        positions = self._look(self._stretches, saw)
        for place, position in positions.items():
            end = self._stretches[place][1]
            if position < end:
                why = (
                    "the recording was ended" if self._stopped() else "an open transaction or its broker hides the rest"
                )
                self._lost(place, f"its state before the window is known up to offset {position} of {end}: {why}")
        with reporting_write_errors(keys):
            return {place: one.offsets() for place, one in newest.items()}

    def _write(self, kept: Mapping[Place, Offsets]) -> dict[Place, PartitionWriter]:
        cut = row_group_bytes(len(kept))
        writers = {place: PartitionWriter(self._root, *place, row_group_bytes=cut, folder="prologue") for place in kept}

        def saw(place: Place, messages: list[Message]) -> None:
            offsets = np.fromiter(map(Message.offset, messages), np.int64, len(messages))
            index = np.searchsorted(kept[place], offsets)
            wanted = kept[place][np.minimum(index, len(kept[place]) - 1)] == offsets
            chosen = list(compress(messages, wanted.tolist()))
            if chosen:
                batch, lost = to_batch(*place, chosen)
                writers[place].append(batch)
                if self._uses is not None:
                    self._uses.saw(place[0], batch)
                if lost:
                    self._lost(place, f"headers of {len(lost)} records of its state before the window are not readable")

        try:
            again = {place: (int(at[0]), int(at[-1]) + 1) for place, at in kept.items() if len(at)}
            self._look(again, saw)
            for writer in writers.values():
                writer.seal()
        except BaseException:
            for writer in writers.values():
                writer.abandon()
            raise
        return writers

    def _look(
        self, stretches: Mapping[Place, Stretch], saw: Callable[[Place, list[Message]], None]
    ) -> Mapping[Place, int]:
        def told(place: Place, messages: list[Message]) -> None:
            if self._throttle:
                self._throttle.pay(_bytes(messages))
            saw(place, messages)
            self._passed(len(messages))

        return look(self._cluster.connection, stretches, "read_committed", told, stopped=self._stopped)

    def _lost(self, place: Place, text: str) -> None:
        self.notes.append(Note(level="loss", text=text, topic=place[0], partition=place[1]))


def _bytes(messages: Sequence[Message]) -> int:
    return sum(map(len, messages)) + sum(map(len, filter(None, map(Message.key, messages))))
