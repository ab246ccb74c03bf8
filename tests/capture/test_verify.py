"""Whatever is done to a capture, `verify` names it, and reading never gives out what is wrong in silence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.capture.reader import Capture, open_capture
from recorder.capture.verify import Check, failed, verify
from recorder.errors import CaptureError, UsageError
from tests.builders import T0, make_capture, record
from tests.conftest import examples

Tree = dict[str, Any]


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    rows = [record("t", i % 2, T0 + i, f"k{i}", f"value {i} " * 20, [("h", b"v")]) for i in range(200)]
    rows += [record("t", 0, T0 + 900, "last", "v", offset=150)]
    return make_capture(tmp_path / "c", rows, topics={"empty": 1}, segment_records=40)


def failures(checks: list[Check]) -> list[tuple[str, str]]:
    return [(check.where, check.detail) for check in checks if check.status == "FAILED"]


def segments(capture: Capture) -> list[Path]:
    return sorted(capture.root.rglob("*.parquet"))


def edit(capture: Capture, change: Callable[[Tree], None]) -> None:
    """Alter the manifest as somebody with an editor would."""
    path = capture.root / "manifest.json"
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def first_partition(tree: Tree) -> Tree:
    return next(t for t in tree["topics"] if t["name"] == "t")["partitions"][0]  # type: ignore[no-any-return]


def test_a_whole_capture_passes_every_check(capture: Capture) -> None:
    checks = verify(capture.root)
    assert {check.status for check in checks} == {"PASSED"}
    assert {check.name for check in checks} == {"manifest", "files", "ledger", "segments"}


def test_worker_processes_find_the_same(capture: Capture) -> None:
    segments(capture)[2].unlink()
    told: list[int] = []
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as executor:
        assert verify(capture.root, executor=executor, progress=told.append) == verify(capture.root)
    assert sum(told) == sum(s.bytes for _, p in capture.manifest.topic_partitions() for s in p.segments)


def test_a_missing_segment_is_named(capture: Capture) -> None:
    gone = segments(capture)[1]
    gone.unlink()
    checks = verify(capture.root)
    assert failures(checks) == [(gone.relative_to(capture.root).as_posix(), "is missing")]
    assert [(c.name, c.where) for c in checks if c.status == "SKIPPED"] == [("ledger", "t/0")]
    with pytest.raises(CaptureError, match=f"{gone.name} is missing"):
        list(capture.records())


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(capture: Capture, place: float, bit: int) -> None:
    victim = segments(capture)[0]
    sound = victim.read_bytes()
    torn = bytearray(sound)
    torn[int(place * len(torn))] ^= 1 << bit
    victim.write_bytes(torn)
    try:
        ((where, detail),) = failures(verify(capture.root))
        assert where == victim.relative_to(capture.root).as_posix()
        assert "SHA-256" in detail
    finally:
        victim.write_bytes(sound)


@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_reading_a_torn_segment_gives_the_true_payloads_or_a_sentence(capture: Capture, place: float, bit: int) -> None:
    victim = segments(capture)[0]
    sound = victim.read_bytes()
    truth = {row.value for row in capture.records()}
    torn = bytearray(sound)
    torn[int(place * len(torn))] ^= 1 << bit
    victim.write_bytes(torn)
    try:
        found = {row.value for row in capture.records()}
        assert found <= truth
    except CaptureError as error:
        assert victim.name in str(error)
    finally:
        victim.write_bytes(sound)


@pytest.mark.parametrize("keep", [0, 3, 4, 100, -1, -9])
def test_a_cut_segment_is_named(capture: Capture, keep: int) -> None:
    victim = segments(capture)[0]
    victim.write_bytes(victim.read_bytes()[:keep])
    ((where, detail),) = failures(verify(capture.root))
    assert where.endswith(victim.name)
    assert "bytes long" in detail
    with pytest.raises(CaptureError, match=f"{victim.name} is torn or altered"):
        list(capture.records())


def test_a_file_that_was_added_is_named(capture: Capture) -> None:
    added = capture.root / "records" / "t" / "0" / f"{7:020d}.parquet"
    added.write_bytes(segments(capture)[0].read_bytes())
    (capture.root / "notes.txt").write_text("hello")
    assert [where for where, _ in failures(verify(capture.root))] == [
        "notes.txt",
        added.relative_to(capture.root).as_posix(),
    ]


def test_a_link_is_named_also_in_place_of_a_segment(capture: Capture, tmp_path: Path) -> None:
    victim = segments(capture)[0]
    moved = victim.rename(tmp_path / "elsewhere.parquet")
    victim.symlink_to(moved)
    (capture.root / "more").symlink_to(tmp_path)
    found = failures(verify(capture.root))
    assert [where for where, _ in found] == ["more", victim.relative_to(capture.root).as_posix()]
    assert all("is a link" in detail for _, detail in found)


def test_what_writing_left_behind_is_a_warning(capture: Capture) -> None:
    (capture.root / "checkpoint.json").write_text("{}")
    (capture.root / "records" / "t" / "0" / "x.parquet.tmp").write_text("")
    checks = verify(capture.root)
    assert not failed(checks)
    assert [c.where for c in checks if c.status == "WARNING"] == ["checkpoint.json", "records/t/0/x.parquet.tmp"]


def _drop_gap(tree: Tree) -> None:
    first_partition(tree)["gaps"].pop()


def _move_gap(tree: Tree) -> None:
    gap = first_partition(tree)["gaps"][-1]
    gap["first_offset"], gap["last_offset"] = gap["first_offset"] - 5, gap["last_offset"] - 5


def _overlap_gaps(tree: Tree) -> None:
    gaps = first_partition(tree)["gaps"]
    half = dict(gaps[-1], missing=gaps[-1]["missing"] // 2)
    gaps[-1:] = [half, dict(half, missing=gaps[-1]["missing"] - half["missing"])]


def _shift(field: str, by: int = 1) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        first_partition(tree)[field] += by

    return change


def _drop_segment(tree: Tree) -> None:
    first_partition(tree)["segments"].pop(1)


def _reorder_segments(tree: Tree) -> None:
    first_partition(tree)["segments"].reverse()


@pytest.mark.parametrize(
    "change",
    [
        _drop_gap,
        _move_gap,
        _overlap_gaps,
        _drop_segment,
        _reorder_segments,
        _shift("records"),
        _shift("records", -1),
        _shift("start_offset"),
        _shift("end_offset", -1),
        _shift("end_offset", 10),
        _shift("payload_bytes"),
        _shift("min_timestamp_ms"),
        _shift("max_timestamp_ms"),
    ],
    ids=lambda change: getattr(change, "__qualname__", ""),
)
def test_a_manifest_that_tells_other_than_the_segments_fails(capture: Capture, change: Callable[[Tree], None]) -> None:
    edit(capture, change)
    found = failures(verify(capture.root))
    assert found
    assert {where for where, _ in found} <= {
        "t/0",
        *(p.relative_to(capture.root).as_posix() for p in segments(capture)),
    }


@pytest.mark.parametrize(
    "field", ["sha256", "bytes", "records", "first_offset", "last_offset", "min_timestamp_ms", "max_timestamp_ms"]
)
def test_a_segment_that_is_not_as_described_fails(capture: Capture, field: str) -> None:
    def change(tree: Tree) -> None:
        segment = first_partition(tree)["segments"][0]
        segment[field] = "0" * 64 if field == "sha256" else segment[field] + 1

    edit(capture, change)
    assert any(where.endswith(".parquet") for where, _ in failures(verify(capture.root)))


def _replace_segment(capture: Capture, table: pa.Table) -> None:
    """A forger writes another segment and its true hash, size and facts."""
    victim = segments(capture)[0]
    pq.write_table(table, victim, compression="zstd")
    offsets = [offset for offset in table.column("offset").to_pylist() if isinstance(offset, int)]

    def change(tree: Tree) -> None:
        segment = first_partition(tree)["segments"][0]
        segment["bytes"] = victim.stat().st_size
        segment["sha256"] = hashlib.sha256(victim.read_bytes()).hexdigest()
        segment["records"] = table.num_rows
        if offsets:
            segment["first_offset"], segment["last_offset"] = offsets[0], offsets[-1]

    edit(capture, change)


def _with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (lambda t: _with_column(t, "topic", pa.array(["u"] * len(t))), "holds topic 'u'"),
        (lambda t: _with_column(t, "partition", pa.array([9] * len(t), pa.int32())), "holds partition 9"),
        (lambda t: _with_column(t, "timestamp_type", pa.array(["x"] * len(t))), "holds timestamp_type 'x'"),
        (lambda t: _with_column(t, "offset", pa.array(list(range(len(t)))[::-1], pa.int64())), "don't increase"),
        (lambda t: _with_column(t, "offset", pa.array([None] * len(t), pa.int64())), "can't be read"),
        (lambda t: _with_column(t, "topic", pa.array([b"\xff"] * len(t)).view(pa.string())), "can't be read"),
        (lambda t: t.drop_columns(["headers"]), "has the columns"),
        (lambda t: t.append_column("extra", pa.array([1] * len(t))), "has the columns"),
        (lambda t: _with_column(t, "offset", pa.array(["x"] * len(t))), "can't be read"),
        (lambda t: t.slice(0, 0), "records found"),
    ],
    ids=["topic", "partition", "type", "order", "null", "utf-8", "fewer", "more", "text", "none"],
)
def test_a_forged_segment_with_a_true_hash_fails(
    capture: Capture, forge: Callable[[pa.Table], pa.Table], why: str
) -> None:
    table = forge(pq.read_table(segments(capture)[0]))
    _replace_segment(capture, table)
    assert why in " ".join(detail for _, detail in failures(verify(capture.root)))


def test_loss_is_a_warning_that_says_how_much(capture: Capture) -> None:
    def change(tree: Tree) -> None:
        partition = first_partition(tree)
        partition["gaps"][-1]["reason"] = "unread"
        partition["headers_lost"] = [3, 5]

    edit(capture, change)
    checks = verify(capture.root)
    assert not failed(checks)
    assert [(c.name, c.where, c.detail) for c in checks if c.status == "WARNING"] == [
        ("ledger", "t/0", "50 offsets unread"),
        ("headers", "t/0", "headers of 2 records were not readable"),
    ]


@pytest.mark.parametrize("keep", [0, 1, 500, -3])
def test_a_cut_manifest_is_named(capture: Capture, keep: int) -> None:
    path = capture.root / "manifest.json"
    path.write_bytes(path.read_bytes()[:keep])
    ((where, detail),) = failures(verify(capture.root))
    assert where == str(path)
    assert "torn or altered" in detail
    with pytest.raises(CaptureError, match="torn or altered"):
        open_capture(capture.root)


def test_an_unfinished_recording_is_refused_and_says_so(capture: Capture) -> None:
    (capture.root / "manifest.json").rename(capture.root / "checkpoint.json")
    with pytest.raises(CaptureError, match="is an unfinished recording"):
        open_capture(capture.root)
    ((_, detail),) = failures(verify(capture.root))
    assert "unfinished recording" in detail


def test_a_path_that_is_no_capture_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="does not exist"):
        verify(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is a file"):
        verify(tmp_path / "file")
    with pytest.raises(CaptureError, match="is not a capture"):
        open_capture(tmp_path)
