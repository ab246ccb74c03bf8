"""Would a topic of the target take its records as it is set up, and keep them as they are?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from recorder.kafka.target import TargetTopic
from recorder.replaying.creation import BATCH_OVERHEAD
from recorder.replaying.findings import Finding, count_of, error, warning
from recorder.replaying.options import Options
from recorder.replaying.survey import TopicSurvey
from recorder.window import format_duration

_FAR_MS = 31_536_000_000_000  # a thousand years: beyond it a span says nothing to anybody


def check_rights(topic: TargetTopic, options: Options) -> Iterator[Finding]:
    if topic.may_write is False:
        yield error(topic.name, "We may not write to it", "Ask for the right WRITE on the topic.")
    reading = [flag for flag, given in (("--prove", options.prove), ("--probe", options.probe)) if given]
    if reading and topic.may_read is False:
        flags = " and ".join(reading)
        yield error(
            topic.name,
            f"We may not read it, as {flags} would",
            f"Ask for the right READ on the topic, or omit {flags}.",
        )


def check_replicas(
    topic: str, in_sync: int | None, replicas: int | None, settings: Mapping[str, str]
) -> Iterator[Finding]:
    """Are there as many copies as a record needs? Newer brokers never ask for more than a partition has at all."""
    least = int(settings.get("min.insync.replicas", "1"))
    if in_sync is None or in_sync >= least:
        return
    if replicas is not None and in_sync >= replicas:
        yield warning(
            topic,
            f"min.insync.replicas is {least}, and its partitions have {count_of(replicas, 'replica')}: "
            "older brokers take no records then",
            "Lower min.insync.replicas if these do so.",
        )
        return
    yield error(
        topic,
        f"min.insync.replicas is {least}, and a partition has {count_of(in_sync, 'replica')} in sync: "
        "it takes no records",
        "Start the missing brokers, or lower min.insync.replicas.",
    )


def check_settings(topic: str, found: TopicSurvey, settings: Mapping[str, str], options: Options) -> Iterator[Finding]:
    limit = int(settings.get("max.message.bytes", "1048588"))
    if found.largest + BATCH_OVERHEAD > limit:
        yield error(
            topic,
            f"Its largest record has {found.largest:,} bytes before compression, max.message.bytes is {limit:,}",
            f"Set max.message.bytes={found.largest + BATCH_OVERHEAD} on the topic.",
        )
    policy = settings.get("cleanup.policy", "delete")
    if "compact" in policy:
        if found.without_key:
            yield error(
                topic,
                f"It is compacted and takes no records without a key; there are {found.without_key:,}",
                "Map it with -m to a topic with cleanup.policy=delete.",
            )
        yield warning(
            topic,
            "It is compacted: records may vanish soon after, and a window of such a topic is not its whole state",
            "Replay into a topic with cleanup.policy=delete if consumers must see every record.",
        )
    if settings.get("message.timestamp.type") == "LogAppendTime":
        yield warning(
            topic,
            "It stamps records with the time of arrival (message.timestamp.type=LogAppendTime): ours are replaced",
            "Set message.timestamp.type=CreateTime to keep them.",
        )
    elif options.timestamps != "now":
        yield from _check_timestamps(topic, found, settings)
        retention = int(settings.get("retention.ms", "604800000"))
        if "delete" in policy and 0 <= retention < found.behind_ms:
            yield warning(
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
            yield error(
                topic,
                f"A timestamp lies {_span(worst)} {where} the time of sending, {setting} allows {_span(limit)}: "
                "the broker would refuse the record",
                f"Raise {setting} on the topic, or give --timestamps now.",
            )


def _span(duration_ms: float) -> str:
    return format_duration(duration_ms) if duration_ms < _FAR_MS else "more than 1000 years"
