"""What would go wrong, asked before the first record: all findings at once, each with what to do about it.

An *error* would surely lose or refuse records and keeps the replay from starting; a *warning* is something to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from recorder.capture.manifest import Manifest
from recorder.capture.reader import Capture
from recorder.kafka.target import NewTopicPlan, TargetTopic
from recorder.kafka.transactions import TIMEOUT_MS
from recorder.replaying.creation import BATCH_OVERHEAD
from recorder.replaying.gathering import capture_names
from recorder.replaying.options import Options
from recorder.replaying.partitions import Placement, placements
from recorder.replaying.routes import Routes
from recorder.replaying.space import Space, kept_too_little
from recorder.replaying.survey import Survey, TopicSurvey
from recorder.window import format_duration

_FAR_MS = 31_536_000_000_000  # a thousand years: beyond it a span says nothing to anybody


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that preflight found. `refusal`: possible, but only for somebody who asks for it by its flag."""

    severity: Literal["error", "warning"]
    topic: str | None
    what: str
    fix: str
    refusal: bool = False

    def sentence(self) -> str:
        where = f"{self.topic}: " if self.topic else ""
        return f"{where}{self.what}. {self.fix}"


def check_captures(captures: Sequence[Capture], target_id: str | None, options: Options) -> Iterator[Finding]:
    """`check_clusters` for each; what is found of several says of which."""
    if options.allow_targets and target_id not in options.allow_targets:
        yield Finding(
            severity="error",
            topic=None,
            what=f"The target is cluster {target_id or '(it does not say)'}, and replays may only go to "
            + ", ".join(options.allow_targets),
            fix="Give another target, or name it: --allow-target, or allow_targets in blackbox.yaml.",
            refusal=True,
        )
    for capture, name in zip(captures, capture_names(captures), strict=True):
        for found in check_clusters(capture.manifest, target_id, options):
            yield found if len(captures) == 1 else msgspec.structs.replace(found, what=f"{name}: {found.what}")


def check_clusters(manifest: Manifest, target_id: str | None, options: Options) -> Iterator[Finding]:
    """Is this the cluster to write into, and the capture one to let out?"""
    sources = manifest.cluster_ids
    if target_id is None or not sources or manifest.of_unknown_cluster:
        what = (
            "The target does not say what it is"
            if target_id is None
            else "The capture does not say which cluster it came from"
        )
        yield _warning(None, f"{what}, so nobody can tell whether this is the source cluster", "Make sure it is not.")
    if target_id in sources and not options.allow_source_cluster:
        yield Finding(
            severity="error",
            topic=None,
            what=f"The capture came from this very cluster ({target_id})",
            fix="Give another target, or --allow-source-cluster if you mean it.",
            refusal=True,
        )
    if not options.aborted and any(partition.aborted for _, partition in manifest.topic_partitions()):
        yield _warning(None, "Its records of aborted transactions are left out", "Give --aborted to send them as well.")
    if manifest.clean is None and not options.allow_raw:
        yield Finding(
            severity="error",
            topic=None,
            what="The capture is raw: it was not scrubbed and may hold personal data",
            fix="Run 'blackbox scrub' and replay the result, or give --allow-raw if you mean it.",
            refusal=True,
        )


def check_topics(
    routes: Routes,
    survey: Survey,
    options: Options,
    existing: Mapping[str, TargetTopic],
    created: Mapping[str, NewTopicPlan],
    defaults: Mapping[str, str],
) -> Iterator[Finding]:
    """Would every topic take its records? `created` are checked as they will be."""
    if not survey.records:
        yield _warning(None, "The selection holds no records: nothing will be sent", "Widen -t, --from and --to.")
    counts = {name: topic.partitions for name, topic in existing.items()}
    counts |= {name: topic.partitions for name, topic in created.items()}
    placed = placements(routes, options, counts)
    for target in routes.partitions:
        found = combine(survey, routes, target)
        if target in counts:
            here = [one for one in placed if one.target == target]
            yield from _check_partitions(target, counts[target], here, found, options)
        if target in created:
            settings: Mapping[str, str] | None = {**defaults, **created[target].config}
        elif target not in existing:
            yield _missing(target, found)
            continue
        else:
            yield from _check_rights(existing[target])
            settings = existing[target].settings
        if settings is None:
            yield _warning(target, "We may not read its settings", "Allow DescribeConfigs to have them checked.")
        elif found.records:
            yield from _check_settings(target, found, settings, options)
            if target in existing:
                yield from _check_replicas(existing[target], settings)


def check_creation(
    created: Mapping[str, NewTopicPlan],
    existing: Mapping[str, TargetTopic],
    options: Options,
    brokers: int,
    may_create: bool | None,
) -> Iterator[Finding]:
    """Can the missing topics be created as they were planned?"""
    for new in created.values():
        if new.replicas > brokers:
            yield _error(
                new.name,
                f"--replication-factor {new.replicas} needs as many brokers, and the target has {brokers}",
                f"Give --replication-factor {brokers}.",
            )
    if created and may_create is False:
        yield _warning(
            None,
            f"We may not create topics in general, and {', '.join(created)} must be created",
            "Ask for the right CREATE on the cluster or on these topics, or have them created.",
        )
    for name in existing:
        if name in options.topic_config or name in options.partitions_of:
            yield _warning(
                name,
                "It exists already and stays as it is: --topic-config and --partitions-of are for new topics",
                "Change it yourself, or map the records with -m to a new topic.",
            )


def check_transactions(longest_ms: int | None) -> Iterator[Finding]:
    """Do the brokers allow transactions as long as ours may last? `longest_ms`: None where they don't tell."""
    if longest_ms is not None and longest_ms < TIMEOUT_MS:
        yield _error(
            None,
            f"--transactional asks for transactions of up to {TIMEOUT_MS:,} ms, and the brokers' "
            f"transaction.max.timeout.ms allows {longest_ms:,} ms",
            f"Set transaction.max.timeout.ms={TIMEOUT_MS} or more on the brokers, or leave --transactional out.",
        )


def check_space(
    spaces: Sequence[Space], counts: Mapping[str, int], settings: Mapping[str, Mapping[str, str] | None]
) -> Iterator[Finding]:
    """Will the topics keep all that the replay brings?"""
    for space in spaces:
        for what in kept_too_little(space, counts[space.target], settings[space.target] or {}):
            yield _warning(
                space.target, f"{what}: Kafka will delete the first of them", "Set retention.bytes=-1 on the topic."
            )


def combine(survey: Survey, routes: Routes, target: str) -> TopicSurvey:
    """What all recorded topics together bring to a target topic."""
    parts = [survey.topics[topic.name] for topic in routes.sources(target)]
    return TopicSurvey(
        records=sum(part.records for part in parts),
        bytes=sum(part.bytes for part in parts),
        largest=max(part.largest for part in parts),
        without_key=sum(part.without_key for part in parts),
        ahead_ms=max(part.ahead_ms for part in parts),
        behind_ms=max(part.behind_ms for part in parts),
    )


def _missing(target: str, found: TopicSurvey) -> Finding:
    if not found.records:
        return _warning(target, "The topic does not exist; nothing will be sent to it", "Give --create-topics.")
    return _error(
        target, "The topic does not exist", "Give --create-topics to create it as it was recorded, or map it with -m."
    )


def _check_partitions(
    target: str, present: int, placed: Sequence[Placement], found: TopicSurvey, options: Options
) -> Iterator[Finding]:
    """Has the topic the partitions that records go to, and will they lie where they lay?"""
    has = f"It has {_count(present, 'partition')}"
    more = f"kafka-topics.sh --alter --topic {target} --partitions"
    for one in placed:
        recorded = f"the recorded one has {one.recorded}"
        if one.by == "map":
            ours = {place: goes for place, goes in options.partition_map.items() if place[0] == one.topic}
            beyond = [f"{topic}/{number} -> {goes}" for (topic, number), goes in ours.items() if goes >= present]
            kept = [number for number in range(present, one.recorded) if (one.topic, number) not in ours]
            if beyond:
                yield _error(target, f"{has}, and --partitions maps {', '.join(beyond)}", "Correct the map.")
            if kept:
                what = f"{has}, {recorded}, and --partitions does not map {', '.join(map(str, kept))}"
                yield _error(target, what, "Map them as well.")
        elif one.by == "hash" and present != one.recorded:
            yield _warning(
                target,
                f"{has}, {recorded}: keys go where Java's hash puts them, records without a key to their recorded "
                f"partition modulo {present}; keys that shared a partition may change their order among each other",
                "Use a topic with as many partitions if that matters"
                + (", or give --partitions keep." if present > one.recorded else "."),
            )
        elif one.by == "keep" and present < one.recorded:
            yield (_error if found.records else _warning)(
                target,
                f"{has}, {recorded}, and --partitions keep leaves the others nowhere to go",
                f"Leave it out to have keys hashed, add some ({more} {one.recorded}), or give --partitions map:FILE.",
            )
        elif one.by == "keep" and present > one.recorded:
            yield _warning(
                target,
                f"{has}, {recorded}: records keep their recorded partition, producers that hash keys would choose "
                "another",
                "Leave --partitions keep out if that matters.",
            )


def _check_rights(topic: TargetTopic) -> Iterator[Finding]:
    if topic.may_write is False:
        yield _error(topic.name, "We may not write to it", "Ask for the right WRITE on the topic.")


def _check_replicas(topic: TargetTopic, settings: Mapping[str, str]) -> Iterator[Finding]:
    least = int(settings.get("min.insync.replicas", "1"))
    if topic.in_sync is not None and topic.in_sync < least:
        yield _error(
            topic.name,
            f"min.insync.replicas is {least}, and a partition has {_count(topic.in_sync, 'replica')} in sync: "
            "it takes no records",
            "Start the missing brokers, or lower min.insync.replicas.",
        )


def _check_settings(topic: str, found: TopicSurvey, settings: Mapping[str, str], options: Options) -> Iterator[Finding]:
    limit = int(settings.get("max.message.bytes", "1048588"))
    if found.largest + BATCH_OVERHEAD > limit:
        yield _error(
            topic,
            f"Its largest record has {found.largest:,} bytes before compression, max.message.bytes is {limit:,}",
            f"Set max.message.bytes={found.largest + BATCH_OVERHEAD} on the topic.",
        )
    policy = settings.get("cleanup.policy", "delete")
    if "compact" in policy:
        if found.without_key:
            yield _error(
                topic,
                f"It is compacted and takes no records without a key; there are {found.without_key:,}",
                "Map it with -m to a topic with cleanup.policy=delete.",
            )
        yield _warning(
            topic,
            "It is compacted: records may vanish soon after, and a window of such a topic is not its whole state",
            "Replay into a topic with cleanup.policy=delete if consumers must see every record.",
        )
    if settings.get("message.timestamp.type") == "LogAppendTime":
        yield _warning(
            topic,
            "It stamps records with the time of arrival (message.timestamp.type=LogAppendTime): ours are replaced",
            "Set message.timestamp.type=CreateTime to keep them.",
        )
    elif options.timestamps != "now":
        yield from _check_timestamps(topic, found, settings)
        retention = int(settings.get("retention.ms", "604800000"))
        if "delete" in policy and 0 <= retention < found.behind_ms:
            yield _warning(
                topic,
                f"Its oldest record is {_span(found.behind_ms)} old, and retention.ms keeps {_span(retention)}: "
                "Kafka will delete such records soon after they arrive",
                "Give --timestamps shift, or set retention.ms=-1 on the topic.",
            )


def _check_timestamps(topic: str, found: TopicSurvey, settings: Mapping[str, str]) -> Iterator[Finding]:
    for setting, worst, where in (
        ("message.timestamp.after.max.ms", found.ahead_ms, "after"),
        ("message.timestamp.before.max.ms", found.behind_ms, "before"),
    ):
        limit = int(settings.get(setting, "9223372036854775807"))
        if worst > limit:
            yield _error(
                topic,
                f"A timestamp lies {_span(worst)} {where} the time of sending, {setting} allows {_span(limit)}: "
                "the broker would refuse the record",
                f"Raise {setting} on the topic, or give --timestamps now.",
            )


def _span(duration_ms: float) -> str:
    return format_duration(duration_ms) if duration_ms < _FAR_MS else "more than 1000 years"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _error(topic: str | None, what: str, fix: str) -> Finding:
    return Finding(severity="error", topic=topic, what=what, fix=fix)


def _warning(topic: str | None, what: str, fix: str) -> Finding:
    return Finding(severity="warning", topic=topic, what=what, fix=fix)
