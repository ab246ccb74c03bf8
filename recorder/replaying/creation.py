"""Topics for a target that lacks them: like the recorded ones, and such that the recorded records fit."""

from __future__ import annotations

from collections.abc import Mapping

from recorder.kafka.target import TOPIC_SETTINGS, NewTopicPlan
from recorder.replaying.options import Options
from recorder.replaying.routes import Routes
from recorder.replaying.survey import TopicSurvey

BATCH_OVERHEAD = 61  # the head of a record batch
FOREVER = "9223372036854775807"


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
    replicas = min(3, brokers)
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
    partitions = max(routes.partitions[target], 1)
    return NewTopicPlan(target, partitions, replicas, kept, tuple(notes))
