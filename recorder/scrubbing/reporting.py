"""Gathers the facts of a finished scrub into its report."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import msgspec

from desensitizers.policy import Policy
from desensitizers.proof.uniqueness import Tally
from recorder.capture.manifest import Manifest
from recorder.scrubbing.accounts import KINDS, Account
from recorder.scrubbing.anonymity import Kept as KeptFields
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.jobs import Place, Rewritten
from recorder.scrubbing.prove import Proven
from recorder.scrubbing.quarantine.writing import Kept
from recorder.scrubbing.report import (
    REPORT_VERSION,
    Count,
    Proof,
    Quarantined,
    Report,
    Space,
    ledger_lines,
    partitions_of,
)
from recorder.scrubbing.stamp import detectors_run

_LIBRARIES = ("kafka-blackbox", "cryptography", "pyarrow")


def check_ledger(places: Sequence[Place], rewritten: Sequence[Rewritten], proofs: Sequence[Proven]) -> str:
    """ScrubError when a payload is missing from the finished bytes, or too many; else a sentence with numbers."""
    seen = held = 0
    for place, result, proof in zip(places, rewritten, proofs, strict=True):
        if result.records + result.withheld_records != place.segment.records:
            raise ScrubError(
                f"The ledger of {place.segment.path} does not balance: {place.segment.records:,} records seen, "
                f"{result.withheld_records:,} quarantined, and {result.records:,} in the copy. No copy was made."
            )
        for kind, account, there in zip(KINDS, result.accounts, proof.held, strict=True):
            if not account.balanced or account.held != there:
                raise ScrubError(
                    f"The ledger of {place.segment.path} does not balance: {account.seen:,} {kind} seen, "
                    f"{account.kept:,} kept, {account.masked:,} masked, {account.dropped:,} dropped, "
                    f"{account.quarantined:,} quarantined, and {there:,} in the copy. No copy was made."
                )
            seen, held = seen + account.seen, held + there
    return f"{seen:,} keys, values and headers seen = {held:,} kept or masked + {seen - held:,} dropped or quarantined"


def check_key_order(places: Sequence[Place], rewritten: Sequence[Rewritten], proofs: Sequence[Proven]) -> None:
    """ScrubError when records that shared a key don't, or others do; where all keys were removed there is no order."""
    for place, result, proof in zip(places, rewritten, proofs, strict=True):
        if proof.key_order and proof.key_order != result.key_order:
            raise ScrubError(
                f"In {place.segment.path} records share their keys in another way than before: no copy was made. "
                "Use a rule that keeps different keys different (token, fpe, a domain)."
            )


def make_report(
    manifest: Manifest,
    policy: Policy,
    places: Sequence[Place],
    rewritten: Sequence[Rewritten],
    spaces: Mapping[str, Tally],
    fields: tuple[KeptFields, ...],
    kept: Kept | None,
) -> Report:
    """The report of a copy whose stamped manifest is about to be written; without files or a signature."""
    stamp = manifest.clean
    assert stamp is not None
    return Report(
        report_version=REPORT_VERSION,
        capture_id=manifest.capture_id,
        parent_id=manifest.lineage[-1].parent_id,
        made_at_ms=stamp.stamped_at_ms,
        versions=versions() | {one.what: str(one) for one in policy.spec.foreign},
        policy_sha256=policy.sha256,
        secret_key_id=policy.keyring.key_id(),
        signing_key_id=None,
        records=manifest.records,
        prologue_records=manifest.prologue_records,
        originals=stamp.counts["originals"],
        detectors=detectors_run(stamp.counts),
        partitions=partitions_of(manifest),
        counts=_counts(places, rewritten),
        ledger=ledger_lines(_accounts(places, rewritten)),
        spaces=tuple(
            Space(space=name, originals=tally.originals, results=tally.results, pairs=tally.pairs)
            for name, tally in spaces.items()
        ),
        kept=fields,
        quarantine=msgspec.UNSET if kept is None else _quarantined(kept),
        proofs=tuple(Proof(check=name, result=text) for name, text in stamp.checks.items()),
    )


def versions() -> dict[str, str]:
    """Of this program, and of what its results depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}


def _quarantined(kept: Kept) -> Quarantined:
    return Quarantined(
        recipient=kept.recipient,
        bytes=kept.bytes,
        sha256=kept.sha256,
        records=kept.summary.records,
        lines=kept.summary.lines,
    )


def texts_of(report: Report) -> list[str]:
    """What of a report is not this program's own words or numbers: names of topics, headers and paths."""
    texts = [text for one in report.counts for text in (one.topic, one.place.removeprefix("header "), one.path)]
    texts += [field.path for kept in report.kept for field in kept.fields]
    return list(dict.fromkeys([*texts, *(space.space.removeprefix("key of ") for space in report.spaces)]))


def _counts(places: Sequence[Place], rewritten: Sequence[Rewritten]) -> tuple[Count, ...]:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for place, result in zip(places, rewritten, strict=True):
        for (where, path, rule), number in result.counts:
            found[place.topic, where, "" if path == "$" else path, rule] += number
    return tuple(
        Count(topic=topic, place=where, path=path, rule=rule, leaves=number)
        for (topic, where, path, rule), number in sorted(found.items())
    )


def _accounts(places: Sequence[Place], rewritten: Sequence[Rewritten]) -> dict[tuple[str, str], Account]:
    found: dict[tuple[str, str], Account] = {}
    for place, result in zip(places, rewritten, strict=True):
        for kind, account in zip(KINDS, result.accounts, strict=True):
            found[place.topic, kind] = found.get((place.topic, kind), Account()) + account
    return found
