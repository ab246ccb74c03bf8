"""The accounts: bounded, exact, in whatever order the reports come."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.manifest import Topic
from recorder.replaying.tally import Tally
from tests.replaying.stage import Confirmed, Pieces, number, play


def test_a_ring_smaller_than_the_replay_loses_nothing() -> None:
    played = play(Pieces(range(5_000), partitions=3), partitions=3, size=64, ack_ns=3_000_000)
    assert played.target.values == [number(index) for index in range(5_000)]
    assert (played.tally.acked, played.tally.in_flight) == (5_000, 0)
    assert played.tally.dispatch_lateness.count == played.tally.ack_lateness.count == 5_000
    assert played.tally.order.partition_inversions == 0


@pytest.mark.parametrize("seed", range(5))
def test_reports_in_any_order_are_booked_to_their_records(seed: int) -> None:
    """Offsets, not the order of the reports, say whether the order was kept."""
    tally, reports = _sent(400)
    offsets = list(range(400))
    offsets[10], offsets[11] = 11, 10  # the target swapped two
    pairs = list(zip(reports, offsets, strict=True))
    random.Random(seed).shuffle(pairs)
    for report, offset in pairs:
        report(None, Confirmed(offset))  # type: ignore[arg-type]
    tally.settle(force=True)
    assert tally.acked == 400
    assert tally.order.partition_inversions == 1
    assert tally.order.key_inversions == 0  # the two have different keys


def test_a_swap_inside_one_key_is_an_inversion_of_the_key() -> None:
    tally, reports = _sent(400)
    offsets = list(range(400))
    offsets[10], offsets[17] = 17, 10  # numbers modulo 7 are the keys
    for report, offset in zip(reports, offsets, strict=True):
        report(None, Confirmed(offset))  # type: ignore[arg-type]
    tally.settle(force=True)
    assert tally.order.partition_inversions == 7
    assert tally.order.key_inversions == 1


@given(st.lists(st.sampled_from(("send", "confirm", "step", "drop")), max_size=120))
def test_sums_done_in_parts_come_to_the_same_as_all_at_once(events: list[str]) -> None:
    """Whatever happens between two parts of them."""
    assert _played(events, in_parts=True) == _played(events, in_parts=False)


def test_a_few_records_are_counted_soon_also_where_no_more_follow() -> None:
    time = [0]
    tally, reports = _sent(3, now=lambda: time[0])
    for offset, report in enumerate(reports):
        report(None, Confirmed(offset))  # type: ignore[arg-type]
    assert not tally.step(time[0])
    assert tally.acked == 0
    time[0] = 1_000_000_000
    while tally.step(time[0]):
        pass
    assert (tally.acked, tally.in_flight) == (3, 0)


def _played(events: list[str], *, in_parts: bool) -> tuple[object, ...]:
    """The figures after records came, three at a time, were sent, dropped and confirmed as `events` say."""
    time, source, waiting = [0], Pieces(range(3_000), size=3), []
    tally = Tally((Topic(name="orders", id=None, partitions=()),), 1, paced=True, now=lambda: time[0])
    offset = 0
    for event in events:
        time[0] += 300_000_000
        if event in ("send", "drop"):
            piece = source.take()
            assert piece is not None
            reports = tally.admit(piece, np.arange(3) * 1_000 + time[0])
            if event == "drop":
                tally.drop(3, time[0] + 7_000)
            else:
                tally.dispatched(2, time[0] + 5_000)
                tally.dispatched(1, time[0] + 9_000)
                waiting += reports
        elif event == "confirm" and waiting:
            waiting.pop(0)(None, Confirmed(offset))  # type: ignore[arg-type]
            offset += 1
        elif event == "step" and in_parts:
            tally.step(time[0])
    tally.settle(force=True)
    figures = (tally.dispatch_lateness, tally.ack_lateness, tally.round_trip)
    return (
        *(figure.distribution() for figure in figures),
        tally.rhythm.rhythm(),
        tally.drift.drift_ns(),
        tally.acked,
        tally.dropped,
        tally.in_flight,
        tally.oldest_ns,
        tally.order.partition_inversions,
    )


def _sent(count: int, now: Callable[[], int] = lambda: 5) -> tuple[Tally, list]:  # type: ignore[type-arg]
    tally = Tally((Topic(name="orders", id=None, partitions=()),), 1, paced=True, now=now)
    piece = Pieces(range(count), size=count).take()
    assert piece is not None
    reports = tally.admit(piece, np.zeros(count, np.int64))
    tally.dispatched(count, 3)
    return tally, reports
