"""What is done about lateness is done for all topics together (trap 28), and never hidden (trap 29)."""

from __future__ import annotations

from recorder.replaying.conduct import Conduct
from tests.replaying.stage import MS, Pieces, number, play

BOUND = 100 * MS


def stalling(value: bytes | None) -> int:
    return 300 * MS if value == number(100) else 0


def test_trap_28_slow_puts_off_every_partition_by_the_same_time_and_notes_it() -> None:
    played = play(
        Pieces(range(1_000), partitions=4),
        partitions=4,
        stall=stalling,
        conduct=Conduct(late="slow", late_bound_ns=BOUND),
    )
    assert played.numbers == list(range(1_000))
    assert [anchor.why for anchor in played.clock.anchors] == ["start", "late"]
    assert [round(at) for at in played.target.times_ms[101:]] == [at + 299 for at in range(101, 1_000)]
    assert played.player.slowed_ns == 299 * MS
    # The record that stalled is charged with it: it was handed over 300 ms late.
    assert played.tally.dispatch_lateness.max_ns == 300 * MS


def test_trap_28_drop_leaves_out_what_is_later_than_the_bound_in_all_partitions_and_names_it() -> None:
    played = play(
        Pieces(range(1_000), partitions=4),
        partitions=4,
        stall=stalling,
        conduct=Conduct(late="drop", late_bound_ns=BOUND),
    )
    # At 400 ms, what was due before 300 ms is beyond the bound.
    assert played.numbers == [*range(101), *range(300, 1_000)]
    assert played.tally.dropped == 199
    assert [(drop.partition, drop.offset) for drop in played.tally.drops[:3]] == [(1, 101), (2, 102), (3, 103)]
    assert "299 ms late" in played.tally.drops[0].error
    assert (played.tally.sent, played.tally.acked, played.tally.in_flight) == (801, 801, 0)
    assert played.tally.order.partition_inversions == 0
    assert played.tally.dispatch_lateness.count == 801


def test_fail_ends_the_replay_at_the_first_record_beyond_the_bound() -> None:
    played = play(Pieces(range(1_000)), stall=stalling, conduct=Conduct(late="fail", late_bound_ns=BOUND))
    assert (played.ending, played.numbers) == ("late", list(range(101)))
    assert played.player.error == "a record was 299 ms late, the bound is 100 ms"


def test_lateness_within_the_bound_is_caught_up() -> None:
    for late in ("slow", "drop", "fail"):
        played = play(
            Pieces(range(1_000)),
            stall=lambda value: 90 * MS if value == number(100) else 0,
            conduct=Conduct(late=late, late_bound_ns=BOUND),  # type: ignore[arg-type]
        )
        assert (played.ending, len(played.numbers)) == ("end", 1_000)
        assert played.target.times_ms[300] == 300.0


def test_a_target_that_is_always_too_slow_slows_time_and_loses_nothing() -> None:
    played = play(Pieces(range(500)), room=10, ack_ns=30 * MS, conduct=Conduct(late="slow", late_bound_ns=BOUND))
    assert played.numbers == list(range(500))
    assert played.clock.changes["late"] > 3
    assert played.tally.dispatch_lateness.max_ns <= 3 * BOUND


def test_many_drops_in_a_small_ring_add_up() -> None:
    played = play(
        Pieces(range(3_000), partitions=3),
        partitions=3,
        size=64,
        stall=lambda value: 150 * MS if int(value or b"0") % 50 == 0 else 0,
        conduct=Conduct(late="drop", late_bound_ns=BOUND),
    )
    assert played.tally.dropped + played.tally.acked == 3_000
    assert played.tally.in_flight == 0
    assert played.tally.dropped > 0
    assert played.numbers == sorted(played.numbers)
