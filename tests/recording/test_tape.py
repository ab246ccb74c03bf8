"""One partition on its way into the capture: what is kept, what is late, where the window is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture import writer as writer_module
from recorder.capture.manifest import Partition
from recorder.capture.schema import ROW_GROUP_BYTES, Record
from recorder.recording import tape as tape_module
from recorder.recording.journal import Sealed, unpack_rows
from recorder.recording.plan import Plan, Span
from recorder.recording.tape import Tape
from recorder.window import Window
from tests.builders import record, to_batch

SLACK = 10
WINDOW = Window(100, 200)
SURE = 4
TIMES = st.integers(90, 215) | st.sampled_from([-(2**63), -1, 2**63 - 1, 10**15])


def tape(
    root: Path,
    *,
    start: int = 0,
    end: int | None = 10**6,
    hint: int | None = None,
    slack: int | None = SLACK,
    log_start: int = 0,
) -> Tape:
    plan = Plan(
        {},
        {("t", 0): Span(start, end, hint, log_start, WINDOW, None if end is not None else WINDOW.to_ms)},
        WINDOW,
        slack,
    )
    return Tape(root, ("t", 0), plan, ROW_GROUP_BYTES)


def rows(times: list[int], start: int = 0) -> list[Record]:
    return [record("t", 0, time, offset=start + i) for i, time in enumerate(times)]


def over_after(times: list[int]) -> int:
    """How many records are taken until `SURE` in a row lie beyond the window and its slack."""
    run = 0
    for taken, time in enumerate(times, start=1):
        run = run + 1 if time >= 200 + SLACK else 0
        if run == SURE:
            return taken
    return len(times)


@settings(deadline=None)
@given(times=st.lists(TIMES, max_size=60), cuts=st.lists(st.integers(0, 60), max_size=8).map(sorted))
def test_where_the_window_is_over_depends_on_the_records_alone(times: list[int], cuts: list[int]) -> None:
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tape_module, "SURE_RECORDS", SURE)
        one = tape(Path(directory))
        everything = rows(times)
        for start, stop in zip([0, *cuts], [*cuts, len(times)], strict=True):
            if everything[start:stop]:
                one.append(to_batch(everything[start:stop]), [])
        taken = over_after(times)
        assert one.end in (10**6, taken)
        assert one.ledger.position == taken
        kept = [time for time in times[:taken] if time in WINDOW]
        assert one.records == len(kept)
        one.cut_short(one.ledger.position)
        one.writer.seal()
        described = one.describe()
        assert described.records == len(kept)
        assert described.end_offset - described.start_offset == len(kept) + sum(gap.missing for gap in described.gaps)


def test_what_the_log_no_longer_holds_has_expired(tmp_path: Path) -> None:
    one = tape(tmp_path, start=5, end=20, log_start=8)
    one.append(to_batch(rows([150] * 4, start=8)), [])
    one.cut_short(20)
    one.writer.seal()
    described = one.describe()
    assert (described.start_offset, described.records, described.missing("expired")) == (5, 4, 3)
    gone = tape(tmp_path, start=5, end=7, log_start=8)
    gone.writer.seal()
    assert (gone.describe().end_offset, gone.describe().missing("expired")) == (7, 2)


def test_late_is_what_comes_after_the_windows_end_clocks_far_ahead_aside(tmp_path: Path) -> None:
    one = tape(tmp_path, slack=None)
    one.append(to_batch(rows([150, 10**12, 160, 205, 170, 150, 220, 199])), [])
    assert one.late == (3, 20)


def test_records_outside_the_span_are_somebody_elses(tmp_path: Path) -> None:
    one = tape(tmp_path, start=5, end=8)
    one.append(to_batch(rows([150] * 10)), [2, 6, 9])
    one.append(to_batch(rows([150] * 10)), [])
    one.writer.seal()
    described = one.describe()
    assert (described.start_offset, described.end_offset, described.records) == (5, 8, 3)
    assert described.headers_lost == (6,)


def test_headers_lost_of_a_record_that_is_not_kept_are_no_loss(tmp_path: Path) -> None:
    one = tape(tmp_path)
    one.append(to_batch(rows([50, 150])), [0])
    assert one.describe().headers_lost == ()


@pytest.mark.parametrize(
    ("times", "hint", "unread"),
    [
        ([150] * 3, None, 997),  # the end was not in sight: all the rest is unread
        ([150] * 3, 10, 7),  # up to where the window ends by time
        ([150] * 3 + [300], 2, 0),  # past that point, and what came last lies beyond
        ([300, 150, 150], 0, 997),  # past that point, but it came too early
    ],
)
def test_what_is_unread_when_reading_ends_early(
    tmp_path: Path, times: list[int], hint: int | None, unread: int
) -> None:
    one = tape(tmp_path, end=1_000, hint=hint)
    one.append(to_batch(rows(times)), [])
    one.cut_short(len(times))
    assert one.describe().missing("unread") == unread


def test_a_live_partition_that_is_cut_short_ends_where_it_stands(tmp_path: Path) -> None:
    one = tape(tmp_path, end=None)
    one.append(to_batch(rows([150, 500, 600, 700, 800, 900])), [])
    one.cut_short(9)
    one.ledger.explain(np.empty(0, np.int64), "control")
    described = one.describe()
    assert (described.end_offset, described.missing("unread"), described.missing("control")) == (9, 0, 3)


def pieces(records: list[Record], cuts: list[int]) -> Iterator[list[Record]]:
    for start, stop in zip([0, *cuts], [*cuts, len(records)], strict=True):
        if records[start:stop]:
            yield records[start:stop]


def write(one: Tape, records: list[Record], cuts: list[int], until: int = 10**9) -> list[Sealed]:
    """Give the records to a tape in pieces, `until` so many were given; the lines of the journal."""
    lines: list[Sealed] = []
    for piece in pieces(records, cuts):
        if until <= 0 or (one.end is not None and one.ledger.position >= one.end):
            return lines
        lost = [record.offset for record in piece if record.offset % 7 == 0]
        lines += one.append(to_batch(piece), lost)
        until -= len(piece)
    return lines


CUTS = st.lists(st.integers(0, 60), max_size=8).map(sorted)


@settings(deadline=None)
@given(
    log=st.lists(st.tuples(st.integers(1, 3), TIMES | st.just(150)), max_size=60),
    first_cuts=CUTS,
    second_cuts=CUTS,
    killed_after=st.integers(0, 60),
    rested=st.booleans(),
)
def test_a_tape_that_is_restored_from_its_lines_ends_as_an_undisturbed_one(
    log: list[tuple[int, int]], first_cuts: list[int], second_cuts: list[int], killed_after: int, rested: bool
) -> None:
    offsets = np.cumsum([step for step, _ in log]).tolist()
    everything = [
        record("t", 0, time, value="x" * 40, offset=offset) for offset, (_, time) in zip(offsets, log, strict=True)
    ]
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tape_module, "SURE_RECORDS", SURE)
        patch.setattr(writer_module, "SEGMENT_BYTES", 200)

        def new(name: str) -> Tape:
            plan = Plan({}, {("t", 0): Span(0, 200, None, 0, WINDOW)}, WINDOW, SLACK)
            root = Path(directory, name)
            root.mkdir(exist_ok=True)
            return Tape(root, ("t", 0), plan, 100)

        undisturbed = new("a")
        write(undisturbed, everything, first_cuts)
        undisturbed.finish()

        killed = new("b")
        lines = write(killed, everything, first_cuts, until=killed_after)
        if rested:
            lines.append(killed.rest())
        killed.writer.abandon()
        resumed = new("b")
        for line in lines:
            resumed.restore(line)
        write(resumed, [one for one in everything if one.offset >= resumed.ledger.position], second_cuts)
        resumed.finish()
        if rested:  # the rest was sealed before its segment was full
            assert records_of(resumed) == records_of(undisturbed)
            assert without_segments(resumed) == without_segments(undisturbed)
        else:
            assert resumed.describe() == undisturbed.describe()
        assert resumed.late == undisturbed.late
        assert resumed.records == undisturbed.records


def records_of(one: Tape) -> list[int]:
    paths = [one.writer.root / segment.path for segment in one.writer.segments]
    return [offset for path in paths for offset in pq.read_table(path).column("offset").to_pylist()]


def without_segments(one: Tape) -> Partition:
    return msgspec.structs.replace(one.describe(), segments=())


def test_a_line_tells_nothing_of_what_came_after_its_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 1)
    plan = Plan({}, {("t", 0): Span(0, 100, None, 0, WINDOW)}, WINDOW, SLACK)
    one = Tape(tmp_path, ("t", 0), plan, 3)
    times = [150, 50, 150, 150, 50, 150, 205, 150, 150]
    records = [record("t", 0, time, value="x", offset=offset) for offset, time in enumerate(times)]
    first, second = one.append(to_batch(records), [2, 7, 8])
    assert (first.position, first.headers_lost, first.late_records) == (4, (2,), 0)
    assert (second.position, second.headers_lost, second.late_records) == (9, (7, 8), 2)
    assert not first.done
    assert first.segment is not None
    assert (tmp_path / first.segment.path).exists()
    assert unpack_rows(first.rows)[:, 0].tolist() == [1]
    last = one.finish()
    assert (last.position, last.segment, last.done) == (100, None, True)
