"""Partitions and topics that appear while a window is open: they belong to it, from their first record on.

A cluster may take long to answer, so a thread of its own looks, and reading never waits for it but once: when a window
is over, and what was added in its last moments must not be missed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from recorder.capture.limits import allow_open_files
from recorder.capture.manifest import Note
from recorder.capture.schema import row_group_bytes
from recorder.errors import KafkaUnavailableError, UsageError
from recorder.kafka.cluster import Cluster, TopicFacts
from recorder.kafka.connection import Connection
from recorder.kafka.offsets import Place
from recorder.recording.checkpoint import Checkpoint, write_checkpoint
from recorder.recording.plan import Plan, Span, select_topics
from recorder.recording.tape import Tape

LOOK_SECONDS = 10.0


class Growth:
    """Takes what is new into a recording; a context manager around the reading."""

    def __init__(
        self,
        connection: Connection,
        checkpoint: Checkpoint,
        tapes: dict[Place, Tape],
        directory: Path,
        *,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`tapes` are added to; `changed` is called after the checkpoint was written anew."""
        self.checkpoint = checkpoint
        self.notes: list[Note] = []
        self._connection, self._tapes, self._directory, self._changed = connection, tapes, directory, changed
        self._cluster: Cluster | None = None
        self._seen: dict[str, TopicFacts] = {}
        """What the last look showed of topics that have grown."""
        self._looking = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="growth", daemon=True)

    def __enter__(self) -> Self:
        if any(tape.until_ms is not None for tape in self._tapes.values()):
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def take(self, *, now: bool = False) -> list[Tape]:
        """Tapes for partitions that are new since the last call, up to the last look or, `now`, up to this moment."""
        if now:
            self._look()
        if not self._seen:
            return []
        with self._looking:
            seen, self._seen = self._seen, {}
        plan = self.checkpoint.plan
        fresh = [place for facts in seen.values() for place in _adopt(plan, facts)]
        if not fresh:
            return []
        facts = replace(self.checkpoint.facts, topics=tuple(plan.topics.values()))
        spans = tuple((*place, span) for place, span in plan.spans.items())
        self.checkpoint = msgspec.structs.replace(self.checkpoint, facts=facts, spans=spans)
        # Before any line of the journal can name them.
        write_checkpoint(self._directory, self.checkpoint)
        self._changed()
        allow_open_files(len(plan.spans))
        uses = next((tape.uses for tape in self._tapes.values()), None)
        for place in fresh:
            self._tapes[place] = Tape(self._directory, place, plan, row_group_bytes(len(plan.spans)))
            self._tapes[place].uses = uses
            text = "was added during the recording, and is recorded from its first offset on"
            self.notes.append(Note(level="info", text=text, topic=place[0], partition=place[1]))
        return [self._tapes[place] for place in fresh]

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        with self._looking, suppress(KafkaUnavailableError):  # the next look will show
            self._cluster = self._cluster or Cluster(self._connection)
            self._cluster.refresh()
            counts = self._cluster.partition_counts()
            known = {topic.name: len(topic.partitions) for topic in self.checkpoint.facts.topics}
            wanted = known.keys() | _matching(counts, self.checkpoint)
            grown = [name for name in wanted if counts.get(name, 0) > known.get(name, 0)]
            if grown:
                self._seen = self._cluster.topics(grown)


def _matching(names: Iterable[str], checkpoint: Checkpoint) -> set[str]:
    if not checkpoint.patterns:
        return set()
    with suppress(UsageError):  # nothing matches any more
        return set(select_topics(list(names), (), checkpoint.patterns, checkpoint.excludes))
    return set()


def _adopt(plan: Plan, facts: TopicFacts) -> list[Place]:
    """Put the partitions of a topic that are new into the plan; none where it is not the topic that was planned."""
    before = plan.topics.get(facts.name)
    if before is not None and before.id and facts.id and before.id != facts.id:
        return []
    near = [span for (topic, _), span in plan.spans.items() if topic == facts.name] or list(plan.spans.values())
    live = [span for span in near if span.until_ms is not None]
    new = [(facts.name, number) for number in facts.partitions if (facts.name, number) not in plan.spans]
    if not live or not new:
        return []
    model = max(live, key=lambda span: span.until_ms or 0)
    for place in new:
        plan.spans[place] = Span(0, None, None, 0, model.window, model.until_ms)
    plan.topics[facts.name] = replace(before, partitions=facts.partitions) if before else facts
    return new
