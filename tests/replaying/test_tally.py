"""The accounts: bounded, exact, in whatever order the reports come."""

from __future__ import annotations

import random

import numpy as np
import pytest

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


def _sent(count: int) -> tuple[Tally, list]:  # type: ignore[type-arg]
    tally = Tally((Topic(name="orders", id=None, partitions=()),), 1, paced=True, now=lambda: 5)
    piece = Pieces(range(count), size=count).take()
    assert piece is not None
    reports = tally.admit(piece, np.zeros(count, np.int64))
    tally.dispatched(count, 3)
    return tally, reports
