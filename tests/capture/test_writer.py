"""How segments are cut, sealed and given up."""

from __future__ import annotations

import errno
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture import schema, writer
from recorder.capture.manifest import Segment
from recorder.capture.schema import RECORD_SCHEMA, record_sizes, row_group_bytes
from recorder.capture.writer import PartitionWriter, create_directory, finish
from recorder.errors import CaptureError, UsageError
from tests.builders import T0, make_capture, record, to_batch
from tests.conftest import examples

ROWS = [
    record("t", 0, T0 + i, f"k{i % 17}", bytes([i % 251]) * (i % 3_000), [(f"h{i % 3}", b"v" * (i % 9))] * (i % 3))
    for i in range(9_000)
]
BATCH = to_batch([row._replace(offset=offset) for offset, row in enumerate(ROWS)])


def write(root: Path, cuts: list[int], batch: pa.RecordBatch = BATCH, **options: int) -> list[Segment]:
    """Hand `batch` over in pieces that end at `cuts`."""
    partition = PartitionWriter(root, "t", 0, **options)  # type: ignore[arg-type]
    for start, stop in zip([0, *cuts], [*cuts, batch.num_rows], strict=True):
        partition.append(batch.slice(start, stop - start))
    partition.seal()
    return partition.segments


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut as for gigabytes, with kilobytes."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 2 << 20)
    monkeypatch.setattr(writer, "ROW_GROUP_RECORDS", 700)


@settings(max_examples=examples(8), deadline=None)
@given(cuts=st.lists(st.integers(0, len(ROWS)), max_size=30).map(sorted))
def test_the_files_are_the_same_bytes_however_records_are_handed_over(cuts: list[int]) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other, pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_BYTES", 2 << 20)
        patch.setattr(writer, "ROW_GROUP_RECORDS", 700)
        assert write(Path(one), cuts, row_group_bytes=1 << 18) == write(Path(other), [], row_group_bytes=1 << 18)


@pytest.mark.usefixtures("small")
def test_a_row_group_ends_with_the_record_that_fills_it_and_a_segment_with_its_row_group(tmp_path: Path) -> None:
    segments = write(tmp_path, [], row_group_bytes=1 << 18)
    assert len(segments) > 3
    sizes = record_sizes(BATCH)
    at = 0
    for number, segment in enumerate(segments):
        assert segment.first_offset == at
        assert segment.path == f"records/t/0/{at:020d}.parquet"
        metadata = pq.read_metadata(tmp_path / segment.path)
        in_segment = 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            filled = int(sizes[at : at + rows].sum())
            last_of_all = number == len(segments) - 1 and group == metadata.num_row_groups - 1
            assert rows == 700 or filled >= 1 << 18 or last_of_all
            assert rows <= 700
            assert filled - int(sizes[at + rows - 1]) < 1 << 18
            at += rows
            in_segment += filled
            assert (in_segment >= 2 << 20) <= (group == metadata.num_row_groups - 1)
        assert segment.last_offset == at - 1
    assert at == BATCH.num_rows


def test_writers_of_many_partitions_share_the_memory() -> None:
    assert row_group_bytes(1) == row_group_bytes(16) == schema.ROW_GROUP_BYTES
    assert row_group_bytes(320) * 320 <= schema.PENDING_BYTES
    assert row_group_bytes(100_000) == schema.SMALLEST_ROW_GROUP_BYTES


def test_what_waits_for_more_does_not_keep_the_batch_it_came_in(tmp_path: Path) -> None:
    partitions = [PartitionWriter(tmp_path, "t", number, row_group_bytes=1 << 20) for number in range(20)]
    large = to_batch([record("t", value=bytes(1_000))._replace(offset=offset) for offset in range(1_100)])
    before = pa.total_allocated_bytes()
    for partition in partitions:
        partition.append(pa.concat_batches([large.slice(0, 100), large.slice(100)]))
    held = pa.total_allocated_bytes() - before
    assert held < 20 * 300_000, held
    for partition in partitions:
        partition.abandon()


def test_statistics_hold_no_payload(tmp_path: Path) -> None:
    (segment,) = write(tmp_path, [])
    group = pq.read_metadata(tmp_path / segment.path).row_group(0)
    with_statistics = {
        group.column(i).path_in_schema for i in range(group.num_columns) if group.column(i).statistics is not None
    }
    assert with_statistics == {"offset", "timestamp_ms"}


def test_only_raw_captures_have_a_bloom_filter(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", [("t", 0, T0, f"key-{i}", "v") for i in range(500)])
    clean = make_capture(tmp_path / "clean", raw.records(), clean=True)
    sizes = [capture.manifest.topics[0].partitions[0].segments[0].bytes for capture in (raw, clean)]
    assert sizes[0] - sizes[1] > 400


def test_nothing_appears_under_its_name_before_it_is_sealed(tmp_path: Path) -> None:
    partition = PartitionWriter(tmp_path, "t", 0, row_group_bytes=1 << 16)
    partition.append(BATCH)
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".tmp"]
    partition.seal()
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".parquet"]
    partition.seal()
    assert len(partition.segments) == 1


def test_abandoning_leaves_sealed_segments_alone_and_removes_the_rest(tmp_path: Path) -> None:
    partition = PartitionWriter(tmp_path, "t", 0, row_group_bytes=1 << 16)
    partition.append(BATCH.slice(0, 4_000))
    partition.seal()
    partition.append(BATCH.slice(4_000))
    partition.abandon()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{0:020d}.parquet"]


def test_an_empty_partition_writes_no_file(tmp_path: Path) -> None:
    partition = PartitionWriter(tmp_path, "t", 0)
    assert not partition.append(BATCH.slice(0, 0))
    partition.seal()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_exists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        create_directory(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="exists already"):
        create_directory(tmp_path / "file")
    with pytest.raises(CaptureError, match="Can't create"):
        create_directory(tmp_path / "file" / "below")


def test_the_manifest_replaces_the_checkpoint(tmp_path: Path) -> None:
    manifest = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v")]).manifest
    (tmp_path / "d").mkdir()
    for name in ("checkpoint.json", "checkpoint.log"):
        (tmp_path / "d" / name).touch()
    finish(tmp_path / "d", manifest)
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["manifest.json"]


def test_the_checkpoint_of_an_interrupted_recording_stays(tmp_path: Path) -> None:
    manifest = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v")]).manifest
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "checkpoint.json").touch()
    finish(tmp_path / "d", msgspec.structs.replace(manifest, finished_by="interrupt"))
    assert {path.name for path in (tmp_path / "d").iterdir()} == {"checkpoint.json", "manifest.json"}


def test_a_failed_write_of_the_manifest_leaves_no_trace_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v")]).manifest
    (tmp_path / "d").mkdir()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CaptureError, match="the disk is full"):
        finish(tmp_path / "d", manifest)
    assert list((tmp_path / "d").iterdir()) == []


def test_every_column_is_there_in_the_order_of_the_specification(tmp_path: Path) -> None:
    (segment,) = write(tmp_path, [])
    names = pq.read_schema(tmp_path / segment.path).names
    text = (Path(writer.__file__).parent / "FORMAT.md").read_text()
    specified = [line.split("`")[1] for line in text.splitlines() if line.startswith("   | `")]
    assert names == specified == RECORD_SCHEMA.names
