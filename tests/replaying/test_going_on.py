"""A timeline that goes on: from any point and with any beginning passed over, the rest comes once and in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recorder.replaying.changes import Changed
from recorder.replaying.coverage import Coverage, Covered, gone_on
from recorder.replaying.options import Options, Point
from recorder.replaying.present import skipping
from recorder.replaying.routes import plan_routes
from recorder.replaying.streams import Streams
from recorder.replaying.survey import survey
from recorder.replaying.timeline import Piece, Timeline
from tests.builders import T0, make_capture, record
from tests.replaying.reading import take_all
from tests.replaying.stage import Pieces, play

LAPS = 3


@pytest.mark.parametrize("options", [Options(loop=LAPS), Options(loop=LAPS, start=Point(40, relative=True))])
@pytest.mark.parametrize("noted", [(0, 0), (0, 57), (1, 0), (1, 130), (2, 3)])
@pytest.mark.parametrize("further", [0, 1, 60, 155, 260])
def test_the_rest_comes_once_in_order_and_every_record_has_its_turn(
    tmp_path: Path, options: Options, noted: tuple[int, int], further: int
) -> None:
    rows = [record("orders", at % 3, T0 + at, "k", str(at)) for at in range(150)]
    rows += [record("audit", 0, T0 + 149 - at % 2, "k", f"a{at}") for at in range(10)]
    routes = plan_routes([make_capture(tmp_path / "c", rows, segment_records=20)], options)
    streams = Streams(routes, options)
    seen = survey(routes, options, start_ms=T0, streams=streams)
    first, count = seen.first_number, seen.records
    begin = (noted[0], max(noted[1], first))

    with Timeline(streams, routes, seen, piece_records=7) as timeline:
        whole = take_all(timeline)
    order = [
        (piece.lap, number, lane, value)
        for piece in whole
        for number, lane, value in zip(piece.numbers.tolist(), piece.lanes.tolist(), piece.columns.values, strict=True)
    ]
    assert len(order) == LAPS * count
    left = order[next(at for at, one in enumerate(order) if one[:2] >= begin) :]
    lanes = np.bincount([lane for _, _, lane, _ in left[:further]], minlength=routes.lanes)
    if further > 5:  # of one lane less is there
        lanes[0] -= 2
    passed, wanted = lanes.copy(), []
    for one in left:
        passed[one[2]] -= 1
        if passed[one[2]] < 0:
            wanted.append(one)

    coverage = gone_on(Covered(), (0, first), begin, first, count)
    got, lap = [], begin[0]
    with Timeline(streams, routes, seen, piece_records=7, begin=begin, skip=skipping(lanes, routes)) as timeline:
        start = timeline.first()
        pieces = take_all(timeline)
    assert start is not None
    for piece in pieces:
        if piece.lap != lap:
            coverage.finish(first, first + count)
            lap = piece.lap
        coverage.add(piece.first, piece.reached(len(piece)))
        got += [
            (piece.lap, *one)
            for one in zip(piece.numbers.tolist(), piece.lanes.tolist(), piece.columns.values, strict=True)
        ]
    coverage.finish(first, first + count)
    assert got == wanted
    assert (coverage.covered, coverage.skipped, coverage.repeated) == (LAPS * count, 0, 0)
    assert Coverage(coverage.known).known == coverage.known


def test_a_last_piece_of_which_nothing_is_sent_counts_also_when_it_waited() -> None:
    class EndsEmpty(Pieces):
        """Its last record is left out."""

        def take(self) -> Piece | None:
            piece = super().take()
            if piece is None or self._left:
                return piece
            empty = np.zeros(0, np.int64)
            changed = Changed(numbers=empty, added=empty > 0, stop=piece.first + 1, marks={}, left_out={})
            return replace(piece, positions_ns=empty, changed=changed)

    performance = play(EndsEmpty([0, 10, 20], size=1))
    assert performance.numbers == [0, 1]
    assert performance.player.coverage.covered == 3
