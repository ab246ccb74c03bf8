"""A capture of every format version is kept here and must stay readable for ever.

When the format changes: write the new version's with `write_golden`, once, and never touch the older ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.manifest import Gap, Note
from recorder.capture.reader import open_capture, to_records
from recorder.capture.schema import FORMAT_VERSION, Record
from recorder.capture.selection import Selection
from recorder.capture.verify import failed, verify
from recorder.window import Window
from tests.builders import T0, make_capture

GOLDEN = Path(__file__).parent / "golden"

ROWS = [
    Record("orders", 0, 0, T0, "create", b"k1", b'{"id": 1}', (("trace", b"abc"), ("trace", None), ("", b"")), 0),
    Record("orders", 0, 1, T0 - 5_000, "create", None, None, (), 0),
    Record("orders", 0, 4, T0 * 1_000_000, "create", b"", b"", (("é", b"\xff"),), 3),
    Record("orders", 0, 5, -1, "none", b"\x00\x01", "Zürich".encode(), (), None),
    Record("orders", 2, 0, T0 + 1, "append", b"k2", b"x" * 3_000, (), 1),
]


def write_golden(root: Path) -> None:
    note = Note(level="warning", text="1 records of the window came late", topic="orders", partition=0)
    make_capture(root, ROWS, topics={"empty": 2}, window=Window(T0, None), segment_records=3, notes=[note])


@pytest.mark.parametrize("version", [1])
def test_every_version_that_ever_was_reads_as_it_was_written(version: int) -> None:
    capture = open_capture(GOLDEN / f"v{version}")
    assert capture.manifest.format_version == FORMAT_VERSION
    rows = [
        row
        for topic, partition in capture.manifest.topic_partitions()
        for batch in capture.batches(topic.name, partition.partition)
        for row in to_records(batch)
    ]
    assert rows == ROWS
    assert not failed(verify(capture.root))


def test_version_1_tells_the_same_as_on_its_first_day() -> None:
    capture = open_capture(GOLDEN / "v1")
    manifest = capture.manifest
    assert [(topic.name, len(topic.partitions), topic.records) for topic in manifest.topics] == [
        ("empty", 2, 0),
        ("orders", 3, 5),
    ]
    orders = manifest.topic("orders")
    assert orders.partitions[0].gaps == (Gap(first_offset=2, last_offset=3, missing=2, reason="compacted"),)
    assert [segment.path for segment in orders.partitions[0].segments] == [
        "records/orders/0/00000000000000000000.parquet",
        "records/orders/0/00000000000000000005.parquet",
    ]
    assert (manifest.window.from_ms, manifest.window.to_ms) == (T0, None)
    assert [note.sentence() for note in manifest.notes] == ["orders/0: 1 records of the window came late"]
    assert manifest.lineage[0].verb == "record"
    late = list(capture.records(Selection(topics=("orders",), window=Window(T0, T0 + 10))))
    assert [(row.partition, row.offset) for row in late] == [(0, 0), (2, 0)]
