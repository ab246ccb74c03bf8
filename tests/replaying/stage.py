"""A stage for the player without files, without Kafka and without waiting: pieces from a list, time from a number."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np

from recorder.capture.manifest import Topic
from recorder.kafka.producer import Columns, Refusal, Report
from recorder.replaying.clock import PlayerClock
from recorder.replaying.conduct import Conduct, Ending
from recorder.replaying.control import Command, Control
from recorder.replaying.player import Player
from recorder.replaying.schedule import Schedule
from recorder.replaying.silence import Silence
from recorder.replaying.tally import Tally
from recorder.replaying.timeline import Piece

MS = 1_000_000
START_NS = 1_000 * MS


@dataclass
class FakeTime:
    """Steady time that passes only when somebody waits; every fine sleep takes `overshoot_ns` too long."""

    ns: int = START_NS
    overshoot_ns: int = 0

    def now(self) -> int:
        return self.ns

    def pause(self, ns: int) -> None:
        self.ns += ns + self.overshoot_ns


@dataclass(frozen=True)
class Confirmed:
    """What a delivery report brings, as far as the tally looks at it."""

    at: int

    def offset(self) -> int:
        return self.at


@dataclass(frozen=True)
class Failed:
    code: str = "MSG_SIZE_TOO_LARGE"

    def name(self) -> str:
        return self.code

    def str(self) -> str:
        return "Broker: no"


@dataclass
class MemoryTarget:
    """Keeps what was sent and when, and confirms it in order `ack_ns` later.

    `stall(value)` is how long sending that record takes; `room` how many records may be unconfirmed;
    `failing` values get a failure report; `refused` values are not taken over at all. `silent`: it confirms without
    a word.
    """

    time: FakeTime
    ack_ns: int = MS
    room: int = 1_000_000
    stall: Callable[[bytes | None], int] = lambda value: 0
    failing: Sequence[bytes] = ()
    refused: Sequence[bytes] = ()
    fatal: Sequence[bytes] = ()
    silent: bool = False
    sent: list[tuple[int, str, int, bytes | None]] = field(default_factory=list)
    _open: deque[tuple[int, Report, int | None]] = field(default_factory=deque)
    _ends: dict[tuple[str, int], int] = field(default_factory=dict)

    def send(self, columns: Columns, reports: Sequence[Report], start: int, stop: int) -> tuple[int, Refusal | None]:
        for row in range(start, stop):
            topic, partition, value = columns.topics[row], columns.partitions[row], columns.values[row]
            if len(self._open) >= self.room:
                return row - start, Refusal("full", full=True)
            if value in self.refused or value in self.fatal:
                return row - start, Refusal("no", fatal=value in self.fatal)
            self.time.ns += self.stall(value)
            offset = None
            if value not in self.failing:
                offset = self._ends.get((topic, partition), 0)
                self._ends[topic, partition] = offset + 1
            self.sent.append((self.time.ns, topic, partition, value))
            self._open.append((self.time.ns + self.ack_ns, reports[row], offset))
        return stop - start, None

    def serve(self, wait_ns: int) -> None:
        until = self.time.ns + wait_ns
        if self._open and self._open[0][0] <= until:
            self.time.ns = max(self.time.ns, self._open[0][0])
            until = self.time.ns
        self.time.ns = until
        while self._open and self._open[0][0] <= self.time.ns:
            _, report, offset = self._open.popleft()
            if offset is not None and self.silent:
                continue
            report(*((None, Confirmed(offset)) if offset is not None else (Failed(), Confirmed(-1))))  # type: ignore[arg-type]

    @property
    def holds(self) -> int:
        return len(self._open)

    def flush(self) -> None:
        while self._open:
            self.serve(self.ack_ns)

    @property
    def values(self) -> list[bytes | None]:
        return [value for *_, value in self.sent]

    @property
    def times_ms(self) -> list[float]:
        """When each record was sent, in milliseconds since the first one's deadline."""
        return [(at - START_NS) / MS for at, *_ in self.sent]


class Script(Control):
    """Commands that come at their time."""

    def __init__(self, time: FakeTime, script: Sequence[tuple[float, Command | str]]) -> None:
        super().__init__()
        self._time = time
        self._script = deque((START_NS + round(at * MS), command) for at, command in script)
        self._answers: list[Future[None]] = []

    def _come(self) -> None:
        while self._script and self._script[0][0] <= self._time.ns:
            _, command = self._script.popleft()
            if isinstance(command, str):
                self.stopped = True
            else:
                self._answers.append(Future())
                self._waiting.append((command, self._answers[-1]))

    def pending(self) -> bool:
        self._come()
        return super().pending()

    @property
    def refused(self) -> list[str]:
        return [str(answer.exception()) for answer in self._answers if answer.done() and answer.exception()]


class Pieces:
    """A timeline in memory: one topic, one record a time, value = its number."""

    def __init__(
        self,
        times_ms: Sequence[int],
        *,
        size: int = 16,
        schedule: Schedule | None = None,
        partitions: int = 1,
        laps: int = 1,
    ):
        times = np.array(times_ms, np.int64)
        positions = (schedule or Schedule()).positions(times)
        self.count, self.first_ms = len(times_ms), int(times[0]) if len(times) else 0
        self._all = [
            _piece(
                range(at, min(at + size, len(times_ms))), times[at : at + size], positions[at : at + size], partitions
            )
            for at in range(0, len(times_ms), size)
        ]
        self._left, self._lap, self._laps = deque(self._all), 0, laps

    def take(self) -> Piece | None:
        if not self._left and self._lap + 1 < self._laps:
            self._lap += 1
            self._left = deque(self._all)
        if not self._left:
            return None
        return replace(self._left.popleft(), lap=self._lap)

    @property
    def finished(self) -> bool:
        return not self._left and self._lap + 1 >= self._laps

    def seek(self, to_ms: int, lap: int) -> None:
        self._lap = lap
        self._left = deque(
            _rest(piece, at) for piece in self._all if (at := int(np.searchsorted(piece.times_ms, to_ms))) < len(piece)
        )


@dataclass
class Performance:
    """How a replay on the stage went."""

    target: MemoryTarget
    tally: Tally
    player: Player
    ending: Ending
    clock: PlayerClock
    refused: list[str]

    @property
    def numbers(self) -> list[int]:
        """What was sent, by the numbers of the records."""
        return [int(value) for value in self.target.values if value is not None]


def play(
    source: Pieces,
    *,
    rate: float | None = 1.0,
    time: FakeTime | None = None,
    stopped: Callable[[], bool] = lambda: False,
    size: int = 1 << 16,
    partitions: int = 1,
    script: Sequence[tuple[float, Command | str]] = (),
    conduct: Conduct | None = None,
    paused: bool = False,
    **target: object,
) -> Performance:
    """Play `source` from START_NS on; keyword arguments go to `MemoryTarget`.

    `script` says what is commanded when, in milliseconds since START_NS; ``"stop"`` is Ctrl-C.
    """
    time = time or FakeTime()
    memory = MemoryTarget(time, **target)  # type: ignore[arg-type]
    clock = PlayerClock(rate, now=time.now, pause=time.pause, wall=time.now)
    script = Script(time, script)
    topics = (Topic(name="orders", id=None, partitions=()),)
    silence = Silence(lambda: memory.holds, time.now) if memory.silent else None
    tally = Tally(topics, partitions, paced=rate is not None, now=time.now, size=size, silence=silence)
    player = Player(
        source,
        clock,
        memory,
        tally,
        stopped=lambda: script.stopped or stopped(),
        control=script,
        conduct=replace(conduct or Conduct(), first_ms=source.first_ms, records=source.count),
    )
    clock.start()
    if paused:
        clock.pause()
    ending = player.play()
    memory.flush()
    tally.settle(force=True)
    return Performance(memory, tally, player, ending, clock, script.refused)


def number(index: int) -> bytes:
    return str(index).encode()


def _rest(piece: Piece, at: int) -> Piece:
    arrays = {
        name: getattr(piece, name)[at:]
        for name in (
            "positions_ns",
            "times_ms",
            "sizes",
            "topic_numbers",
            "source_partitions",
            "offsets",
            "lanes",
            "keyed",
        )
    }
    return replace(piece, columns=Columns(*(column[at:] for column in piece.columns)), first=piece.first + at, **arrays)


def _piece(rows: range, times: np.ndarray, positions: np.ndarray, partitions: int) -> Piece:  # type: ignore[type-arg]
    count = len(rows)
    numbers = np.array(rows, np.int64)
    return Piece(
        columns=Columns(
            topics=["orders"] * count,
            partitions=[row % partitions for row in rows],
            keys=[number(row % 7) for row in rows],
            values=[number(row) for row in rows],
            headers=[None] * count,
            timestamps=[1] * count,
        ),
        positions_ns=positions,
        times_ms=times,
        sizes=np.full(count, 100, np.int64),
        first=rows.start,
        topic_numbers=np.zeros(count, np.int64),
        source_partitions=numbers % partitions,
        offsets=numbers,
        lanes=numbers % partitions,
        keyed=np.ones(count, np.bool_),
    )
