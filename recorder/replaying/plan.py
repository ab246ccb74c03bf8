"""What a replay would do, and whether it can: capture and target looked at before anything is sent or created."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from recorder.capture.reader import Capture
from recorder.errors import BlackboxError, ExitCode, RefusedError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import Connection
from recorder.kafka.producer import DEFAULT_BATCH_BYTES, Limits
from recorder.kafka.target import NewTopicPlan, default_settings, longest_transaction_ms, refused_topics, target_topics
from recorder.payloads.naming import Counts
from recorder.replaying.allowance import check_quota
from recorder.replaying.clusters import check_captures
from recorder.replaying.creation import BATCH_OVERHEAD, check_named, plan_topic
from recorder.replaying.findings import Finding
from recorder.replaying.gathering import capture_names
from recorder.replaying.homes import Letters, sort_letters
from recorder.replaying.middleware import Middleware
from recorder.replaying.options import Options
from recorder.replaying.partitions import Placement, placements
from recorder.replaying.preflight import (
    check_calibration_topic,
    check_creation,
    check_objectives,
    check_space,
    check_topics,
    check_transactions,
    combine,
)
from recorder.replaying.prologue import StateBefore, check_prologue, held, state_before, with_state
from recorder.replaying.routes import Routes, plan_routes
from recorder.replaying.schema_ids import Translation, books_of, plan_translation, warn_of_ids
from recorder.replaying.space import Space, compressed_share, compresses
from recorder.replaying.streams import Streams
from recorder.replaying.survey import Survey, survey


@dataclass(frozen=True)
class Plan:
    """A replay that is ready to run, or not: see `findings`. Nothing was sent or created yet."""

    captures: tuple[Capture, ...]
    cluster: Cluster
    options: Options
    routes: Routes
    placements: tuple[Placement, ...]
    streams: Streams
    survey: Survey
    findings: tuple[Finding, ...]
    to_create: tuple[NewTopicPlan, ...]
    limits: Limits
    prepared_at_ms: int
    spaces: tuple[Space, ...]
    stamped_by_target: tuple[str, ...] = ()
    """Target topics whose records get the broker's time of arrival."""
    letters: Letters | None = None
    """Dead letters and what becomes of them; None: records go where they were."""
    translation: Translation | None = None
    """What schema ids become; None: they stay as they are."""
    before: StateBefore | None = None
    """The state before the window, to be sent first; None: nobody asked for it."""
    state_held: int = 0
    """How many records of such state there are."""

    @property
    def name(self) -> str:
        """The captures, by name."""
        return " + ".join(capture_names(self.captures))

    @property
    def records(self) -> int | None:
        """Records in all passes; None when there is no end of them."""
        return self.survey.records * self.options.loop or (None if self.survey.records else 0)

    @property
    def pass_ms(self) -> float | None:
        """Real time from the first record of a pass to its last, by the plan and its caps; None at top speed."""
        options, survey = self.options, self.survey
        capped = max(
            survey.records / options.records_per_second if options.records_per_second else 0.0,
            survey.bytes / options.bytes_per_second if options.bytes_per_second else 0.0,
        )
        if options.pace is None:
            return capped * 1e3 or None
        return max(survey.duration_ms / options.pace, capped * 1e3)

    @property
    def duration_ms(self) -> float | None:
        """Real time from the first record to the last; None at top speed, and when there is no last."""
        if self.pass_ms is None or not self.options.loop:
            return None
        return self.pass_ms * self.options.loop + self.options.loop_delay_ms * (self.options.loop - 1)

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def exit_code(self) -> ExitCode:
        """What a dry run ends with: would this replay start?"""
        if any(finding.refusal for finding in self.errors):
            return ExitCode.REFUSED
        if self.errors:
            return ExitCode.FAILED
        return ExitCode.LOSS if self.letters is not None and self.letters.left else ExitCode.OK

    def require_no_errors(self) -> None:
        """RefusedError or BlackboxError with all errors, when there are any."""
        if not self.errors:
            return
        sentences = [finding.sentence() for finding in self.errors]
        text = f" {sentences[0]}" if len(sentences) == 1 else "\n  ".join(["", *sentences])
        kind = RefusedError if self.exit_code is ExitCode.REFUSED else BlackboxError
        raise kind(f"Nothing was sent.{text}")


def prepare(
    capture: Capture | Sequence[Capture],
    connection: Connection,
    options: Options | None = None,
    *,
    progress: Callable[[int], None] = lambda records: None,
) -> Plan:
    """Look at the captures and the target and say what a replay would do; `progress` gets counts of records looked at.

    Raises UsageError, CaptureError and KafkaUnavailableError. What it finds wrong is in `Plan.findings`.
    """
    options = options or Options()
    if options.middleware is not None:
        Middleware(options.middleware)  # is there such a program?
    captures = (capture,) if isinstance(capture, Capture) else tuple(capture)
    routes = plan_routes(captures, options)
    cluster = Cluster(connection)
    letters = None
    if options.dead_letters is not None:
        letters = sort_letters(captures, routes, options, options.dead_letters, cluster.partition_counts())
        routes = letters.routes
    streams = Streams(routes, options)
    brokers = len(cluster.brokers)
    if options.calibrate_topic is not None:
        exists = options.calibrate_topic in cluster.names()
        check_calibration_topic(options.calibrate_topic, set(routes.partitions), exists=exists)
    check_named(options, routes.partitions)
    existing = target_topics(cluster, routes.partitions)
    now_ms = time.time_ns() // 1_000_000
    books, named = books_of(routes), Counts()
    names = named if books or options.target_registry else None
    seen = survey(routes, options, start_ms=now_ms, streams=streams, schemas=names, progress=progress)
    state = held(routes, options)
    before = state_before(routes, options, start_ms=now_ms, schemas=names) if options.prologue else None
    checked = with_state(seen, before, options)
    translation, of_schemas = None, list(warn_of_ids(routes, books, named))
    if options.target_registry is not None:
        translation, of_schemas = plan_translation(routes, books, named, options.target_registry)
    defaults = default_settings(cluster)
    to_create = {
        target: plan_topic(
            target, routes, combine(checked, routes, target), options, brokers=brokers, defaults=defaults
        )
        for target in routes.partitions
        if options.create_topics and target not in existing
    }
    counts = {name: topic.partitions for name, topic in (existing | to_create).items()}
    settings: dict[str, Mapping[str, str] | None] = {name: topic.settings for name, topic in existing.items()}
    settings |= {name: {**defaults, **plan.config} for name, plan in to_create.items()}
    share, by_producer = compressed_share(captures), connection.settings.get("compression.type")
    copies = {name: topic.replicas or 1 for name, topic in existing.items()}
    copies |= {name: plan.replicas for name, plan in to_create.items()}
    spaces = tuple(
        Space(
            target=name,
            bytes=combine(checked, routes, name).bytes + combine(seen, routes, name).bytes * max(0, options.loop - 1),
            replicas=copies[name],
            share=share if compresses(found, by_producer) else 1.0,
        )
        for name, found in settings.items()
    )
    findings = (
        *check_captures(captures, cluster.cluster_id, options),
        *check_topics(routes, checked, options, existing, to_create, defaults),
        *check_creation(to_create, existing, options, brokers, refused_topics(cluster, tuple(to_create.values()))),
        *check_space(spaces, counts, settings),
        *check_objectives(options),
        *check_transactions(longest_transaction_ms(cluster) if options.transactional else None),
        *check_quota(cluster, routes, seen, options),
        *of_schemas,
        *check_prologue(state if before is None else before.survey.records, options),
    )
    sizes = [int((found or {}).get("max.message.bytes", DEFAULT_BATCH_BYTES)) for found in settings.values()]
    return Plan(
        captures=captures,
        cluster=cluster,
        options=options,
        routes=routes.resized(counts),
        placements=placements(routes, options, counts),
        streams=streams,
        survey=seen,
        findings=findings,
        to_create=tuple(to_create.values()),
        limits=Limits(
            largest_record=max((topic.largest for topic in checked.topics.values()), default=0) + BATCH_OVERHEAD,
            largest_batch=min(sizes, default=DEFAULT_BATCH_BYTES),
        ),
        prepared_at_ms=now_ms,
        spaces=spaces,
        stamped_by_target=tuple(
            name for name, found in settings.items() if (found or {}).get("message.timestamp.type") == "LogAppendTime"
        ),
        translation=translation,
        letters=letters,
        before=before,
        state_held=state,
    )
