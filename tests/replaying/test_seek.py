"""A seek goes on from another moment, and the accounts say what was sent again and what never."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from recorder.errors import UsageError
from recorder.replaying.control import Control, Pause, Resume, Seek, Status
from tests.builders import T0
from tests.conftest import wait_until
from tests.replaying.stage import MS, Pieces, play


def test_forward_leaves_out_and_counts_what_lies_between() -> None:
    played = play(Pieces(range(0, 1_000, 10)), script=[(105, Seek(500))])
    assert played.numbers == [*range(11), *range(50, 100)]
    assert (played.player.coverage.skipped, played.player.coverage.repeated) == (39, 0)
    assert played.clock.anchors[-1].position_ns == 500 * MS
    assert played.tally.dispatch_lateness.max_ns <= 1


def test_back_sends_again_and_counts_it() -> None:
    played = play(Pieces(range(0, 1_000, 10)), script=[(505, Seek(300))])
    assert played.numbers == [*range(51), *range(30, 100)]
    assert (played.player.coverage.skipped, played.player.coverage.repeated) == (0, 21)
    # Sent again is not out of order: the target's offsets rise with what we sent.
    assert played.tally.order.partition_inversions == 0


def test_back_and_forth_and_back_adds_up() -> None:
    script = [(105, Seek(500)), (205, Seek(50)), (305, Seek(800))]
    played = play(Pieces(range(0, 1_000, 10)), script=script)
    coverage = played.player.coverage
    assert len(played.numbers) == len(set(played.numbers)) + coverage.repeated
    assert coverage.covered == len(set(played.numbers))
    assert coverage.covered + coverage.skipped == 100


def test_a_moment_without_records_is_waited_in() -> None:
    played = play(Pieces([0, 10, 1_000, 1_010]), script=[(15, Seek(900))])
    sought = played.clock.anchors[-1]
    assert sought.position_ns == 900 * MS
    assert played.target.times_ms[2] - sought.after_ns / MS == 100.0


def test_before_the_beginning_is_the_beginning() -> None:
    played = play(Pieces(range(5_000, 6_000, 10)), script=[(505, Seek(0))])
    assert played.numbers == [*range(51), *range(100)]


def test_beyond_the_end_ends_it() -> None:
    played = play(Pieces(range(0, 1_000, 10)), script=[(105, Seek(99_999))])
    assert (played.ending, played.numbers) == ("end", list(range(11)))
    assert played.player.coverage.skipped == 89


def test_beyond_the_end_of_a_pass_goes_on_with_the_next() -> None:
    played = play(Pieces(range(0, 1_000, 10), laps=2), script=[(105, Seek(99_999))])
    assert played.numbers == [*range(11), *range(100)]
    assert [anchor.why for anchor in played.clock.anchors] == ["start", "loop"]
    assert played.target.times_ms[11] < 300


@pytest.mark.parametrize("relative", [True, False])
def test_a_moment_may_be_said_from_the_first_record(relative: bool) -> None:
    sought = Seek(500, relative=True) if relative else Seek(5_500)
    played = play(Pieces(range(5_000, 6_000, 10)), script=[(105, sought)])
    assert played.numbers == [*range(11), *range(50, 100)]


def test_while_paused_time_stands_still_at_the_new_place() -> None:
    script = [(105, Pause()), (205, Seek(700)), (405, Resume())]
    played = play(Pieces(range(0, 1_000, 10)), script=script)
    assert played.numbers == [*range(11), *range(70, 100)]
    assert played.target.times_ms[11] >= 405


def test_at_top_speed_too() -> None:
    played = play(Pieces(range(10_000), size=100), rate=None, stall=lambda value: 10_000, script=[(10, Seek(9_000))])
    sent = played.numbers
    assert sent[-1_000:] == list(range(9_000, 10_000))
    assert played.player.coverage.covered + played.player.coverage.skipped == 10_000


def _standing(lap: int, laps: int) -> Status:
    return Status(
        replay_id="r", capture="c", target="t", pid=1, state="paused", position_ms=T0, played_ms=0.0,
        duration_ms=60_000.0, first_ms=T0, last_ms=T0 + 60_000, rate=1.0, lap=lap, laps=laps, planned=100, sent=0,
        acked=0, earlier=0, failed=0, dropped=0, lateness_ns=0, eta_ms=None,
    )  # fmt: skip


@pytest.mark.parametrize("beyond", [Seek(4_200_000, relative=True), Seek(T0 + 60_001)])
def test_a_slip_of_the_finger_beyond_the_end_is_refused_and_ends_nothing(beyond: Seek) -> None:
    control = Control()
    control.begin(lambda: _standing(lap=2, laps=2), lambda: None)
    with pytest.raises(UsageError, match=r"ends at 2026-11-03T14:03:00.000Z \(\+1m 00s\), before that: .*ctl stop"):
        control.ask(beyond)
    assert not control.pending()


@pytest.mark.parametrize(("seek", "lap"), [(Seek(60_000, relative=True), 2), (Seek(4_200_000, relative=True), 1)])
def test_the_last_record_and_the_next_pass_may_be_sought(seek: Seek, lap: int) -> None:
    control = Control()
    control.begin(lambda: _standing(lap=lap, laps=2), lambda: None)
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(control.ask, seek)
        wait_until(control.pending, what="the command waits for the player")
        waiting = control.take()
        assert waiting is not None
        waiting[1].set_result(None)
        assert (waiting[0], asked.result(10)) == (seek, _standing(lap, 2))
