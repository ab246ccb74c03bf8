"""Seeks and passes read the timeline again as it was: the same records, in the same order, at the same positions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.schema import Record
from recorder.replaying import checkpoints
from recorder.replaying.options import IntraMs, Options, Point
from recorder.window import Window
from tests.builders import T0, make_capture, record
from tests.conftest import examples
from tests.replaying.reading import opened, places, take_all

WILD = [-1, 0, T0 * 1_000_000]


@st.composite
def captures(draw: st.DrawFn) -> list[Record]:
    """Partitions whose times jump, stand still, run backwards and go wild."""
    rows = []
    for partition in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, 500))
        for _ in range(draw(st.integers(0, 60))):
            at += draw(st.sampled_from([0, 0, 1, 7, 90, -5]))
            stamp = draw(st.sampled_from([T0 + at] * 9 + WILD))
            rows.append(record("a", partition, stamp, "k", str(len(rows))))
    return rows


@settings(max_examples=examples(10), deadline=None)
@given(captures(), st.lists(st.integers(-10, 1_200), max_size=4), st.sampled_from([None, 20]), st.booleans())
def test_from_any_moment_the_rest_is_what_it_was(
    rows: list[Record], moments: list[int], max_gap_ms: int | None, spread: bool
) -> None:
    intra_ms: IntraMs = "spread" if spread else "burst"
    options = Options(max_gap_ms=max_gap_ms, intra_ms=intra_ms)
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr("recorder.capture.merge._ROUND_RECORDS", 16)  # a checkpoint every few records
        capture = make_capture(
            Path(directory) / "c", rows, segment_records=13, window=Window(T0, T0 + 10_000), topics={"a": 1}
        )
        with opened([capture], options) as timeline:
            whole = places(take_all(timeline))
            for moment in moments:
                timeline.seek(T0 + moment, 0)
                assert places(take_all(timeline)) == [place for place in whole if place.time_ms >= T0 + moment]
    assert [place.number for place in whole] == list(range(len(rows)))


@pytest.mark.parametrize("spread", ["burst", "spread"])
def test_every_pass_is_the_same(tmp_path: Path, spread: IntraMs) -> None:
    rows = [record("a", at % 3, T0 + at // 2, "k", str(at)) for at in range(500)]
    options = Options(loop=3, intra_ms=spread, start=Point(50, relative=True), end=Point(200, relative=True))
    with opened([make_capture(tmp_path / "c", rows)], options) as timeline:
        found = places(take_all(timeline))
    passes = [[place for place in found if place.lap == lap] for lap in range(3)]
    assert [place._replace(lap=0) for place in passes[2]] == passes[0]
    assert [place.time_ms for place in passes[0]] == [T0 + at // 2 for at in range(100, 400)]
    assert passes[0][0].position_ns == 0
    assert passes[0][0].number == 100


def test_a_pass_without_end_reads_no_further_than_its_bound(tmp_path: Path) -> None:
    rows = [record("a", 0, T0 + at, "k", b"x" * 1_000) for at in range(2_000)]
    with opened([make_capture(tmp_path / "c", rows)], Options(loop=0, read_ahead_bytes=1 << 20)) as timeline:
        pieces = take_all(timeline, most=40)
    assert pieces[-1].lap >= 3


def test_there_are_few_checkpoints_however_long_the_timeline_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_MOST", 32)
    kept = checkpoints.Checkpoints(1)
    for at in range(10_000):
        times = np.arange(at * 10, at * 10 + 10)
        kept.pass_batch(np.zeros(10, np.int64), times, times, checkpoints.Place(0, int(times[-1]), 0))
    assert len(kept._kept) <= 32
    found = kept.before(50_000)
    assert found is not None
    assert 40_000 < found.effective_ms < 50_000
    assert found.first == found.effective_ms + 1
    assert kept.before(0) is None
