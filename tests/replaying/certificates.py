"""A certificate of a replay on the stage, for tests of what is made of one."""

from __future__ import annotations

from recorder.replaying.certificate import Certificate, Inversions, TopicCount
from recorder.replaying.findings import Finding
from recorder.replaying.histogram import Distribution
from recorder.replaying.tally import Failure
from tests.builders import T0
from tests.replaying.stage import MS, Pieces, number, play


def a_certificate() -> Certificate:
    """A thousand records, one a millisecond; one of them failed, and one took 200 ms."""
    played = play(
        Pieces(range(1_000)), failing=[number(5)], stall=lambda value: 200 * MS if value == number(100) else 0
    )
    tally = played.tally
    dispatch = tally.dispatch_lateness.distribution()
    assert isinstance(dispatch, Distribution)
    return Certificate(
        replay_id="r" * 32,
        capture_id="c" * 32,
        capture="incident",
        tool="kafka-blackbox 0",
        source_cluster_id="prod",
        target_cluster_id="ci",
        started_at_ms=T0,
        finished_at_ms=T0 + 1_000,
        ended_by=played.ending,
        error=None,
        rate=1.0,
        timestamps="original",
        shifted_by_ms=0,
        max_gap_ms=5_000,
        remap={"orders": "orders2"},
        topics=(TopicCount(topic="orders", target="orders2", planned=1_000, acked=999),),
        planned=1_000,
        sent=tally.sent,
        acked=tally.acked,
        failed=tally.failed,
        failures=(Failure(topic="orders", partition=0, offset=5, error="MSG_SIZE_TOO_LARGE: Broker: no"),),
        errors={"MSG_SIZE_TOO_LARGE: Broker: no": 1},
        planned_ns=999 * MS,
        sending_ns=999 * MS,
        dispatch_lateness=dispatch,
        ack_lateness=tally.ack_lateness.distribution(),
        round_trip=tally.round_trip.distribution(),
        end_drift_ns=tally.drift.drift_ns(),
        last_lateness_ns=tally.last_lateness_ns,
        inversions=Inversions(partition=0, key=0),
        clamped=3,
        wild=0,
        collapsed_gaps=0,
        collapsed_ms=0,
        timestamp_0_sent_as_1=0,
        queue_full=0,
        retries=0,
        starved_ns=0,
        created_topics=(),
        rhythm=tally.rhythm.rhythm(),
        findings=(Finding(severity="warning", topic="orders", what="Odd", fix="Look."),),
    )
