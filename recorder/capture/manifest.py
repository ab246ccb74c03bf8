"""The manifest: what a capture says about itself (FORMAT.md 11 to 17), read and written strictly.

Structs are frozen: a manifest describes sealed files, and what is sealed does not change.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec

from recorder.capture.migrations import migrate
from recorder.errors import CaptureError

MANIFEST_NAME = "manifest.json"
CHECKPOINT_NAME = "checkpoint.json"
STAGED_NAME = "staged-for.json"
"""In a staging directory: the URI of the object store that the recording is for, without credentials."""
WAITING_NAME = "manifest.json.waiting"
"""The manifest of a finished recording that has not yet reached the object store it is for."""
JOURNAL_NAME = "checkpoint.log"
REPORT_NAME, REPORT_PAGE_NAME = "report.json", "report.html"
"""The report of a clean capture, for programs and for people (FORMAT.md 25)."""
_SCHEMA_FILE = re.compile(r"schemas-[0-9a-f]{16}\.json")

GapReason = Literal["expired", "aborted", "control", "compacted", "filtered", "unread", "unexplained", "quarantined"]
FinishedBy = Literal["end", "interrupt", "unfinished"]
Folder = Literal["records", "prologue"]
LOSS_REASONS: tuple[GapReason, ...] = ("unread", "unexplained")


Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Timestamp = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""Epoch milliseconds, raw: any 64 bits that a producer wrote."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """`missing` offsets are absent between two offsets (inclusive), all for one reason (FORMAT.md 11)."""

    first_offset: Count
    last_offset: Count
    missing: Count
    reason: GapReason


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed Parquet file; offsets are inclusive, sizes in bytes."""

    path: str
    sha256: str
    bytes: Count
    records: Count
    first_offset: Count
    last_offset: Count
    min_timestamp_ms: Timestamp
    max_timestamp_ms: Timestamp


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Offsets from first to last, inclusive; it speaks of the records that are there."""

    first_offset: Count
    last_offset: Count


class Prologue(msgspec.Struct, frozen=True, kw_only=True):
    """A compacted partition's state before `start_offset`: the last record of each key (FORMAT.md 23)."""

    records: Count = 0
    payload_bytes: Count = 0
    segments: tuple[Segment, ...] = ()


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """One partition's ledger and segments; it answers for the offsets `[start_offset, end_offset)`."""

    partition: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    start_offset: Count
    end_offset: Count
    records: Count = 0
    payload_bytes: Count = 0
    min_timestamp_ms: Timestamp | None = None
    max_timestamp_ms: Timestamp | None = None
    gaps: tuple[Gap, ...] = ()
    segments: tuple[Segment, ...] = ()
    late_records: Count = 0
    """Records of the window that lay beyond the offset where the window's end was looked up."""
    latest_ms: Timestamp = 0
    """How far beyond that point, in timestamps, the last of them lay."""
    headers_lost: tuple[Count, ...] = ()
    """Offsets of records whose headers could not be read (FORMAT.md 13)."""
    aborted: tuple[Run, ...] = ()
    """Records of aborted transactions (FORMAT.md 24); none in a recording that reads committed records only."""
    undecided: tuple[Run, ...] = ()
    """Records that an open transaction hid from readers of committed records when the recording ended."""
    prologue: Prologue | None = None
    """None: nobody asked for it, or the topic is not compacted."""

    @property
    def files(self) -> tuple[Segment, ...]:
        """All segments, the prologue's first."""
        return (*(self.prologue.segments if self.prologue else ()), *self.segments)

    def missing(self, reason: GapReason) -> int:
        return sum(gap.missing for gap in self.gaps if gap.reason == reason)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A topic's cluster, and its name there."""

    cluster_id: str | None
    name: str


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic as it stood in the source cluster; `config` holds the settings that differ from the defaults."""

    name: str
    id: str | None
    partitions: tuple[Partition, ...]
    config: dict[str, str] | None = None
    """None: the source did not let us read it."""

    origin: Origin | msgspec.UnsetType = msgspec.UNSET
    """Where it came from, in a capture merged from several clusters or under another name than there."""

    @property
    def records(self) -> int:
        return sum(partition.records for partition in self.partitions)

    @property
    def prologue_records(self) -> int:
        return sum(partition.prologue.records for partition in self.partitions if partition.prologue)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The window as typed and as understood, and what the recording covered, in epoch milliseconds."""

    from_text: str
    to_text: str
    from_ms: Timestamp | None
    to_ms: Timestamp | None
    late_slack_ms: Timestamp | None
    """None: up to the end of each partition as it was when recording began."""
    covered_from_ms: Timestamp | None = None
    covered_to_ms: Timestamp | None = None
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster that the records came from. Never its addresses: they are not evidence and may be secret."""

    cluster_id: str | None
    """None: unknown, or several, and each topic's `origin` says which."""
    brokers: int


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """A capture that another was made from, and the SHA-256 of its manifest, which names all its files."""

    capture_id: str
    manifest_sha256: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a capture's history: who did what with which version, from which parent."""

    verb: str
    at_ms: Timestamp
    tool: str
    capture_id: str
    parent_id: str | None = None
    user: str | None = None
    host: str | None = None
    command: tuple[str, ...] = ()
    parents: tuple[Parent, ...] | msgspec.UnsetType = msgspec.UNSET
    """Of a cut or a merge: exactly what it was made from."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A clean capture that was proven: its id and its stamp's digest and date."""

    capture_id: str
    digest: str
    stamped_at_ms: Timestamp


class CleanStamp(msgspec.Struct, frozen=True, kw_only=True):
    """Says that this capture was scrubbed by a policy and proven clean; `verify-clean` checks it."""

    policy_sha256: str
    stamped_at_ms: int
    tool: str
    counts: dict[str, int]
    checks: dict[str, str]
    digest: str = ""
    """SHA-256 over the manifest with this field empty: an altered manifest does not verify."""
    proofs: tuple[Proof, ...] | msgspec.UnsetType = msgspec.UNSET
    """Of a cut or a merge: the proven captures that every one of its records was taken from, unchanged."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should know about this capture."""

    level: Literal["info", "warning", "loss"]
    text: str
    topic: str | None = None
    partition: int | None = None

    def sentence(self) -> str:
        """The text with its place in front."""
        if self.topic is None:
            return self.text
        place = self.topic if self.partition is None else f"{self.topic}/{self.partition}"
        return f"{place}: {self.text}"


class SchemaFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file that keeps the schemas which the records name (FORMAT.md 22)."""

    path: str
    sha256: str
    bytes: Count
    schemas: Count
    unresolved: tuple[int | str, ...] = ()
    """Ids and GUIDs that records name and the registry could not be asked for."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A whole capture's description; `finished_by` says how the recording ended."""

    format_version: int
    capture_id: str
    created_at_ms: Timestamp
    finished_by: FinishedBy
    window: Asked
    source: Source
    topics: tuple[Topic, ...]
    lineage: tuple[Step, ...] = ()
    clean: CleanStamp | None = None
    notes: tuple[Note, ...] = ()
    tags: dict[str, str] = {}
    schemas: SchemaFile | msgspec.UnsetType = msgspec.UNSET

    @property
    def records(self) -> int:
        return sum(topic.records for topic in self.topics)

    @property
    def cluster_ids(self) -> tuple[str, ...]:
        """Every cluster that records came from, as far as known, sorted."""
        found = {self.source.cluster_id} | {
            topic.origin.cluster_id for topic in self.topics if isinstance(topic.origin, Origin)
        }
        return tuple(sorted(one for one in found if one is not None))

    @property
    def of_unknown_cluster(self) -> bool:
        """Whether some records came from a cluster that is not known."""
        origins = [topic.origin for topic in self.topics]
        clusters = [one.cluster_id if isinstance(one, Origin) else self.source.cluster_id for one in origins]
        return None in clusters

    @property
    def prologue_records(self) -> int:
        return sum(topic.prologue_records for topic in self.topics)

    @property
    def losses(self) -> tuple[Note, ...]:
        """Every loss, named; empty when the capture is exact. Not empty means exit code 3."""
        found = [note for note in self.notes if note.level == "loss"]
        for topic, partition in self.topic_partitions():
            found += [
                Note(
                    level="loss",
                    text=f"{missing} offsets {reason}",
                    topic=topic.name,
                    partition=partition.partition,
                )
                for reason in LOSS_REASONS
                if (missing := partition.missing(reason))
            ]
            if partition.headers_lost:
                found.append(
                    Note(
                        level="loss",
                        text=f"headers of {len(partition.headers_lost)} records could not be read",
                        topic=topic.name,
                        partition=partition.partition,
                    )
                )
        return tuple(found)

    @property
    def resumable(self) -> bool:
        """The recording ended before all was read, and may go on (FORMAT.md 18)."""
        ended_early = self.finished_by == "interrupt" or any(p.missing("unread") for _, p in self.topic_partitions())
        return ended_early and self.clean is None

    def topic_partitions(self) -> Iterator[tuple[Topic, Partition]]:
        return ((topic, partition) for topic in self.topics for partition in topic.partitions)

    def topic(self, name: str) -> Topic:
        """The topic of that name; KeyError when the capture does not hold it."""
        for topic in self.topics:
            if topic.name == name:
                return topic
        raise KeyError(name)


def new_capture_id() -> str:
    """A random id, 32 hexadecimal digits."""
    return uuid.uuid4().hex


def encode(manifest: Manifest) -> bytes:
    """Indented JSON, stable for equal manifests, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1) + b"\n"


def decode(raw: bytes, *, where: str) -> Manifest:
    """Parse and check a manifest of any known format version; CaptureError says what is wrong and `where`."""
    try:
        tree = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CaptureError(
            f"{where} is torn or altered: {error}. Take the capture from its source again, or restore this file."
        ) from None
    tree = migrate(tree, where=where)
    try:
        manifest = msgspec.convert(tree, Manifest)
    except msgspec.ValidationError as error:
        raise CaptureError(f"{where} is not a valid manifest: {error}.") from None
    _check_unique((f"topic {topic.name}" for topic in manifest.topics), where)
    for topic in manifest.topics:
        _check_name(topic.name, where)
        _check_unique((f"partition {topic.name}/{partition.partition}" for partition in topic.partitions), where)
    segments = [segment for _, partition in manifest.topic_partitions() for segment in partition.files]
    _check_unique((f"file {segment.path}" for segment in segments), where)
    for segment in segments:
        _check_path(segment.path, where)
    if isinstance(manifest.schemas, SchemaFile) and not _SCHEMA_FILE.fullmatch(manifest.schemas.path):
        raise _outside(manifest.schemas.path, where)
    return manifest


def segment_path(topic: str, partition: int, first_offset: int, folder: Folder = "records") -> str:
    """The relative path of a segment, as FORMAT.md 5 and 23 name it."""
    return f"{folder}/{topic}/{partition}/{first_offset:020d}.parquet"


def _check_unique(things: Iterable[str], where: str) -> None:
    for thing, times in Counter(things).items():
        if times > 1:
            raise CaptureError(f"{where} names the {thing!r} {times} times: refusing to read it.")


def _check_name(topic: str, where: str) -> None:
    # Kafka's own rule for topic names; a capture written by hand could say anything.
    legal = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    if not topic or topic in {".", ".."} or len(topic) > 249 or not legal.issuperset(topic):
        raise CaptureError(f"{where} names a topic {topic!r}, which no Kafka topic can be called: refusing to read it.")


def _check_path(path: str, where: str) -> None:
    parts = PurePosixPath(path).parts
    if (
        not path.startswith(("records/", "prologue/"))
        or ".." in parts
        or "\\" in path
        or "\0" in path
        or str(PurePosixPath(path)) != path
    ):
        raise _outside(path, where)


def _outside(path: str, where: str) -> CaptureError:
    return CaptureError(f"{where} names a file {path!r} outside the capture: refusing to read it.")
