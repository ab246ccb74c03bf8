"""Captures with everything in them that a cut or a merge could get wrong, and what they hold as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from recorder.capture.ledger import REASONS, Ledger
from recorder.capture.manifest import GapReason, Manifest, Partition, Topic
from recorder.capture.reader import Capture, open_capture, to_records
from recorder.capture.schema import Record
from recorder.capture.verify import failed, verify
from recorder.capture.writer import PartitionWriter, create_directory, finish
from tests.builders import T0, describe, to_batch

KEYS = st.sampled_from([None, b"", b"a", b"b", b"c", b"\x00\xff"])
Log = dict[tuple[str, int], tuple[int, list[tuple[int, GapReason | None]]]]
"""For each partition its start offset and its history: how many records (None), or offsets missing for a reason."""

PLACES = [("one", 0), ("one", 1), ("two", 0)]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, GapReason | None]]:
    """What lies in a partition, piece by piece: so many records (None), or so many offsets missing for a reason."""
    return draw(st.lists(st.tuples(st.integers(1, 6), st.none() | st.sampled_from(REASONS)), max_size=8))


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Any partitions."""
    return {place: (draw(st.integers(0, 50)), draw(histories())) for place in PLACES}


def write_log(root: Path, log: Log, **facts: Any) -> Capture:
    """A capture with these partitions; keys, times and values follow from the offsets."""
    create_directory(root)
    parts: dict[str, list[Partition]] = {}
    for (topic, number), (start, history) in log.items():
        writer, ledger = PartitionWriter(root, topic, number), Ledger(start)
        for count, reason in history:
            first = ledger.position
            if reason is not None:
                ledger.advance(first + count, reason)
                continue
            rows = [row(topic, number, offset) for offset in range(first, first + count)]
            ledger.saw(np.arange(first, first + count), np.ones(count, np.bool_))
            writer.append(to_batch(rows))
            if len(history) < 100:
                writer.seal()
        writer.seal()
        parts.setdefault(topic, []).append(writer.describe(ledger))
    topics = tuple(Topic(name=name, id=f"id-{name}", config={}, partitions=tuple(ps)) for name, ps in parts.items())
    manifest = describe(topics, None, clean=False, notes=(), cluster_id="here", at_ms=T0 + 600_000)
    finish(root, msgspec.structs.replace(manifest, **facts))
    return open_capture(root)


def row(topic: str, partition: int, offset: int) -> Record:
    """The record at that place, always the same."""
    mixed = (offset * 2_654_435_761 + partition) % 2**32
    key = [None, b"", b"a", b"b", b"c", b"\x00\xff"][mixed % 6]
    value = b'{"type": "t%d", "n": %d}' % (mixed % 7 // 3, offset) if mixed % 5 else None
    return Record(
        topic, partition, offset, T0 + mixed % 1_000, "create", key, value, (("h", b"x"),) if mixed % 3 else (), 1
    )


def content(capture: Capture) -> dict[tuple[str, int], Any]:
    """Every record and the whole ledger, by place; the capture verifies."""
    assert not failed(verify(capture.root)), [check for check in verify(capture.root) if check.status == "FAILED"]
    return {
        (topic.name, partition.partition): (
            [one for batch in capture.batches(topic.name, partition.partition) for one in to_records(batch)],
            (partition.start_offset, partition.end_offset, partition.gaps, partition.headers_lost),
        )
        for topic, partition in capture.manifest.topic_partitions()
    }


def ledger_sums(manifest: Manifest, reason: GapReason) -> int:
    return sum(partition.missing(reason) for _, partition in manifest.topic_partitions())
