"""What a person may choose about a replay, each choice beside its default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from recorder.capture.reader import Capture
from recorder.capture.schema import Record
from recorder.capture.selection import Selection
from recorder.errors import UsageError
from recorder.payloads.registering import TargetRegistry
from recorder.replaying.dead_letters import DeadLetters
from recorder.replaying.objectives import Objective

Timestamps = Literal["original", "shift", "now"]
TimeBasis = Literal["create", "append", "offset"]
IntraMs = Literal["burst", "spread"]
Partitions = Literal["auto", "keep", "hash", "map"]
Late = Literal["catchup", "slow", "drop", "fail"]
DEFAULT_READ_AHEAD = 32 << 20
BYTES_PER_MEGABIT = 125_000
MOST_IN_TRANSACTION = 1_000_000
LONGEST_TRANSACTION_MS = 30_000  # half of what brokers are told to wait before they abort


@dataclass(frozen=True, slots=True)
class Steps:
    """When to commit a transaction: after so many records, or so many milliseconds, whichever comes first."""

    records: int = 1_000
    milliseconds: int = 1_000

    @property
    def binding(self) -> str:
        """What a replay that goes on has to share with the part before."""
        return "in transactions"


@dataclass(frozen=True, slots=True)
class Chaos:
    """What is to go wrong on purpose, as shares of all records (see `recorder.replaying.chaos`)."""

    seed: int
    duplicate: float = 0.0
    drop: float = 0.0
    delay: float = 0.0
    delay_ms: int = 0
    """Recorded time, as all positions on the timeline."""
    reorder: float = 0.0
    within_keys: bool = False
    """Also inside one key."""
    text: str = field(default="", compare=False)


class Transform(Protocol):
    """For each of some records (`recorder.Record`), what to send instead."""

    @property
    def name(self) -> str: ...

    def __call__(self, records: Sequence[Record]) -> Iterable[Sequence[Record]]: ...


class Condition(Protocol):
    """Says of each record of a batch (RECORD_SCHEMA) of a capture's topic whether it is meant; `expression` is its
    text, `binding` says also how payloads are read for it."""

    @property
    def expression(self) -> str: ...

    @property
    def binding(self) -> str: ...

    def holds(self, batch: Any, capture: Capture, topic: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of the timeline: epoch milliseconds, or, if `relative`, milliseconds after its first record."""

    ms: int
    relative: bool = False

    def resolve(self, first_ms: int) -> int:
        """Epoch milliseconds, when the first record's are known."""
        return first_ms + self.ms if self.relative else self.ms


@dataclass(frozen=True, slots=True)
class Options:
    """Choices for one replay; the default sends all records in their own rhythm with their own timestamps."""

    selection: Selection = field(default_factory=Selection)
    """Topics, partitions, keys and a window by the records' own timestamps."""
    excludes: Sequence[str] = ()
    """But no topics whose whole name matches one of these regular expressions."""
    remap: Mapping[str, str] = field(default_factory=dict)
    """Recorded topic to target topic, where they differ."""
    rate: float = 1.0
    """2.0: twice as fast."""
    top_speed: bool = False
    """As fast as the target takes them; `rate` and `max_gap_ms` don't count."""
    max_gap_ms: int | None = None
    """The longest idle stretch to keep, in recorded time."""
    timestamps: Timestamps = "original"
    """`original`: as recorded. `shift`: all moved by the same span, so that the first record's is the replay's start;
    distances stay as recorded, whatever the rate. `now`: the time of sending."""
    time_basis: TimeBasis = "create"
    """What places a record in time. `create`: its timestamp. `append`: its timestamp if the broker gave it. `offset`:
    nothing but the order in its partition; there is no rhythm then."""
    intra_ms: IntraMs = "burst"
    """Records of one millisecond go at once, or spread over it evenly."""
    start: Point | None = None
    end: Point | None = None
    """The part of the timeline to play (half-open)."""
    duration_ms: int | None = None
    """Or how much of it, instead of `end`."""
    start_offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """Where single partitions begin, by topic and partition."""
    where: Condition | None = None
    """Only records for which this holds."""
    sample: float | None = None
    """Only this share of all keys."""
    loop: int = 1
    """How many times to play; 0 is for ever."""
    loop_delay_ms: int = 0
    """Real time between the last record of one pass and the first of the next."""
    records_per_second: float | None = None
    megabits_per_second: float | None = None
    """Caps over all topics together, whatever the plan says."""
    step: bool = False
    """Begin paused: records go one by one, by command."""
    late: Late = "catchup"
    """When records are late by more than `late_bound_ms`. `catchup`: sent at once in order, without a bound. `slow`:
    time slows, for all topics together. `drop`: not sent. `fail`: the replay ends."""
    late_bound_ms: int = 100
    aborted: bool = False
    """Also records that are marked as those of aborted transactions: nobody who reads committed ones ever saw them."""
    prologue: bool = False
    """Send the state before the window first, where it was recorded, once and without a rhythm."""
    read_ahead_bytes: int = DEFAULT_READ_AHEAD
    calibrate: bool = True
    """Measure what machine and broker can do before the replay."""
    calibrate_topic: str | None = None
    """An existing topic, not one of the replay's, to time confirmations in; None: metadata requests are timed."""
    probe: bool = False
    """Read the target meanwhile and tell when records arrive."""
    prove: bool = False
    """Read the target's log back in the end and hold it against the capture."""
    objectives: Sequence[Objective] = ()
    """What is demanded of the replay."""
    partitions: Partitions = "auto"
    """Where in the target topic a record goes. `keep`: its recorded partition. `hash`: where Java's producer puts its
    key; without a key, the recorded partition modulo their number. `map`: as `partition_map` says. `auto`: `keep` for
    topics that have as many partitions as were recorded, `hash` for others."""
    partition_map: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """Recorded topic and partition to target partition, for `map`; others keep theirs."""
    transform: Transform | None = None
    """A function that changes records on their way (see `recorder.replaying.rewriting`)."""
    middleware: str | None = None
    """A program that does, as a command line; after `transform`."""
    chaos: Chaos | None = None
    """Trouble on purpose, after all other changes."""
    transactional: Steps | None = None
    """Send inside transactions that are committed in such steps."""
    provenance: bool = False
    """Tell in a header of every record which replay sent it."""
    dead_letters: DeadLetters | None = None
    """Send dead letters to the topics that their headers name, and nothing else."""
    target_registry: TargetRegistry | None = None
    """Translate the schema ids in records to those of this registry."""
    create_topics: bool = False
    """Create topics that the target lacks, like the recorded ones."""
    topic_config: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Settings of created topics that differ from the recorded ones, by target topic; ``*`` is all of them."""
    partitions_of: Mapping[str, int] = field(default_factory=dict)
    """How many partitions created topics have, where not as many as recorded."""
    replication_factor: int | None = None
    """Copies of each partition of created topics; None: three, or as many as there are brokers."""
    allow_targets: Sequence[str] = ()
    """Cluster ids; when there are any, nothing is written to another cluster."""
    allow_source_cluster: bool = False
    """Write even into the cluster that the capture came from."""
    allow_raw: bool = False
    """Send even a capture that was not scrubbed."""

    def __post_init__(self) -> None:
        if not 0.001 <= self.rate <= 1_000_000:
            raise UsageError(f"--rate {self.rate:g} is not a speed: give a factor such as 0.5, 1 or 10.")
        if self.max_gap_ms is not None and self.max_gap_ms < 0:
            raise UsageError("--max-gap can't be negative.")
        if self.end is not None and self.duration_ms is not None:
            raise UsageError("--end and --duration both say where to end: give one of them.")
        if self.loop < 0 or self.loop_delay_ms < 0:
            raise UsageError("--loop and --loop-delay can't be negative: --loop 0 plays for ever.")
        if self.sample is not None and not 0 < self.sample <= 1:
            raise UsageError("--sample is a share of all keys: write for example 25%.")
        for name, cap in (("--pps", self.records_per_second), ("--mbps", self.megabits_per_second)):
            if cap is not None and not 0 < cap < float("inf"):
                raise UsageError(f"{name} {cap:g} lets nothing pass: give more than 0.")
        if self.late_bound_ms < 1:
            raise UsageError("--late-bound is how late a record may be: give at least 1ms.")
        if self.read_ahead_bytes < 1:
            raise UsageError("--read-ahead is how much may be read before it is due: give for example 64MB.")
        if not self.create_topics and (self.topic_config or self.partitions_of or self.replication_factor is not None):
            raise UsageError(
                "--topic-config, --partitions-of and --replication-factor are for topics that are created: "
                "give --create-topics, too."
            )
        if self.calibrate_topic is not None and self.transactional is not None:
            raise UsageError(
                "--calibrate-topic measures records outside transactions: leave it or --transactional out."
            )
        if self.calibrate_topic is not None and not self.calibrate:
            raise UsageError("--calibrate-topic and --no-calibration contradict each other: give one of them.")
        if self.prologue and self.dead_letters is not None:
            raise UsageError("--dlq sends dead letters and nothing else: leave out --prologue.")
        if self.prove and self.middleware is not None:
            raise UsageError(
                "--prove makes every record once more to compare it, and what --middleware makes of it may differ each "
                "time: leave one of them out."
            )
        if self.time_basis == "offset":
            self._check_offsets()

    def _check_offsets(self) -> None:
        if self.timestamps == "shift":
            raise UsageError("--timestamps shift goes by the recorded times, and --time-basis offset by none of them.")
        if self.start or self.end or self.duration_ms is not None:
            raise UsageError("--time-basis offset knows no times: give --start-offset instead of --start and --end.")
        if not (self.top_speed or self.step or self.records_per_second or self.megabits_per_second):
            raise UsageError("--time-basis offset has no rhythm: give --pps, --mbps, --step or --topspeed.")

    @property
    def pace(self) -> float | None:
        """The rate, or None at top speed."""
        return None if self.top_speed or self.time_basis == "offset" else self.rate

    @property
    def bytes_per_second(self) -> float | None:
        return None if self.megabits_per_second is None else self.megabits_per_second * BYTES_PER_MEGABIT
