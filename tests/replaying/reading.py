"""Reading timelines to their end, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from recorder.capture.reader import Capture
from recorder.replaying.options import Options
from recorder.replaying.routes import plan_routes
from recorder.replaying.streams import Streams
from recorder.replaying.survey import Survey, survey
from recorder.replaying.timeline import Piece, Timeline
from tests.builders import T0


class Place(NamedTuple):
    """Where a record lies on the timeline."""

    lap: int
    number: int
    position_ns: int
    time_ms: int
    partition: int
    offset: int


@contextmanager
def opened(captures: Sequence[Capture], options: Options | None = None) -> Iterator[Timeline]:
    """The captures' timeline, after a survey."""
    options = options or Options()
    routes = plan_routes(captures, options)
    streams = Streams(routes, options)
    with Timeline(streams, routes, survey(routes, options, start_ms=T0, streams=streams)) as timeline:
        yield timeline


def looked(captures: Sequence[Capture], options: Options) -> Survey:
    return survey(plan_routes(captures, options), options, start_ms=T0)


def take_all(timeline: Timeline, most: int | None = None) -> list[Piece]:
    """All pieces that are left (or so many) of a timeline that was entered."""
    pieces: list[Piece] = []
    while most is None or len(pieces) < most:
        timeline.wait()
        piece = timeline.take()
        if piece is None:
            assert timeline.finished
            break
        pieces.append(piece)
    return pieces


def values(pieces: Sequence[Piece]) -> list[bytes | None]:
    return [value for piece in pieces for value in piece.columns.values]


def places(pieces: Sequence[Piece]) -> list[Place]:
    return [
        Place(piece.lap, piece.first + row, *(int(column[row]) for column in columns))
        for piece in pieces
        for columns in [(piece.positions_ns, piece.times_ms, piece.source_partitions, piece.offsets)]
        for row in range(len(piece))
    ]
