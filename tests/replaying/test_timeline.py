"""From a capture to columns ready to send: order, positions, timestamps, nulls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from recorder.capture.selection import Selection
from recorder.errors import UsageError
from recorder.replaying.options import Options, Timestamps
from recorder.replaying.routes import plan_routes
from recorder.replaying.streams import Streams
from recorder.replaying.survey import Survey, survey
from recorder.replaying.timeline import Piece, Timeline
from recorder.replaying.typed import parse_remap
from recorder.window import Window
from tests.builders import T0, make_capture, record
from tests.replaying.reading import take_all

HOUR = 3_600_000


def test_trap_24_a_time_that_runs_backwards_is_clamped_counted_and_never_reordered(tmp_path: Path) -> None:
    capture = make_capture(
        tmp_path / "c",
        [
            record("a", 0, T0, value="1"),
            record("a", 0, T0 + 10, value="2"),
            record("a", 0, T0 + 4, value="3"),
            record("b", 0, T0 + 5, value="4"),
            record("a", 0, T0 + 12, value="5"),
        ],
    )
    pieces, seen, _ = _take(capture)
    assert [value for piece in pieces for value in piece.columns.values] == [b"1", b"4", b"2", b"3", b"5"]
    assert _positions(pieces) == [0, 5, 10, 10, 12]
    assert (seen.clamped, seen.wild) == (1, 0)


def test_trap_13_a_wild_timestamp_is_sent_as_it_is_but_does_not_stretch_the_replay(tmp_path: Path) -> None:
    nanoseconds = T0 * 1_000_000
    capture = make_capture(
        tmp_path / "c",
        [record("a", 0, T0), record("a", 0, nanoseconds), record("a", 0, -1), record("a", 0, T0 + 7)],
        window=Window(T0, T0 + HOUR),
    )
    pieces, seen, _ = _take(capture)
    assert _positions(pieces) == [0, 0, 0, 7]
    assert pieces[0].columns.timestamps == [T0, nanoseconds, -1, T0 + 7]
    assert (seen.clamped, seen.wild) == (0, 2)


def test_trap_21_a_timestamp_of_0_would_mean_now_and_is_sent_as_1(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("a", 0, T0), record("a", 0, 0), record("a", 0, T0 + 1)])
    pieces, _, timeline = _take(capture)
    assert pieces[0].columns.timestamps == [T0, 1, T0 + 1]
    assert timeline.raised_to_1 == 1


def test_shifted_timestamps_keep_their_distances_and_none_stays_none(tmp_path: Path) -> None:
    stamps = [T0, T0 + 5, -1, -(2**63), 2**63 - 1, 0]
    capture = make_capture(tmp_path / "c", [record("a", 0, stamp) for stamp in stamps])
    pieces, *_ = _take(capture, "shift", shift_ms=HOUR)
    low = -(2**63) + HOUR
    assert pieces[0].columns.timestamps == [T0 + HOUR, T0 + 5 + HOUR, -1, low, 2**63 - 1, HOUR]


def test_now_leaves_the_timestamp_to_the_client(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("a", 0, T0), record("a", 0, 0)])
    pieces, _, timeline = _take(capture, "now")
    assert pieces[0].columns.timestamps == [0, 0]
    assert timeline.raised_to_1 == 0


def test_trap_11_null_empty_and_absent_stay_apart(tmp_path: Path) -> None:
    headers = [("a", None), ("a", b""), ("", b"x"), ("a", None)]
    rows = [
        record("a", 0, T0, None, b""),
        record("a", 0, T0, b"", None),
        record("a", 0, T0, b"k", b"v", headers),
        record("a", 0, T0, b"k", b"v", [("last", b"1")]),
    ]
    pieces, *_ = _take(make_capture(tmp_path / "c", rows))
    columns = pieces[0].columns
    assert columns.keys == [None, b"", b"k", b"k"]
    assert columns.values == [b"", None, b"v", b"v"]
    assert columns.headers == [None, None, headers, [("last", b"1")]]
    assert pieces[0].keyed.tolist() == [False, True, True, True]


def test_pieces_are_cut_by_count_and_by_size(tmp_path: Path) -> None:
    rows = [record("a", 0, T0 + index, value=b"x" * (700_000 if index % 2 else 10)) for index in range(20)]
    pieces, *_ = _take(make_capture(tmp_path / "c", rows))
    assert all(sum(len(value or b"") for value in piece.columns.values) <= 1 << 20 for piece in pieces)
    assert [offset for piece in pieces for offset in piece.offsets.tolist()] == list(range(20))
    pieces, *_ = _take(make_capture(tmp_path / "d", rows[::2]), piece_records=3)
    assert [len(piece) for piece in pieces] == [3, 3, 3, 1]


def test_topics_can_be_mapped_even_onto_one(tmp_path: Path) -> None:
    capture = make_capture(
        tmp_path / "c", [("a", 0, T0, "k", "1"), ("b", 1, T0 + 1, "k", "2"), ("c", 0, T0 + 2, "k", "3")]
    )
    options = Options(remap=parse_remap(["a:=all", "b := all"]))
    routes = plan_routes([capture], options)
    assert routes.partitions == {"all": 2, "c": 1}
    pieces, *_ = _take(capture, options=options)
    sent = [place for piece in pieces for place in zip(piece.columns.topics, piece.columns.partitions, strict=True)]
    assert sent == [("all", 0), ("all", 1), ("c", 0)]
    assert [lane for piece in pieces for lane in piece.lanes.tolist()] == [0, 1, 2]


def test_topics_partitions_keys_and_a_window_can_be_chosen(tmp_path: Path) -> None:
    capture = make_capture(
        tmp_path / "c",
        [(name, part, T0 + at, key, name + key) for name in "abc" for part in (0, 1) for at, key in enumerate("xyz")],
    )
    selection = Selection(topics=("a", "c"), partitions=(1,), keys=(b"y", b"z"), window=Window(T0, T0 + 2))
    pieces, *_ = _take(capture, options=Options(selection=selection, excludes=["c.*"]))
    assert [value for piece in pieces for value in piece.columns.values] == [b"ay"]


@pytest.mark.parametrize("text", ["a", "a:=", ":=b", "a:=b c", "a=b", "a:=b:=c/"])
def test_a_mapping_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a mapping"):
        parse_remap([text])


def test_a_topic_can_be_mapped_once_only() -> None:
    with pytest.raises(UsageError, match="mapped twice, to b and to c"):
        parse_remap(["a:=b", "a:=c"])


def test_an_unknown_topic_is_named_with_what_is_near(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("payments.in", 0, T0, None, None)])
    with pytest.raises(UsageError, match=r"payments\.inn.*did you mean payments\.in\?"):
        plan_routes([capture], Options(remap={"payments.inn": "x"}))
    with pytest.raises(UsageError, match="No topic is left"):
        plan_routes([capture], Options(excludes=[".*"]))


def _take(
    capture: Capture,
    timestamps: Timestamps = "original",
    *,
    shift_ms: int = 0,
    piece_records: int = 256,
    options: Options | None = None,
) -> tuple[list[Piece], Survey, Timeline]:
    options = replace(options or Options(), timestamps=timestamps)
    routes = plan_routes([capture], options)
    streams = Streams(routes, options)
    seen = survey(routes, options, start_ms=T0, streams=streams)
    timeline = Timeline(streams, routes, seen, piece_records=piece_records)
    timeline.shift_ms = shift_ms
    with timeline:
        pieces = take_all(timeline)
    assert seen.records == sum(map(len, pieces))
    return pieces, seen, timeline


def _positions(pieces: list[Piece]) -> list[int]:
    return [position // 1_000_000 for piece in pieces for position in piece.positions_ns.tolist()]
