"""Which rule each path of a capture meets, and what would stop a copy: the policy at work on every record, for show.

Nothing is written, and no value is told.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from desensitizers.explaining import Explanation, Told
from desensitizers.policy import Policy
from desensitizers.sink import Problem
from recorder.capture.promises import check_promises
from recorder.capture.reader import Capture
from recorder.payloads.snapshot import read_schemas
from recorder.scrubbing.jobs import batches
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.schemas import CaptureSchemas
from recorder.scrubbing.scrub import check_schemas, places


@dataclass(frozen=True, slots=True)
class Explained:
    """Places in the order that they were met, what would fail beside them, and topics that no entry names."""

    told: tuple[Told, ...]
    problems: tuple[Problem, ...]
    unnamed_topics: tuple[str, ...]
    quarantined: tuple[Problem, ...] = ()
    """What would go to quarantine beside the places told, by number of records; `reason` begins with the cause."""

    @property
    def fails(self) -> int:
        """How many things would stop a copy."""
        return sum(not one.rule for one in self.told) + len(self.problems) + len(self.unnamed_topics)


class AnySecret(dict[str, str]):
    """An environment in which every secret stands: a policy can be looked at without the one that keys its copies."""

    def get(self, name: str, default: object = None) -> str:
        return secrets.token_hex(32)


def load_to_explain(path: Path) -> Policy:
    """The policy under a secret made up for the moment. Raises UsageError with file, line and suggestion."""
    return load_policy(path, AnySecret())


def explain(capture: Capture, policy: Policy, progress: Callable[[int], None] | None = None) -> Explained:
    """Works through all records of a capture; `progress` is told bytes of segments.

    Raises UsageError for a rule that a schema can't hold, CaptureError on torn data.
    """
    schemas = read_schemas(capture.root, capture.manifest)
    check_schemas(policy, capture.manifest, schemas)
    explanation = Explanation()
    plan = policy.plan(schemas=CaptureSchemas(schemas), explanation=explanation)
    filled = [topic.name for topic in capture.manifest.topics if topic.records + topic.prologue_records]
    problems: dict[tuple[str, str, str, str], Problem] = {}
    withheld: Counter[tuple[str, str, str, str]] = Counter()
    topics = {name: plan.for_topic(name) for name in filled if plan.covers(name)}
    check_promises(capture.root, capture.manifest)
    for place in places(capture):
        explanation.topic = place.topic
        for batch in batches(place.root, place.segment) if place.topic in topics else ():
            done = topics[place.topic].apply(batch)
            for problem in done.problems:
                problems.setdefault((problem.topic, problem.place, problem.path, problem.reason), problem)
            for one in done.withheld:
                key = (place.topic, one.place, one.path, f"{one.cause}: {one.reason}")
                withheld[key] += 1
            plan.findings.originals.clear()
            plan.findings.pairs.clear()
        if progress:
            progress(place.segment.bytes)
    unnamed = tuple(name for name in filled if not plan.covers(name))
    quarantined = tuple(Problem(*what, number) for what, number in withheld.items())
    return Explained(tuple(explanation.told.values()), tuple(problems.values()), unnamed, quarantined)
