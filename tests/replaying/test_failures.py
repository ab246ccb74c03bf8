"""What does not arrive is named by where it was recorded, and never sent again by us (trap 19)."""

from __future__ import annotations

from tests.replaying.stage import Pieces, number, play


def test_trap_19_a_failed_record_is_named_and_not_sent_again() -> None:
    played = play(Pieces(range(300), partitions=2), partitions=2, failing=[number(77)])
    assert played.target.values.count(number(77)) == 1
    assert (played.tally.acked, played.tally.failed) == (299, 1)
    failure = played.tally.failures[0]
    assert (failure.topic, failure.partition, failure.offset) == ("orders", 1, 77)
    assert failure.error == "MSG_SIZE_TOO_LARGE: Broker: no"
    assert played.tally.order.partition_inversions == 0


def test_a_record_that_the_client_refuses_is_named_and_the_next_one_is_sent() -> None:
    played = play(Pieces(range(50)), refused=[number(0), number(20), number(49)])
    assert [failure.offset for failure in played.tally.failures] == [0, 20, 49]
    assert played.target.values == [number(index) for index in range(50) if index not in (0, 20, 49)]
    assert (played.ending, played.tally.sent, played.tally.acked) == ("end", 50, 47)


def test_when_the_client_gives_up_for_good_the_replay_ends_and_says_why() -> None:
    played = play(Pieces(range(50)), fatal=[number(30)])
    assert (played.ending, played.player.error) == ("error", "no")
    assert (played.tally.sent, played.tally.acked) == (30, 30)


def test_counts_stay_whole_when_names_run_out() -> None:
    played = play(Pieces(range(3_000)), failing=[number(index) for index in range(2_000)])
    assert (played.tally.failed, len(played.tally.failures)) == (2_000, 1_000)
    assert played.tally.errors == {"MSG_SIZE_TOO_LARGE: Broker: no": 2_000}
