"""The certificate: what a replay planned, what it did, and how exactly, for people and for pipelines.

Kept as JSON beside the work, never inside a capture (which is sealed). All durations are nanoseconds.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from recorder.capture.durable import write_atomically
from recorder.capture.locations import Location, inside
from recorder.errors import UsageError
from recorder.replaying.calibration import Floor
from recorder.replaying.changes import ChangeCounts
from recorder.replaying.chaos import Perturbation
from recorder.replaying.conduct import Ending
from recorder.replaying.course import Course
from recorder.replaying.findings import Finding
from recorder.replaying.histogram import RELATIVE_ERROR, Distribution
from recorder.replaying.homes import SENT, LetterCount
from recorder.replaying.objectives import Judgement
from recorder.replaying.options import Timestamps
from recorder.replaying.partitions import Placement
from recorder.replaying.probe import Probed
from recorder.replaying.prologue import PrologueCount
from recorder.replaying.proof import Proof
from recorder.replaying.resumption import Earlier
from recorder.replaying.rhythm import Rhythm
from recorder.replaying.silence import BY_REPORTS
from recorder.replaying.tally import Failure

CERTIFICATE_VERSION = 1


class TopicCount(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded topic: where it went, how many records were planned and how many confirmed."""

    topic: str
    target: str
    planned: int
    acked: int
    earlier: int = 0
    """Records that were in the target already when a resumed replay went on."""


class Inversions(msgspec.Struct, frozen=True, kw_only=True):
    """Records that lie before an earlier one of the same partition, or of the same key, in the target.

    `key` is an upper bound (two keys may share a place in a table of bounded size); 0 is exact. None: nobody looked,
    as single confirmations were not told (see `Certificate.confirmed_by`).
    """

    partition: int | None
    key: int | None
    source: str = "offsets in the delivery reports"
    timeline: int | None = None
    """Over all partitions: records handed over after one that was due later. None: at top speed, and in certificates
    from before this was counted."""


class Transactions(msgspec.Struct, frozen=True, kw_only=True):
    """How records became visible to consumers that read only committed ones."""

    committed: int
    aborted: int
    withdrawn: int
    """Records that the brokers had confirmed, in transactions that were not committed."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one replay. Lateness is counted from the plan ``T0 + position / rate``, never from the send."""

    certificate_version: int = CERTIFICATE_VERSION
    replay_id: str
    capture_id: str
    capture: str
    tool: str
    source_cluster_id: str | None
    further_captures: tuple[str, ...] = ()
    """The ids of the others, when several were replayed on one timeline."""
    target_cluster_id: str | None
    started_at_ms: int
    """T0 by the wall clock."""
    finished_at_ms: int
    ended_by: Ending
    error: str | None
    """Why, when `ended_by` is ``error`` or ``late``."""
    rate: float | None
    """None: top speed, where nothing has a deadline and the latenesses are None."""
    timestamps: Timestamps
    shifted_by_ms: int
    max_gap_ms: int | None
    remap: dict[str, str]
    topics: tuple[TopicCount, ...]
    planned: int
    """In all passes; of those without end, in the ones that were begun."""
    sent: int
    """Handed to the client; each of these was confirmed or has failed."""
    acked: int
    confirmed_by: str = BY_REPORTS
    """How we know that these were confirmed."""
    failed: int
    failures: tuple[Failure, ...]
    """The first 1,000."""
    errors: dict[str, int]
    """Failures by error."""
    planned_ns: int | None
    """From the first record's deadline to the last one's."""
    sending_ns: int
    """From the first hand-over to the last."""
    dispatch_lateness: Distribution | None
    """Hand-over to the client, after the deadline."""
    ack_lateness: Distribution | None
    """The broker's confirmation as we learned of it, after the deadline."""
    round_trip: Distribution | None
    """Confirmation after hand-over."""
    end_drift_ns: int | None
    """Median dispatch lateness in the last second less that in the first one (see `drift`); in certificates without
    `last_lateness_ns`, what stands there now."""
    last_lateness_ns: int | None = None
    """Lateness of the very last record."""
    inversions: Inversions
    clamped: int
    """Records that ran behind their partition's time, and were scheduled with it."""
    wild: int
    """Records whose timestamps could not place them, scheduled with their neighbours."""
    collapsed_gaps: int
    collapsed_ms: int
    """Recorded idle time that was left out (`max_gap_ms`)."""
    timestamp_0_sent_as_1: int
    """Timestamps of 0 ms, which the client would take for "now"."""
    queue_full: int
    retries: int
    starved_ns: int
    created_topics: tuple[str, ...]
    findings: tuple[Finding, ...]
    letters: tuple[LetterCount, ...] = ()
    """Dead letters: where they belong, why they are ones, and whether they could go; `planned` counts those only."""
    registered_schemas: tuple[str, ...] = ()
    """What was registered in the target's registry before the first record: subject, version and id there."""
    course: Course = Course()
    rhythm: Rhythm | None = None
    """None at top speed, and in certificates from before it was kept, as all that follows."""
    floor: Floor | None = None
    """What machine and broker could do just before; None when nobody wanted to know."""
    probed: Probed | None = None
    """None without a probe."""
    transactions: Transactions | None = None
    """None: records were sent outside transactions."""
    stamped_by_target: tuple[str, ...] = ()
    """Target topics that put the broker's time of arrival in the place of our timestamps (LogAppendTime)."""
    placements: tuple[Placement, ...] = ()
    """How records found their partitions, by recorded topic."""
    chaos: str | None = None
    """What was to go wrong on purpose. Order is judged against what was meant to be sent, so none of it is a fault."""
    perturbations: tuple[Perturbation, ...] = ()
    """What was done about that, as records were read: the first 1,000; `changes` counts all."""
    changes: ChangeCounts = ChangeCounts()
    """What was done to records on their way."""
    prologue: PrologueCount | None = None
    """The state before the window, which no other figure counts; None: there is none."""
    earlier: Earlier | None = None
    """What came before, when this part of a replay went on with it: then all other figures but the planned ones are
    of this part alone, and its first anchor is `resumed`."""
    proof: Proof | None = None
    """What the target's log says of it, read back in the end; None when nobody wanted to know."""
    objectives: tuple[Judgement, ...] = ()
    """What was demanded of this replay, and whether it was so."""
    percentile_error: float = RELATIVE_ERROR
    """Percentiles are upper edges of buckets: never below the true value, and less than this fraction above it."""

    @property
    def letters_left(self) -> dict[str, int]:
        """Dead letters that could not go, by why."""
        left: dict[str, int] = {}
        for one in self.letters:
            if one.fate != SENT:
                left[one.fate] = left.get(one.fate, 0) + one.records
        return left

    @property
    def losses(self) -> int:
        """Planned records that are not known to have arrived, those aside that a seek jumped over or that were left
        out on their way, as was asked for."""
        changes, earlier = self.changes, self.earlier
        due = self.planned + self.course.repeated - self.course.skipped
        if earlier is not None:
            due += earlier.lost - earlier.turns - earlier.compared
        withdrawn = 0 if self.transactions is None else self.transactions.withdrawn
        state = 0 if self.prologue is None else self.prologue.missing
        return due + changes.added - sum(changes.left_out.values()) - self.acked + withdrawn + state

    @property
    def resumable(self) -> bool:
        """It ended before its end, and what came before T0 is whole."""
        return self.ended_by != "end" and not (self.prologue is not None and self.prologue.missing)


def default_path(capture: Location, started_at_ms: int) -> Path:
    """`incident.replay-20261103T140200Z.json` in the current directory, or the same with a number after it."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(started_at_ms / 1000))
    name = f"{capture.resolve().name}.replay-{stamp}"
    path, number = Path(f"{name}.json"), 1
    while path.exists():
        number += 1
        path = Path(f"{name}-{number}.json")
    return path


def check_writable(path: Path, capture: Location) -> None:
    """UsageError when a certificate can't be kept at `path`; asked before the replay, not after it."""
    if inside(path.resolve().parent, capture):
        raise UsageError(f"{path} lies inside the capture, which is sealed: give --certificate another place.")
    if path.is_dir():
        raise UsageError(f"{path} is a directory: give --certificate a file.")
    try:
        probe = path.with_name(path.name + ".tmp")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"The certificate can't be written to {path}: {error.strerror}. Give --certificate another place."
        ) from None


def write_certificate(certificate: Certificate, path: Path) -> None:
    """Write JSON atomically. Raises UsageError when the file system does not let us."""
    content = msgspec.json.format(msgspec.json.encode(certificate), indent=1) + b"\n"
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UsageError(f"The certificate can't be written to {path}: {error.strerror}.") from error


def read_certificate(path: Path) -> Certificate:
    """Read a kept certificate; UsageError when the file is none, or from a newer version."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"Can't read {path}: {error.strerror}.") from None
    try:
        version = msgspec.json.decode(raw, type=_Version).certificate_version
        if version > CERTIFICATE_VERSION:
            raise UsageError(f"{path} is a certificate of version {version}, newer than this program: please upgrade.")
        return msgspec.json.decode(raw, type=Certificate)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a replay's certificate: {error}.") from None


class _Version(msgspec.Struct):
    certificate_version: int
