"""Records changed on their way: counted when sent, whatever was left out, added or sought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from recorder.capture.reader import Capture
from recorder.replaying.chain import provenance
from recorder.replaying.changes import Change, ChangeWatch, Outgoing, each
from recorder.replaying.options import Options
from recorder.replaying.routes import plan_routes
from recorder.replaying.streams import Streams
from recorder.replaying.survey import survey
from recorder.replaying.timeline import Piece, Timeline
from tests.builders import T0, make_capture, record
from tests.replaying.reading import take_all, values


def ten(root: Path) -> Capture:
    return make_capture(root / "c", [record("orders", 0, T0 + i, f"k{i % 3}", str(i)) for i in range(10)])


def sent(capture: Capture, changes: Sequence[Change], *, loop: int = 1, size: int = 4) -> list[Piece]:
    options = Options(loop=loop)
    routes = plan_routes([capture], options)
    streams = Streams(routes, options)
    seen = survey(routes, options, start_ms=T0, streams=streams)
    with Timeline(streams, routes, seen, piece_records=size, changes=changes) as timeline:
        return take_all(timeline)


def counted(pieces: Sequence[Piece]) -> ChangeWatch:
    watch = ChangeWatch()
    for piece in pieces:
        if piece.changed is not None:
            watch.sent(piece.changed, len(piece), piece.reached(len(piece)))
    return watch


def leave_out(*wanted: str) -> Change:
    def change(records: Outgoing) -> Outgoing:
        gone = np.isin(records.batch.column("value").to_pylist(), [one.encode() for one in wanted])
        return records.without(gone, "unwanted")

    return each(change)


def doubled(stretches: Iterator[Outgoing]) -> Iterator[Outgoing]:
    for one in stretches:
        twice = one.taken(np.repeat(np.arange(len(one)), 2))
        yield replace(twice, added=np.tile([False, True], len(one)))


def test_the_provenance_header_comes_last_and_is_counted(tmp_path: Path) -> None:
    rows = [
        record("orders", 0, T0, "k", "none"),
        record("orders", 0, T0, "k", "some", [("a", None), ("a", b""), ("b", b"\xff")]),
        record("orders", 0, T0, "k", "none"),
    ]
    pieces = sent(make_capture(tmp_path / "c", rows), [provenance("4f")])
    mark = ("blackbox-replay-id", b"4f")
    assert [headers for piece in pieces for headers in piece.columns.headers] == [
        [mark],
        [("a", None), ("a", b""), ("b", b"\xff"), mark],
        [mark],
    ]
    assert counted(pieces).counts().marked == {"header blackbox-replay-id added": 3}


def test_left_out_and_added_records_are_counted_as_their_turn_comes(tmp_path: Path) -> None:
    pieces = sent(ten(tmp_path), [leave_out("0", "4", "5", "9"), doubled])
    assert values(pieces) == [one for i in (1, 2, 3, 6, 7, 8) for one in (b"%d" % i, b"%d" % i)]
    counts = counted(pieces).counts()
    assert (counts.left_out, counts.added) == ({"unwanted": 4}, 6)
    assert [(piece.first, piece.reached(len(piece))) for piece in pieces] == [(0, 3), (3, 7), (7, 10)]
    assert pieces[0].reached(1) == 2 and pieces[0].reached(0) == 0


def test_a_pass_of_which_nothing_is_left_is_still_passed(tmp_path: Path) -> None:
    pieces = sent(ten(tmp_path), [leave_out(*map(str, range(10)))], loop=2)
    assert [(piece.lap, len(piece), piece.first, piece.reached(0)) for piece in pieces] == [
        (0, 0, 0, 10),
        (1, 0, 0, 10),
    ]
    assert counted(pieces).counts().left_out == {"unwanted": 20}
