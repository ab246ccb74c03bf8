"""Where the longer steps lead: to the next dead letter, to the next slice of time."""

from __future__ import annotations

from bisect import bisect_right

from recorder.query.timeline import Place, Timeline
from recorder.tui.lines import is_dead_letter


def to_dead_letter(kept: Timeline, place: Place, direction: int) -> int | None:
    """The number in `kept` of the next (1) or previous (-1) dead letter, of the last there is; None: there is none."""
    dead = kept.only(lambda stream: is_dead_letter(stream.topic))
    if not len(dead):
        return None
    position = dead.position_of(place)
    here = dead.places(position, 1) == [place]
    position += (1 if here else 0) if direction > 0 else -1
    return kept.position_of(dead.places(max(0, min(position, len(dead) - 1)), 1)[0])


def to_slice(kept: Timeline, place: Place, direction: int, edges: list[int]) -> int:
    """The number of the first record of the next (1) or previous (-1) slice between `edges`."""
    at = bisect_right(edges, place.effective_ms) - 1 + direction
    position = kept.position_at(edges[max(0, min(at, len(edges) - 1))])
    return min(position, kept.position_of(place) - 1) if direction < 0 else position
