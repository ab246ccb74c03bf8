"""Pass after pass: each is anchored where the last one ended by the plan, so a hundred drift no more than one."""

from __future__ import annotations

import pytest

from recorder.replaying.conduct import Conduct
from recorder.replaying.control import Pause, Resume, Seek
from tests.replaying.stage import MS, FakeTime, Pieces, play


@pytest.mark.parametrize("rate", [0.25, 0.5, 1.0, 8.0])
def test_a_loop_keeps_the_rate_also_below_1(rate: float) -> None:
    played = play(Pieces(range(0, 100, 10), laps=3), rate=rate)
    assert played.numbers == [*range(10)] * 3
    assert played.target.times_ms == pytest.approx(
        [(lap * 90 + 10 * at) / rate for lap in range(3) for at in range(10)], abs=1e-6
    )
    assert [anchor.why for anchor in played.clock.anchors] == ["start", "loop", "loop"]


def test_the_delay_between_passes_is_real_time() -> None:
    played = play(Pieces(range(0, 100, 10), laps=2), rate=2.0, conduct=Conduct(loop_delay_ns=500 * MS))
    assert played.target.times_ms[9] == 45.0
    assert played.target.times_ms[10] == 545.0


def test_trap_23_a_hundred_passes_drift_no_more_than_one() -> None:
    time = FakeTime(overshoot_ns=80_000)
    played = play(Pieces(range(0, 100, 10), laps=100), time=time, stall=lambda value: 20_000)
    assert played.tally.last_lateness_ns < 0.2 * MS
    assert played.target.times_ms[-1] < 100 * 90 + 0.2


def test_passes_that_are_late_are_charged_from_the_plan() -> None:
    played = play(Pieces(range(0, 100, 10), laps=5), stall=lambda value: 20 * MS)
    assert played.tally.last_lateness_ns > 400 * MS


def test_a_delay_at_top_speed() -> None:
    played = play(Pieces(range(10), laps=2), rate=None, conduct=Conduct(loop_delay_ns=500 * MS))
    assert played.target.times_ms == [0.0] * 10 + [500.0] * 10


def test_a_pause_in_the_delay_keeps_what_is_left_of_it() -> None:
    script = [(200, Pause()), (1_000, Resume())]
    played = play(Pieces(range(0, 100, 10), laps=2), script=script, conduct=Conduct(loop_delay_ns=500 * MS))
    assert played.target.times_ms[10] == pytest.approx(590 + 800, abs=51)


def test_without_end_until_stopped() -> None:
    played = play(Pieces(range(0, 100, 10), laps=1_000_000), script=[(1_000, "stop")])
    assert played.ending == "interrupt"
    assert 105 <= len(played.numbers) <= 125


def test_records_sent_again_in_the_next_pass_are_no_repeats_but_those_after_a_seek_are() -> None:
    played = play(Pieces(range(0, 100, 10), laps=3), script=[(155, Seek(20))])
    assert played.player.coverage.repeated == len(played.numbers) - 30
    assert played.player.coverage.skipped == 0
