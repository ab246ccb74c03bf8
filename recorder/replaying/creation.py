"""Topics for a target that lacks them: like the recorded ones, and such that the recorded records fit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from recorder.errors import UsageError
from recorder.kafka.target import KAFKA_DEFAULTS, TOPIC_SETTINGS, NewTopicPlan
from recorder.replaying.options import Options
from recorder.replaying.routes import Routes
from recorder.replaying.survey import TopicSurvey

BATCH_OVERHEAD = 61  # the head of a record batch
FOREVER = "9223372036854775807"
EVERY = "*"
_SETTING = re.compile(r"(?P<topic>[a-zA-Z0-9._-]{1,249}|\*):(?P<name>[a-z][a-z.]*)=(?P<value>.*)")
_NUMBER = re.compile(r"-?\d{1,19}", re.ASCII)
_COUNT = re.compile(r"(?P<topic>[a-zA-Z0-9._-]{1,249})=(?P<count>[1-9]\d{0,5})", re.ASCII)


def plan_topic(
    target: str, routes: Routes, found: TopicSurvey, options: Options, *, brokers: int, defaults: Mapping[str, str]
) -> NewTopicPlan:
    """A topic with the recorded partitions and settings, replicated as far as the target's brokers go.

    Settings that would lose records (deleted as old, refused as too large or too far in the future) are widened.
    """
    recorded = routes.sources(target)[0].config
    notes = [] if recorded is not None else ["its recorded settings are unknown: the target's defaults"]
    kept = {name: value for name, value in (recorded or {}).items() if name in TOPIC_SETTINGS}
    left = sorted(set(recorded or {}) - set(kept))
    if left:
        notes.append(f"not copied: {', '.join(left)}")
    replicas = min(3, brokers) if options.replication_factor is None else options.replication_factor
    if int(kept.get("min.insync.replicas", "1")) > replicas:
        kept["min.insync.replicas"] = str(replicas)
        notes.append(f"min.insync.replicas={replicas}, as the target has {brokers} brokers")

    def widen(name: str, value: str, why: str) -> None:
        kept[name] = value
        notes.append(f"{name}={value}, {why}")

    settings = {**defaults, **kept}
    if found.largest + BATCH_OVERHEAD > int(settings["max.message.bytes"]):
        widen("max.message.bytes", str(found.largest + BATCH_OVERHEAD), "for its largest record")
    if found.ahead_ms > int(settings["message.timestamp.after.max.ms"]):
        widen("message.timestamp.after.max.ms", FOREVER, "for timestamps in the future")
    if found.behind_ms > int(settings["message.timestamp.before.max.ms"]):
        widen("message.timestamp.before.max.ms", FOREVER, "for timestamps in the past")
    retention = int(settings["retention.ms"])
    deletes = "delete" in settings["cleanup.policy"]
    if options.timestamps != "now" and deletes and 0 <= retention < found.behind_ms:
        widen("retention.ms", "-1", "or the replayed records would be deleted as too old")
    chosen = {**options.topic_config.get(EVERY, {}), **options.topic_config.get(target, {})}
    if chosen:
        kept |= chosen
        notes = [note for note in notes if note.partition("=")[0] not in chosen]
        notes.append(f"as asked for: {', '.join(sorted(chosen))}")
    partitions = options.partitions_of.get(target, max(routes.partitions[target], 1))
    return NewTopicPlan(target, partitions, replicas, kept, tuple(notes))


def check_named(options: Options, targets: Collection[str]) -> None:
    """UsageError for settings of topics that this replay does not write to."""
    for flag, names in (("--topic-config", options.topic_config), ("--partitions-of", options.partitions_of)):
        for name in names:
            if name != EVERY and name not in targets:
                raise UsageError(f"{flag} names {name}, which this replay does not write to: {', '.join(targets)}.")


def parse_topic_config(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """``orders:retention.ms=-1`` (``*`` for all topics) by topic; UsageError when it is none, or said twice."""
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        match = _SETTING.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"--topic-config '{text}' is no setting: write topic:name=value, or *:name=value for all.")
        settings = found.setdefault(match["topic"], {})
        if match["name"] in settings:
            raise UsageError(f"--topic-config sets {match['name']} of {match['topic']} twice: give it once.")
        if KAFKA_DEFAULTS.get(match["name"], "").lstrip("-").isdigit() and not _NUMBER.fullmatch(match["value"]):
            raise UsageError(f"--topic-config '{text}': {match['name']} is a whole number, and that is none.")
        settings[match["name"]] = match["value"]
    return found


def parse_partitions_of(texts: Sequence[str]) -> dict[str, int]:
    """``orders=12`` by topic; UsageError when it is none, or said twice."""
    found: dict[str, int] = {}
    for text in texts:
        match = _COUNT.fullmatch(text.strip())
        if match is None or match["topic"] in found:
            raise UsageError(f"--partitions-of '{text}' is no count, or given twice: write topic=12.")
        found[match["topic"]] = int(match["count"])
    return found
