"""Reading a timeline to its end, for tests."""

from __future__ import annotations

from recorder.replaying.timeline import Piece, Timeline


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
