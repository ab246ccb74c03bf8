"""How far a replay is settled: what may be noted, so that what comes behind it can be found in the log."""

from __future__ import annotations

import numpy as np

from recorder.replaying.frontier import Frontier
from recorder.replaying.state import Point

START = Point(lap=0, number=0, offsets=(100, 200), acked=(0,))


def settle(
    frontier: Frontier, numbers: list[int], offsets: list[int], lane: int = 0, following: tuple[int, int] | None = None
) -> None:
    zeros = np.zeros(len(numbers), np.int64)
    frontier.settled(zeros, np.array(numbers), zeros, zeros + lane, np.array(offsets), following)


def test_it_moves_to_the_first_record_in_flight() -> None:
    frontier = Frontier(START)
    settle(frontier, [0, 1, 2], [100, 101, 107], following=(0, 3))
    assert frontier.note()
    assert frontier.point == Point(lap=0, number=3, offsets=(108, 200), acked=(3,))
    assert frontier.base == START
    settle(frontier, [3], [-1])
    assert frontier.note()
    assert frontier.point == Point(lap=0, number=4, offsets=(108, 200), acked=(3,), lost=1)
    assert frontier.base.number == 3
    assert not frontier.note()


def test_after_a_failure_that_may_be_none_it_stays() -> None:
    frontier = Frontier(START)
    settle(frontier, [0], [100])
    frontier.note()
    frontier.freeze()
    settle(frontier, [1, 2], [-1, 101])
    assert not frontier.note()
    assert frontier.point.number == 1


def test_it_stays_until_it_is_beyond_what_the_log_holds_already() -> None:
    frontier = Frontier(START, offsets=(104, 205), acked=np.array([7]), lost=1, held=(0, 9))
    settle(frontier, [8], [104])
    assert not frontier.note()
    settle(frontier, [10], [105])
    assert frontier.note()
    assert frontier.point == Point(lap=0, number=11, offsets=(106, 205), acked=(9,), lost=1)


def test_between_a_record_and_one_that_was_added_behind_it_is_no_point() -> None:
    frontier = Frontier(START)
    settle(frontier, [0, 1], [100, 101], following=(0, 1))
    assert not frontier.note()
    settle(frontier, [1], [102], following=(0, 2))
    assert frontier.note()
    assert frontier.point.number == 2


def test_a_seek_leaves_nothing_before_it() -> None:
    frontier = Frontier(START)
    settle(frontier, [0], [100])
    frontier.move(0, 50)
    assert frontier.base == frontier.point == Point(lap=0, number=50, offsets=(101, 200), acked=(1,))


class Transactions:
    """How many of the confirmed records are committed."""

    committed = 0

    def __call__(self) -> int:
        return self.committed


def test_inside_transactions_it_comes_no_further_than_what_is_committed() -> None:
    transactions = Transactions()
    frontier = Frontier(START, committed=transactions)
    settle(frontier, [0, 1], [100, 101])
    assert not frontier.note()
    transactions.committed = 3
    settle(frontier, [2, 3, 4], [102, 104, 105], following=(0, 5))  # a marker lies before the first of the next
    assert frontier.note()
    assert frontier.point == Point(lap=0, number=3, offsets=(103, 200), acked=(3,))
    assert not frontier.note()
    transactions.committed = 5
    assert frontier.note()
    assert frontier.point == Point(lap=0, number=5, offsets=(106, 200), acked=(5,))


def test_a_commit_between_two_looks_is_not_overlooked() -> None:
    transactions = Transactions()
    frontier = Frontier(START, committed=transactions)
    settle(frontier, [0, 1], [100, 101])
    transactions.committed = 2
    settle(frontier, [2, 3], [-1, 103])
    assert frontier.note()
    assert frontier.point == Point(lap=0, number=3, offsets=(102, 200), acked=(2,), lost=1)


def test_what_was_noted_inside_transactions_never_goes_back() -> None:
    transactions = Transactions()
    frontier = Frontier(START, committed=transactions)
    transactions.committed = 1
    settle(frontier, [0, 1], [100, 102], following=(0, 2))
    transactions.committed = 2
    assert frontier.note()
    assert frontier.point.number == 2
    settle(frontier, [2], [104], following=(0, 3))
    assert not frontier.note()


def test_a_commit_before_a_record_that_was_added_is_no_point() -> None:
    transactions = Transactions()
    frontier = Frontier(START, committed=transactions)
    transactions.committed = 2
    settle(frontier, [0, 1, 1], [100, 101, 103], following=(0, 2))
    assert not frontier.note()
    transactions.committed = 3
    assert frontier.note()
    assert frontier.point.number == 2
