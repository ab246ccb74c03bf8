"""Is this capture clean? Checks that anybody can repeat with the copy alone, and one that needs the original.

Without anything else: every file is the stamped one, the manifest is untouched, and no detector finds anything real.
With the parent capture and the policy: its originals are collected again and searched again.
"""

from __future__ import annotations

import functools
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import msgspec

from desensitizers.detectors import PROOF_DEFAULT
from desensitizers.policy import Policy
from desensitizers.proof.spill import Spill
from recorder.capture.locations import Location
from recorder.capture.manifest import MANIFEST_NAME
from recorder.capture.reader import Capture, open_capture
from recorder.capture.verify import Check, verify
from recorder.errors import CaptureError
from recorder.payloads.snapshot import read_schemas
from recorder.scrubbing.chance import told_from_chance
from recorder.scrubbing.jobs import Run
from recorder.scrubbing.planted import missed_canaries
from recorder.scrubbing.prove import Proven, prove, prove_manifest
from recorder.scrubbing.report import check_report
from recorder.scrubbing.scrub import learn_all, mapped, places, sharpen_all
from recorder.scrubbing.signing import Verifier
from recorder.scrubbing.stamp import detectors_run, is_intact
from recorder.wording import counted

_SHOWN = 10


def verify_clean(
    path: str | Location,
    *,
    parent: Capture | None = None,
    policy: Policy | None = None,
    executor: Executor | None = None,
    progress: Callable[[int], None] | None = None,
    verifier: Verifier | None = None,
) -> list[Check]:
    """Check a clean capture. `parent` and `policy` together make it search the parent's originals too.

    With a `verifier` the report must be there, signed by its private counterpart.

    Never raises for what is wrong with the copy. A path that holds no capture raises UsageError; a parent that
    the policy does not answer for raises ScrubError.
    """
    advance = progress or (lambda _bytes: None)
    checks = [_strict(check) for check in verify(path, executor=executor, progress=advance)]
    try:
        capture = open_capture(path)
    except CaptureError:
        return checks
    checks.append(_check_stamp(capture))
    checks += check_report(capture.root, verifier)
    checks += _check_withheld(capture, parent)
    if any(check.status == "FAILED" and check.name in ("segment", "manifest") for check in checks):
        return [*checks, Check("leaks", "SKIPPED", str(capture.root), "the capture is not whole")]
    if parent is None or policy is None:
        checks.append(Check("originals", "SKIPPED", str(capture.root), "needs the parent capture and the policy"))
        return checks + _check_leaks(capture, None, executor, advance)
    work = Path(tempfile.mkdtemp(prefix="blackbox-verify-clean-"))
    try:
        checks.append(_check_parent(capture, parent, policy))
        spill, detail = _originals(parent, policy, work, executor)
        missed = missed_canaries(work / "canaries")
        checks.append(
            Check("canaries", "FAILED", "search", f"{len(missed)} planted originals were not found")
            if missed
            else Check("canaries", "PASSED", "search", "every planted original was found, in every encoding")
        )
        checks.append(Check("originals", "PASSED", str(parent.root), detail))
        return checks + _check_leaks(capture, spill, executor, advance)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _strict(check: Check) -> Check:
    """In a clean capture a file that is not stamped is never harmless."""
    if check.name == "files" and check.status == "WARNING":
        return Check("files", "FAILED", check.where, "is not named in the manifest: it was added later")
    return check


def _check_stamp(capture: Capture) -> Check:
    where = str(capture.root / MANIFEST_NAME)
    stamp = capture.manifest.clean
    if stamp is None:
        return Check("stamp", "FAILED", where, "there is none: this capture was never scrubbed, or not to the end")
    if not is_intact(capture.manifest):
        return Check("stamp", "FAILED", where, "its digest is not the manifest's: the manifest was altered")
    detail = f"policy {stamp.policy_sha256[:12]}, {stamp.tool}"
    if not isinstance(stamp.proofs, msgspec.UnsetType):
        detail += f"; its records are those of proven captures: {', '.join(one.capture_id for one in stamp.proofs)}"
    return Check("stamp", "PASSED", where, detail)


def _check_parent(capture: Capture, parent: Capture, policy: Policy) -> Check:
    stamp = capture.manifest.clean
    steps = capture.manifest.lineage
    # A cut or a merge holds what scrubs before it made; only these had originals to remove.
    derived = stamp is not None and not isinstance(stamp.proofs, msgspec.UnsetType)
    made_from = {step.parent_id for step in (steps if derived else steps[-1:]) if not derived or step.verb == "scrub"}
    if parent.manifest.capture_id not in made_from:
        return Check("parent", "FAILED", str(parent.root), "is not the capture that this one was made from")
    if len(made_from) > 1:
        others = f"{len(made_from) - 1} other captures were scrubbed for it: check against each"
        return Check("parent", "WARNING", str(parent.root), others)
    if stamp is not None and stamp.policy_sha256 != policy.sha256:
        return Check("parent", "WARNING", policy.spec.file, "the policy was changed since this copy was made")
    return Check("parent", "PASSED", str(parent.root), "this copy was made from it by this policy")


def _check_withheld(capture: Capture, parent: Capture | None) -> list[Check]:
    """What is missing for being in quarantine; against its parent, nothing else may be missing."""
    withheld = sum(one.missing("quarantined") for _topic, one in capture.manifest.topic_partitions())
    found = []
    if parent is not None and capture.manifest.lineage[-1].parent_id == parent.manifest.capture_id:
        were = {(topic.name, one.partition): one for topic, one in parent.manifest.topic_partitions()}
        for topic, one in capture.manifest.topic_partitions():
            was = were.get((topic.name, one.partition))
            gone = (was.records if was else 0) - one.records
            told = one.missing("quarantined") - (was.missing("quarantined") if was else 0)
            if gone != told:
                detail = f"missing of the parent: {counted(gone, 'record')}; in quarantine: {told:,}"
                found.append(Check("quarantine", "FAILED", f"{topic.name}/{one.partition}", detail))
    if not found and withheld:
        detail = f"in quarantine: {counted(withheld, 'record')}, whose offsets the ledger names"
        found.append(Check("quarantine", "PASSED", str(capture.root), detail))
    return found


def _originals(parent: Capture, policy: Policy, work: Path, executor: Executor | None) -> tuple[Spill, str]:
    spill = Spill(work / "originals")
    run = Run(secrets.token_hex(8), policy, spill, True, read_schemas(parent.root, parent.manifest))
    run_all: Any = functools.partial(mapped, executor)
    learn_all(run, places(parent), run_all, lambda _stage, _bytes: None)
    found, searched, thresholds = sharpen_all(run, parent, run_all)
    return spill, f"{found:,} different ones, {searched:,} searched (bare numbers from {thresholds.number} digits)"


def _check_leaks(
    capture: Capture, spill: Spill | None, executor: Executor | None, advance: Callable[[int], None]
) -> list[Check]:
    stamp = capture.manifest.clean
    detectors = (detectors_run(stamp.counts) if stamp else ()) or PROOF_DEFAULT
    work = places(capture)
    schemas = read_schemas(capture.root, capture.manifest)
    jobs = [(capture.root, (place.segment,), detectors, spill, schemas) for place in work]
    found: list[Check] = []
    hits: Counter[str] = Counter()
    run_all: Any = functools.partial(mapped, executor)
    proofs: list[Proven] = []
    for place, proof in zip(work, run_all(prove, jobs, lazy=True), strict=True):
        proofs.append(proof)
        advance(place.segment.bytes)
    if spill is not None:
        segments = [(place.segment,) for place in work]
        proofs, verdict = told_from_chance(capture.root, segments, proofs, spill, schemas, run_all)
        if verdict is not None:
            found.append(Check("chance", "WARNING" if verdict.by_chance else "FAILED", str(capture.root), str(verdict)))
    for place, proof in zip(work, proofs, strict=True):
        hits.update(dict(proof.hits))
        found += [Check("leaks", "FAILED", place.segment.path, str(leak)) for leak in proof.leaks]
    for leak in prove_manifest(capture.manifest, schemas, detectors, spill):
        hits[leak.what] += 1
        found.append(Check("leaks", "FAILED", MANIFEST_NAME, str(leak)))
    if hits:
        counted = ", ".join(f"{number:,} × {what}" for what, number in sorted(hits.items()))
        return [*found[:_SHOWN], Check("leaks", "FAILED", str(capture.root), f"found in all: {counted}")]
    searched = f"{', '.join(detectors)}{'' if spill is None else ' and every original'}"
    return [*found, Check("leaks", "PASSED", str(capture.root), f"nothing found by {searched}")]
