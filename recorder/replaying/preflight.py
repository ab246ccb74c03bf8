"""What would go wrong, asked before the first record: all findings at once, each with what to do about it.

An *error* would surely lose or refuse records and keeps the replay from starting; a *warning* is something to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from recorder.errors import BlackboxError, UsageError
from recorder.kafka.target import NewTopicPlan, TargetTopic
from recorder.kafka.transactions import TIMEOUT_MS
from recorder.replaying.findings import Finding, count_of, error, warning
from recorder.replaying.objectives import unmeasurable
from recorder.replaying.options import Options
from recorder.replaying.partitions import Placement, placements
from recorder.replaying.routes import Routes
from recorder.replaying.space import Space, kept_too_little
from recorder.replaying.survey import Survey, TopicSurvey
from recorder.replaying.topic_settings import check_replicas, check_rights, check_settings


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
        yield warning(
            None,
            "The selection holds no records: nothing will be sent",
            "Widen what is chosen: -t, -p, -k, --from, --to, --start, --end, --where.",
        )
    if options.pace is not None and 2 * survey.wild > survey.records:
        yield _without_rhythm(survey, options)
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
            yield from check_rights(existing[target], options)
            settings = existing[target].settings
        if settings is None:
            yield warning(target, "We may not read its settings", "Allow DescribeConfigs to have them checked.")
        elif found.records:
            yield from check_settings(target, found, settings, options)
            there = existing.get(target)
            in_sync, copies = (there.in_sync, there.replicas) if there else (created[target].replicas,) * 2
            yield from check_replicas(target, in_sync, copies, settings)


def check_creation(
    created: Mapping[str, NewTopicPlan],
    existing: Mapping[str, TargetTopic],
    options: Options,
    brokers: int,
    refused: Mapping[str, tuple[str, str]],
) -> Iterator[Finding]:
    """Can the missing topics be created as they were planned? `refused`: what the brokers say, and what to do."""
    for new in created.values():
        if new.replicas > brokers:
            yield error(
                new.name,
                f"--replication-factor {new.replicas} needs as many brokers, and the target has {brokers}",
                f"Give --replication-factor {brokers}.",
            )
        elif new.name in refused:
            yield error(new.name, *refused[new.name])
    for name in existing:
        if name in options.topic_config or name in options.partitions_of:
            yield warning(
                name,
                "It exists already and stays as it is: --topic-config and --partitions-of are for new topics",
                "Change it yourself, or map the records with -m to a new topic.",
            )


def check_transactions(longest_ms: int | None) -> Iterator[Finding]:
    """Do the brokers allow transactions as long as ours may last? `longest_ms`: None where they don't tell."""
    if longest_ms is not None and longest_ms < TIMEOUT_MS:
        yield error(
            None,
            f"--transactional asks for transactions of up to {TIMEOUT_MS:,} ms, and the brokers' "
            f"transaction.max.timeout.ms allows {longest_ms:,} ms",
            f"Set transaction.max.timeout.ms={TIMEOUT_MS} or more on the brokers, or leave --transactional out.",
        )


def check_objectives(options: Options) -> Iterator[Finding]:
    """Will all that is demanded be measured?"""
    found = unmeasurable(options.objectives, paced=options.pace is not None, probed=options.probe)
    for how in dict.fromkeys(found.values()):
        names = ", ".join(name for name, needed in found.items() if needed == how)
        yield warning(
            None,
            f"Nothing will measure {names}, so --slo will be missed (exit code 5)",
            f"Give {how}, or leave that out of --slo.",
        )


def check_space(
    spaces: Sequence[Space], counts: Mapping[str, int], settings: Mapping[str, Mapping[str, str] | None]
) -> Iterator[Finding]:
    """Will the topics keep all that the replay brings?"""
    for space in spaces:
        for what in kept_too_little(space, counts[space.target], settings[space.target] or {}):
            yield warning(
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


def _without_rhythm(survey: Survey, options: Options) -> Finding:
    """Most records would go at once, and look like a replay that was exact."""
    how = f"{survey.wild:,} of {survey.records:,} records"
    if options.time_basis == "append":
        return warning(
            None,
            f"{how} have no append time: they go with the records before them, without a rhythm of their own",
            "Give --time-basis create, or leave their topics out with -x.",
        )
    return warning(
        None,
        f"{how} have no usable timestamp (none, before 1970, or long after the recording): they go with the "
        "records before them, without a rhythm of their own",
        "Give --time-basis offset with --pps to choose one.",
    )


def _missing(target: str, found: TopicSurvey) -> Finding:
    if not found.records:
        return warning(target, "The topic does not exist; nothing will be sent to it", "Give --create-topics.")
    return error(
        target, "The topic does not exist", "Give --create-topics to create it as it was recorded, or map it with -m."
    )


def _check_partitions(
    target: str, present: int, placed: Sequence[Placement], found: TopicSurvey, options: Options
) -> Iterator[Finding]:
    """Has the topic the partitions that records go to, and will they lie where they lay?"""
    has = f"It has {count_of(present, 'partition')}"
    more = f"kafka-topics.sh --alter --topic {target} --partitions"
    for one in placed:
        recorded = f"the recorded one has {one.recorded}"
        if one.by == "map":
            ours = {place: goes for place, goes in options.partition_map.items() if place[0] == one.topic}
            beyond = [f"{topic}/{number} -> {goes}" for (topic, number), goes in ours.items() if goes >= present]
            kept = [number for number in range(present, one.recorded) if (one.topic, number) not in ours]
            if beyond:
                yield error(target, f"{has}, and --partitions maps {', '.join(beyond)}", "Correct the map.")
            if kept:
                what = f"{has}, {recorded}, and --partitions does not map {', '.join(map(str, kept))}"
                yield error(target, what, "Map them as well.")
        elif one.by == "hash" and present != one.recorded:
            yield warning(
                target,
                f"{has}, {recorded}: keys go where Java's hash puts them, records without a key to their recorded "
                f"partition modulo {present}; keys that shared a partition may change their order among each other",
                "Use a topic with as many partitions if that matters"
                + (", or give --partitions keep." if present > one.recorded else "."),
            )
        elif one.by == "keep" and present < one.recorded:
            yield (error if found.records else warning)(
                target,
                f"{has}, {recorded}, and --partitions keep leaves the others nowhere to go",
                f"Leave it out to have keys hashed, add some ({more} {one.recorded}), or give --partitions map:FILE.",
            )
        elif one.by == "keep" and present > one.recorded:
            yield warning(
                target,
                f"{has}, {recorded}: records keep their recorded partition, producers that hash keys would choose "
                "another",
                "Leave --partitions keep out if that matters.",
            )


def check_calibration_topic(name: str, targets: set[str], *, exists: bool) -> None:
    """UsageError or BlackboxError when `name` can't be calibrated in."""
    if name in targets:
        raise UsageError(f"--calibrate-topic {name} is a topic that this replay writes to: give another one.")
    if not exists:
        raise BlackboxError(f"--calibrate-topic {name} does not exist on the target, and is not created: create it.")
