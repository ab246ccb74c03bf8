"""What of a plan is in a log: a beginning of each partition's order, perhaps with gaps, perhaps among others."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from recorder.capture.manifest import Topic
from recorder.errors import RefusedError
from recorder.kafka.contents import content_digest
from recorder.replaying.present import Present, among_first, find_present
from recorder.replaying.routes import Routes
from tests.replaying.stage import Pieces, number


def routes(lanes: int) -> Routes:
    topics = (Topic(name="orders", id=None, partitions=()),)
    known = SimpleNamespace(lanes=lanes, topics=topics, places=lambda: [("orders", lane) for lane in range(lanes)])
    return cast(Any, known)  # type: ignore[no-any-return]  # all that the comparison asks of them


def found(planned: int, *logs: Sequence[int | str], values: Sequence[bytes] = ()) -> Present:
    """A plan of records with their numbers as values, in turn for the lanes, compared with the lanes' logs."""
    pieces = Pieces([1] * planned, partitions=len(logs))
    all_pieces = list(iter(pieces.take, None))
    for piece in all_pieces:
        piece.columns.keys[:] = [None] * len(piece)
    for piece in all_pieces if values else ():
        piece.columns.values[:] = values[piece.first : piece.first + len(piece)]
    log = {
        lane: [content_digest(None, one.encode() if isinstance(one, str) else number(one), None, 1) for one in ones]
        for lane, ones in enumerate(logs)
    }
    return find_present(all_pieces, log, routes=routes(len(logs)), timeless=lambda lane: False)


def test_what_was_sent_is_a_beginning_of_each_partition() -> None:
    present = found(
        40,
        [0, 2, 4, 6],
        [1],
    )
    assert present.rows.tolist() == [4, 1]
    assert (present.found, present.missing, present.foreign, present.turns) == (5, 0, 0, 5)
    assert present.until == (0, 6)


def test_an_empty_log_holds_nothing() -> None:
    present = found(10, [], [])
    assert present.rows.tolist() == [0, 0]
    assert present.until is None


def test_records_of_others_in_between_are_told_apart_by_their_content() -> None:
    present = found(10, ["theirs", 0, "theirs", "more", 1, 2, "theirs"])
    assert present.rows.tolist() == [3]
    assert (present.found, present.foreign) == (3, 4)


def test_what_was_lost_in_the_middle_is_named_and_not_sent_behind_its_followers() -> None:
    present = found(10, [0, 1, 4])
    assert present.rows.tolist() == [5]
    assert (present.found, present.missing) == (3, 2)
    assert [(one.topic, one.partition, one.offset) for one in present.named] == [("orders", 0, 2), ("orders", 0, 3)]


def test_equal_records_in_a_row_are_counted_one_by_one() -> None:
    present = found(6, ["beat", "beat", "beat"], values=[b"beat"] * 6)
    assert present.rows.tolist() == [3]


@pytest.mark.parametrize("log", [[0, 0, 1, 1], [0, 1, 2, 1], [0, 1, 0]])
def test_trap_20_what_is_there_twice_is_refused_rather_than_guessed(log: list[int]) -> None:
    with pytest.raises(RefusedError, match=r"orders/0 holds records that are like ours.*--provenance"):
        found(10, log)


def test_only_so_many_of_a_lane_are_passed_over_as_are_there() -> None:
    lanes = np.array([0, 1, 0, 0, 2, 1, 0])
    assert among_first(lanes, np.array([2, 1, 0])).tolist() == [True, True, True, False, False, False, False]
    assert among_first(np.array([], np.int64), np.array([1])).tolist() == []
