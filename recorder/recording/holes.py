"""Why offsets are missing: a second, read_uncommitted look at only the holes.

What such a reader sees where a read_committed one saw nothing are records of aborted transactions. What neither sees
was removed by the log cleaner where the topic is compacted, and is a transaction marker where it is not.
"""

from __future__ import annotations

import time

import numpy as np

from recorder.capture.ledger import Offsets
from recorder.capture.manifest import GapReason
from recorder.kafka.cluster import Cluster, TopicFacts
from recorder.kafka.fetching import Arrived, Failed, Fetcher, Isolation, OutOfRange, ReachedEnd
from recorder.kafka.offsets import Place
from recorder.recording.read import STALLED_SECONDS
from recorder.recording.tape import Tape

_WORTH_A_SEEK = 20_000  # offsets between two holes that are cheaper to skip than to read


def explain_holes(
    cluster: Cluster,
    tapes: dict[Place, Tape],
    topics: dict[str, TopicFacts],
    *,
    isolation: Isolation = "read_committed",
    within_seconds: float | None = None,
) -> None:
    """Give every hole of every tape its reason; what can't be looked at (in time) stays `unexplained`."""
    if isolation == "read_uncommitted":  # that look was taken already, and saw nothing in them
        for place, tape in tapes.items():
            tape.ledger.explain(np.empty(0, np.int64), _rest(topics[place[0]]))
        return
    holes = {place: spans for place, tape in tapes.items() if len(spans := tape.ledger.holes())}
    if not holes:
        return
    looks = {place: _Look(spans) for place, spans in holes.items()}
    with Fetcher(
        cluster.connection, {place: look.begin for place, look in looks.items()}, "read_uncommitted"
    ) as fetcher:
        waiting = set(looks)
        last_event = time.monotonic()
        until = last_event + within_seconds if within_seconds is not None else float("inf")
        while waiting and time.monotonic() - last_event < STALLED_SECONDS and time.monotonic() < until:
            for event in fetcher.poll():
                last_event = time.monotonic()
                if event.place not in waiting or event.place is None:
                    continue
                look, place = looks[event.place], event.place
                match event:
                    case Arrived(_, messages):
                        look.saw(np.fromiter((m.offset() for m in messages), np.int64, len(messages)))
                    case ReachedEnd(_, offset):
                        look.position = offset
                    case OutOfRange() | Failed():
                        waiting.discard(place)
                        fetcher.drop(place)
                        continue
                if look.done:
                    waiting.discard(place)
                    fetcher.drop(place)
                elif (seek := look.skip_to()) is not None:
                    fetcher.restart(place, seek)
    for place, look in looks.items():
        tapes[place].ledger.explain(look.visible(), _rest(topics[place[0]]), before=look.position)


def _rest(topic: TopicFacts) -> GapReason:
    """Why offsets are missing that no reader sees."""
    return "compacted" if topic.compacted else "control"


class _Look:
    """Progress over one partition's holes."""

    def __init__(self, spans: Offsets) -> None:
        self._spans = spans
        self.begin = int(spans[0, 0])
        self.position = self.begin
        self._seen: list[Offsets] = []

    @property
    def done(self) -> bool:
        return self.position > int(self._spans[-1, 1])

    def saw(self, offsets: Offsets) -> None:
        self.position = int(offsets[-1]) + 1
        span = np.searchsorted(self._spans[:, 0], offsets, side="right") - 1
        inside = (span >= 0) & (offsets <= self._spans[np.maximum(span, 0), 1])
        if inside.any():
            self._seen.append(offsets[inside])

    def skip_to(self) -> int | None:
        """Where the next hole begins, when it is far enough away to jump there."""
        ahead = int(np.searchsorted(self._spans[:, 1], self.position))
        following = int(self._spans[ahead, 0])
        return following if following - self.position > _WORTH_A_SEEK else None

    def visible(self) -> Offsets:
        return np.concatenate(self._seen) if self._seen else np.empty(0, np.int64)
