"""What a replay has to do beside sending is done while nothing is due, in steps that fit between two deadlines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from recorder.replaying.tally import Tally
from tests.replaying.stage import MS, FakeTime, Pieces, play

_A_RECORD_NS = 1_000


@pytest.fixture
def costly(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """Sums take their time: a microsecond a record."""
    time, settled = FakeTime(), [0]

    def slow(sums: Callable[..., object]) -> Callable[..., object]:
        def slowly(tally: Tally, *arguments: object, **named: object) -> object:
            done = sums(tally, *arguments, **named)
            time.ns += (tally.acked - settled[0]) * _A_RECORD_NS
            settled[0] = tally.acked
            return done

        return slowly

    for name in ("settle", "step"):
        monkeypatch.setattr(Tally, name, slow(getattr(Tally, name)))
    return time


@pytest.mark.parametrize("at_once", [1, 10])
def test_accounts_hold_up_no_record_that_has_a_millisecond_before_it(costly: FakeTime, at_once: int) -> None:
    times = [ms for ms in range(5_000) for _ in range(at_once)]
    played = play(Pieces(times), time=costly)
    assert played.tally.acked == len(times)
    assert played.tally.dispatch_lateness.max_ns < 0.01 * MS


def test_accounts_are_kept_although_records_are_always_due(costly: FakeTime) -> None:
    played = play(Pieces(range(2_000)), time=costly, rate=3.0)  # a third of a millisecond: no wait has room
    assert played.tally.acked == 2_000
    assert 0 < played.tally.dispatch_lateness.max_ns < 3 * MS
