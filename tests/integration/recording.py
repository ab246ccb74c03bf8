"""Recording in a line: `recorded(kafka, tmp_path / "c", "orders")` gives the finished capture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recorder.capture.manifest import Gap, Manifest, Partition
from recorder.capture.reader import Capture, open_capture, to_records
from recorder.capture.schema import Record
from recorder.capture.verify import failed, verify
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording.record import record
from recorder.recording.request import Request
from recorder.window import Window
from tests.builders import T0
from tests.integration.producing import New

EVERYTHING = Window(None, None)
MINUTE = 60_000
WINDOW = Window(T0, T0 + 10 * MINUTE)
"""Ten minutes, for records that `at` places."""
ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1)}
"""A topic's setting: brokers take records from the future."""


def recorded(kafka: LocalKafka, root: Path, *names: str, window: Window = EVERYTHING, **options: Any) -> Capture:
    """Record topics by name; the capture is checked whole, and its ledger adds up."""
    manifest = record(connect(kafka.bootstrap), Request(window, names=names, **options), root)
    capture = open_capture(root)
    assert capture.manifest == manifest
    assert not failed(verify(root)), verify(root)
    for _, partition in manifest.topic_partitions():
        assert partition.end_offset - partition.start_offset == partition.records + sum(
            gap.missing for gap in partition.gaps
        )
    return capture


def rows(capture: Capture, topic: str, partition: int = 0) -> list[Record]:
    """A partition's records in offset order."""
    return [row for batch in capture.batches(topic, partition) for row in to_records(batch)]


def partition_of(capture: Capture, topic: str, partition: int = 0) -> Partition:
    return capture.manifest.topic(topic).partitions[partition]


def reasons(gaps: Sequence[Gap]) -> dict[str, int]:
    """Missing offsets by reason."""
    found: dict[str, int] = {}
    for gap in gaps:
        found[gap.reason] = found.get(gap.reason, 0) + gap.missing
    return found


def notes(manifest: Manifest, level: str) -> list[str]:
    return [note.sentence() for note in manifest.notes if note.level == level]


def at(*minutes: float, value: bytes = b"v") -> list[New]:
    """Records at so many minutes after the start of `WINDOW`."""
    return [New(value, timestamp_ms=T0 + round(minute * MINUTE)) for minute in minutes]


def values(root: Path, topic: str) -> list[float]:
    """The minutes (after the start of `WINDOW`) of what was recorded, in offset order."""
    return [(row.timestamp_ms - T0) / MINUTE for row in rows(open_capture(root), topic)]
