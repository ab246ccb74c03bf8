"""A change of rate goes on from the present position: nothing jumps, nothing is sent twice."""

from __future__ import annotations

import pytest

from recorder.replaying.control import Rate
from tests.replaying.stage import MS, Pieces, play


@pytest.mark.parametrize("rate", [0.1, 0.5, 3.0, 50.0])
def test_trap_23_the_rest_is_due_by_the_new_rate_from_where_it_was_changed(rate: float) -> None:
    played = play(Pieces(range(0, 2_000, 10)), script=[(505, Rate(rate))])
    assert played.numbers == list(range(200))
    start, changed = played.clock.anchors
    assert (start.why, changed.why, changed.rate) == ("start", "rate", rate)
    assert changed.position_ns == changed.after_ns  # at rate 1 until then
    for index, at in enumerate(played.target.times_ms):
        if at > changed.after_ns / MS:
            planned = changed.after_ns + (index * 10 * MS - changed.position_ns) / rate
            assert at * MS == pytest.approx(planned, abs=1)
    assert played.tally.dispatch_lateness.max_ns <= 1


def test_a_rate_can_be_relative() -> None:
    played = play(Pieces(range(0, 500, 10)), rate=2.0, script=[(105, Rate(1.5, relative=True))])
    assert played.clock.rate == 3.0


def test_a_rate_beyond_reason_is_refused_and_nothing_changes() -> None:
    played = play(Pieces(range(0, 500, 10)), script=[(105, Rate(1e9))])
    assert played.refused
    assert "is not a rate" in played.refused[0]
    assert [anchor.why for anchor in played.clock.anchors] == ["start"]


def test_top_speed_has_no_rate_to_change() -> None:
    played = play(Pieces(range(5_000)), rate=None, script=[(0, Rate(2.0))])
    assert "top speed" in played.refused[0]
    assert len(played.numbers) == 5_000
