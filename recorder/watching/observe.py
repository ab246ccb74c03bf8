"""Reading the topics that conditions look at: each partition on from its place, whatever happens to it meanwhile.

Topics may not exist yet (a dead-letter topic appears with the first dead letter), gain partitions, be deleted and made
anew, or lose their start to retention while the watcher is down; each is noticed and said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from recorder.errors import KafkaUnavailableError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import Connection
from recorder.kafka.fetching import Arrived, Failed, Fetcher, OutOfRange, ReachedEnd
from recorder.kafka.offsets import Place, log_ends, log_starts
from recorder.recording.columns import to_batch
from recorder.watching.desk import Told
from recorder.watching.figures import Figures

LOOK_SECONDS = 15.0
"""How often the cluster is asked for new partitions, and for the logs' ends."""
MISSING_SECONDS = 3.0
"""How often while a watched topic is not there: its first record may be the one that counts."""


class Observer:
    """The watcher's eyes: `poll` gives what arrived, `places` says how far it came."""

    def __init__(
        self,
        connection: Connection,
        topics: Sequence[str],
        places: Mapping[str, Mapping[int, int]],
        topic_ids: Mapping[str, str],
        figures: Figures,
        tell: Told,
    ) -> None:
        self.losses: list[str] = []
        """What was gone before it was looked at, each as a sentence."""
        self._connection = connection
        self._topics = sorted(set(topics))
        self._places: dict[Place, int] = {
            (topic, number): offset for topic in self._topics for number, offset in places.get(topic, {}).items()
        }
        self._known = {topic for topic in self._topics if topic in places}
        """Topics looked for before: what is new in them since then is read from its start."""
        self._ids = {topic: topic_ids[topic] for topic in self._topics if topic in topic_ids}
        self._figures = figures
        self._tell = tell
        self._cluster = Cluster(connection)
        self._fetcher: Fetcher | None = None
        self._reading: set[Place] = set()
        self._looked = 0.0
        self._look()

    def poll(self) -> Iterator[pa.RecordBatch]:
        """What arrived within a tenth of a second: batches of RECORD_SCHEMA, one partition each, in its order.

        `places` stands behind a batch once the next one is asked for.
        """
        missing = len({topic for topic, _ in self._places}) < len(self._topics)
        if time.monotonic() - self._looked >= (MISSING_SECONDS if missing else LOOK_SECONDS):
            self._try(self._look)
        if self._fetcher is None:
            return
        gone: list[Place] = []
        for event in self._fetcher.poll():
            match event:
                case Arrived((topic, number) as place, messages):
                    batch, _ = to_batch(topic, number, messages)
                    yield batch
                    self._places[place] = event.next_offset
                    self._figures.count("watched_records", by=batch.num_rows)
                case ReachedEnd(place, offset):
                    self._places[place] = max(offset, self._places[place])
                case OutOfRange(place):
                    gone.append(place)
                    continue
                case Failed(place, error):
                    self._failed(place, error.str())
                    continue
            self._figures.heard = time.monotonic()
        if gone:
            self._try(lambda: self._pass_over(gone))

    def places(self) -> dict[str, dict[int, int]]:
        """By topic and partition, the offset of the next record to look at; topics looked for in vain are empty."""
        found: dict[str, dict[int, int]] = {topic: {} for topic in self._known}
        for (topic, number), offset in self._places.items():
            found[topic][number] = offset
        return found

    def topic_ids(self) -> dict[str, str]:
        return dict(self._ids)

    def close(self) -> None:
        if self._fetcher is not None:
            self._fetcher.__exit__(None, None, None)
        self._fetcher = None
        self._reading = set()

    def _look(self) -> None:
        """Find partitions that are not read yet, and how far the others are behind."""
        self._looked = time.monotonic()
        self._cluster.refresh()
        there = sorted(set(self._topics) & set(self._cluster.names()))
        facts = self._cluster.topics(there)
        found = [(topic, number) for topic in there for number in facts[topic].partitions]
        ends = log_ends(self._cluster, found, partial=True)
        lows = log_starts(self._cluster, found, partial=True)
        self._figures.heard = time.monotonic()
        self._forget_recreated({topic: one.id for topic, one in facts.items() if one.id})
        for place in ends.keys() & lows.keys() - self._places.keys():
            self._places[place] = lows[place] if place[0] in self._known else ends[place]
        self._known.update(self._topics)
        readable = ends.keys() & self._places.keys()
        self._figures.lag = {place: max(0, ends[place] - self._places[place]) for place in sorted(readable)}
        if readable - self._reading:
            self._read(readable)

    def _forget_recreated(self, ids: Mapping[str, str]) -> None:
        for topic, now in ids.items():
            if self._ids.get(topic, now) != now:
                self._tell(f"{topic} was deleted and created anew: its conditions begin at its start.")
                self._places = {place: offset for place, offset in self._places.items() if place[0] != topic}
                self._reading = {place for place in self._reading if place[0] != topic}
        self._ids |= ids

    def _read(self, places: Iterable[Place]) -> None:
        """Read these and only these, each from where it stands."""
        self.close()
        starts = {place: self._places[place] for place in places}
        if starts:
            self._fetcher = Fetcher(self._connection, starts, "read_committed")
            self._reading = set(starts)

    def _pass_over(self, gone: Iterable[Place]) -> None:
        """The next record is not in the log any more: go on at the log's start, and say what was missed."""
        for place, begins in log_starts(self._cluster, gone, partial=True).items():
            at = self._places[place]
            if begins > at:
                loss = (
                    f"{place[0]}/{place[1]}: offsets {at} to {begins - 1} were deleted before conditions looked at them"
                )
                self.losses.append(loss)
                self._figures.count("losses")
                self._tell(loss)
            self._places[place] = begins
        self._read(self._reading)

    def _failed(self, place: Place | None, reason: str) -> None:
        """Stop reading what the broker refuses; the next look tries it again."""
        where = f"{place[0]}/{place[1]}" if place else "the watched topics"
        self._report(f"Can't read {where}: {reason}.")
        if place is None:
            self._reading = set()
        else:
            self._reading.discard(place)

    def _try(self, work: Callable[[], None]) -> None:
        """Brokers that are away for a while don't end a watcher."""
        try:
            work()
        except KafkaUnavailableError as error:
            self._report(str(error))

    def _report(self, text: str) -> None:
        if text != self._figures.last_error:
            self._tell(text)
        self._figures.failed(text)
