"""The sentences that a scrub ends with when it may not go on; never with an original value in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from desensitizers.plan import Plan
from desensitizers.proof.chance import Verdict
from desensitizers.sink import Problem
from recorder.capture.manifest import Manifest
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.prove import Leak, Proven
from recorder.wording import counted

_SHOWN = 20


def refuse_unnamed_topics(plan: Plan, manifest: Manifest) -> None:
    """ScrubError when a topic that holds records has no entry in the policy."""
    unnamed = [
        topic for topic in manifest.topics if topic.records + topic.prologue_records and not plan.covers(topic.name)
    ]
    if unnamed:
        lines = "\n".join(
            f'  - match: "{topic.name}"   # {counted(topic.records + topic.prologue_records, "record")}'
            for topic in unnamed
        )
        raise ScrubError(
            f"The policy {plan.spec.file} does not name {counted(len(unnamed), 'topic')} of this capture, "
            f"and what is not named does not pass. Add under topics:\n{lines}"
        )


def refuse(problems: Iterable[Problem]) -> None:
    """ScrubError when there is any problem, with the number of records and where each was met first."""
    merged: dict[tuple[str, str, str, str], Problem] = {}
    for problem in problems:
        place = (problem.topic, problem.place, problem.path, problem.reason)
        known = merged.get(place)
        count = problem.count + (known.count if known else 0)
        merged[place] = replace(known or problem, count=count)
    if not merged:
        return
    lines = [f"  {problem}" for problem in list(merged.values())[:_SHOWN]]
    if len(merged) > _SHOWN:
        lines.append(f"  … and {len(merged) - _SHOWN} more")
    records = sum(problem.count for problem in merged.values())
    raise ScrubError(
        f"No copy was made: the policy does not answer for {len(merged)} places ({records:,} times):\n"
        + "\n".join(lines)
    )


def refuse_leaks(proofs: Sequence[Proven], verdict: Verdict | None) -> None:
    """ScrubError when anything was found that should be gone; `verdict` is on originals inside random ids."""
    hits: Counter[str] = Counter()
    for proof in proofs:
        hits.update(dict(proof.hits))
    if hits:
        sentence = leak_sentence([leak for proof in proofs for leak in proof.leaks], hits)
        raise ScrubError(sentence if verdict is None else f"{sentence}\n{verdict}")


def refuse_found(leaks: Sequence[Leak]) -> None:
    """ScrubError when there is any."""
    if leaks:
        raise ScrubError(leak_sentence(leaks, Counter(leak.what for leak in leaks)))


def leak_sentence(leaks: Sequence[Leak], hits: Counter[str]) -> str:
    """What was found, how often, and where first."""
    counted = ", ".join(f"{number:,} × {what}" for what, number in sorted(hits.items()))
    lines = "\n".join(f"  {leak}" for leak in leaks[:_SHOWN])
    return (
        f"No copy was made: the proof found what should be gone ({counted}):\n{lines}\n"
        "Give these places a rule that removes it (scan for free text); where an original is no secret by itself, "
        "write learn: false at the rule that replaced it."
    )
