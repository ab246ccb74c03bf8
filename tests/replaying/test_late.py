"""Late is late for all, in order, and counted from the plan (traps 28 and 29)."""

from __future__ import annotations

from tests.replaying.stage import MS, Pieces, number, play


def test_trap_28_after_a_stall_all_partitions_catch_up_together_in_order() -> None:
    played = play(
        Pieces(range(1_000), partitions=4), partitions=4, stall=lambda value: 200 * MS if value == number(100) else 0
    )
    assert played.target.values == [number(index) for index in range(1_000)]
    assert played.target.times_ms[100] == 300.0
    assert set(played.target.times_ms[101:301]) == {300.0}
    assert played.target.times_ms[301:] == [float(index) for index in range(301, 1_000)]


def test_trap_29_a_burst_after_a_stall_is_charged_from_the_plan() -> None:
    played = play(Pieces(range(1_000)), stall=lambda value: 200 * MS if value == number(100) else 0)
    lateness = played.tally.dispatch_lateness
    assert lateness.count == 1_000
    # 201 records were late, by 200 ms down to 0; measured from the send, all would look punctual.
    assert 199 * MS <= lateness.percentile(99.9) <= 202 * MS
    assert 99 * MS <= lateness.percentile(90) <= 102 * MS
    assert lateness.percentile(75) <= MS
    assert played.tally.last_lateness_ns == 0


def test_trap_29_confirmations_are_charged_from_the_plan_too() -> None:
    played = play(Pieces(range(100)), ack_ns=7 * MS, stall=lambda value: 50 * MS if value == number(0) else 0)
    assert played.tally.ack_lateness.max_ns >= 57 * MS
    assert played.tally.round_trip.max_ns < 9 * MS


def test_a_target_slower_than_the_plan_never_reorders_and_ends_late() -> None:
    played = play(Pieces(range(500)), room=10, ack_ns=30 * MS)
    assert played.target.values == [number(index) for index in range(500)]
    assert played.player.queue_full > 0
    assert played.tally.acked == 500
    assert played.tally.last_lateness_ns > 900 * MS
