"""A certificate made of what a replay that is over left in its accounts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recorder.capture.lineage import tool_version
from recorder.kafka.producer import RecordProducer
from recorder.kafka.transactions import TransactionalProducer
from recorder.replaying.calibration import Floor
from recorder.replaying.certificate import Certificate, Inversions, TopicCount, Transactions
from recorder.replaying.chaos import Trouble
from recorder.replaying.clock import PlayerClock
from recorder.replaying.conduct import Ending
from recorder.replaying.course import choices, course
from recorder.replaying.findings import Finding
from recorder.replaying.plan import Plan
from recorder.replaying.player import Player
from recorder.replaying.probe import Probed
from recorder.replaying.prologue import PrologueCount
from recorder.replaying.resumption import Resumption
from recorder.replaying.silence import BY_REPORTS, BY_SILENCE
from recorder.replaying.tally import Tally
from recorder.replaying.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Played:
    """All that took part, and how it went."""

    clock: PlayerClock
    timeline: Timeline
    player: Player
    tally: Tally
    producer: RecordProducer
    ending: Ending
    start_ms: int
    planned_ns: int | None


def issue(
    plan: Plan,
    replay_id: str,
    played: Played,
    *,
    capped: int,
    floor: Floor | None,
    probed: Probed | None,
    resumption: Resumption | None,
    findings: Sequence[Finding],
    trouble: Trouble | None,
    prologue: PrologueCount | None,
) -> Certificate:
    """The certificate of a replay; `capped` is how often a cap held it back, `findings` what came up while it ran."""
    tally, options, player = played.tally, plan.options, played.player
    manifest, survey = plan.captures[0].manifest, plan.survey
    passes = options.loop or player.lap + 1
    before = (0,) * len(plan.routes.topics) if resumption is None else resumption.by_topic
    straight = played.ending == "end" and not played.clock.paused and tally.sent
    return Certificate(
        replay_id=replay_id,
        capture_id=manifest.capture_id,
        capture=plan.name,
        further_captures=tuple(capture.manifest.capture_id for capture in plan.captures[1:]),
        tool=tool_version(),
        source_cluster_id=manifest.source.cluster_id,
        target_cluster_id=plan.cluster.cluster_id,
        started_at_ms=played.start_ms,
        finished_at_ms=time.time_ns() // 1_000_000,
        ended_by=played.ending,
        error=player.error,
        rate=options.pace,
        timestamps=options.timestamps,
        shifted_by_ms=played.timeline.shift_ms,
        max_gap_ms=options.max_gap_ms,
        remap=dict(options.remap),
        topics=tuple(
            TopicCount(
                topic=topic.name,
                target=plan.routes.target_of[topic.name],
                planned=survey.topics[topic.name].records * passes,
                acked=int(acked),
                earlier=earlier,
            )
            for topic, acked, earlier in zip(plan.routes.topics, tally.acked_by_topic, before, strict=True)
        ),
        planned=survey.records * passes,
        sent=tally.sent,
        acked=tally.acked,
        failed=tally.failed,
        failures=tuple(tally.failures),
        errors=dict(tally.errors),
        planned_ns=played.planned_ns,
        sending_ns=(tally.last_sent_ns or 0) - (tally.first_sent_ns or 0),
        dispatch_lateness=tally.dispatch_lateness.distribution(),
        ack_lateness=tally.ack_lateness.distribution(),
        round_trip=tally.round_trip.distribution(),
        end_drift_ns=tally.drift.drift_ns() if straight and options.pace is not None else None,
        last_lateness_ns=tally.last_lateness_ns if straight and options.pace is not None else None,
        confirmed_by=BY_REPORTS if tally.told else BY_SILENCE,
        inversions=Inversions(
            partition=tally.order.partition_inversions if tally.told else None,
            key=tally.order.key_inversions if tally.told else None,
            timeline=tally.rhythm.inversions if options.pace is not None else None,
        ),
        clamped=survey.clamped,
        wild=survey.wild,
        collapsed_gaps=survey.collapsed_gaps,
        collapsed_ms=survey.collapsed_ms,
        timestamp_0_sent_as_1=played.timeline.raised_to_1,
        queue_full=player.queue_full,
        retries=played.producer.retries,
        starved_ns=player.starved_ns,
        created_topics=tuple(plan.name for plan in plan.to_create),
        letters=() if plan.letters is None else plan.letters.counts,
        registered_schemas=() if plan.translation is None else plan.translation.registered,
        findings=(
            *plan.findings,
            *(() if resumption is None else resumption.findings),
            *findings,
        ),
        course=course(choices(options, survey, plan.captures), played.clock, player, tally, capped),
        rhythm=tally.rhythm.rhythm(),
        transactions=_transactions(played),
        stamped_by_target=plan.stamped_by_target,
        placements=plan.placements,
        chaos=None if options.chaos is None else options.chaos.text or str(options.chaos),
        perturbations=() if trouble is None else tuple(trouble.listed),
        changes=player.changes.counts(),
        prologue=prologue,
        earlier=None if resumption is None else resumption.earlier,
        floor=floor,
        probed=probed,
    )


def planned_by(plan: Plan, clock: PlayerClock, player: Player, ending: Ending) -> int | None:
    """From the first record's deadline to the last one's, by the anchors as they came to be, in ns."""
    if clock.rate is None:
        return None
    if ending != "end" or clock.paused:
        return None if plan.duration_ms is None else round(plan.duration_ms * 1e6)
    return int(clock.due(np.array([player.at_position_ns]))[0]) - clock.started_ns


def _transactions(played: Played) -> Transactions | None:
    producer = played.producer
    if not isinstance(producer, TransactionalProducer):
        return None
    return Transactions(
        committed=producer.committed,
        aborted=producer.aborted,
        withdrawn=max(0, played.tally.acked - producer.committed_records),
    )
