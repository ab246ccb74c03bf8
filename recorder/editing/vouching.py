"""The report of a clean capture that was made from clean ones: who vouches that its records are theirs, unchanged.

It is signed only with the key that signed the parents' reports: else a forged capture could get a true signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recorder.capture.manifest import Manifest
from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.scrubbing.report import REPORT_VERSION, Proof, Report, check_report, partitions_of, write_report
from recorder.scrubbing.reporting import versions
from recorder.scrubbing.signing import Signer
from recorder.scrubbing.stamp import detectors_run


def check_parents(parents: Sequence[Capture], signer: Signer) -> None:
    """UsageError unless each parent is whole and its report was signed with the very same key."""
    for parent in parents:
        failures = [check for check in check_report(parent.root, signer.verifier) if check.status == "FAILED"]
        if failures:
            raise UsageError(
                f"{parent.root} is not what key {signer.key_id} signed ({failures[0].where}: {failures[0].detail}). "
                "A part of it is signed only with the key of the whole: run 'blackbox verify-clean --public-key', "
                "or leave the key out."
            )


def vouch(root: Path, made: Manifest, signer: Signer) -> None:
    """Write the signed report of a stamped capture whose manifest is about to be written. Raises OSError."""
    stamp = made.clean
    assert stamp is not None
    report = Report(
        report_version=REPORT_VERSION,
        capture_id=made.capture_id,
        parent_id=made.lineage[-1].parent_id,
        made_at_ms=stamp.stamped_at_ms,
        versions=versions(),
        policy_sha256=stamp.policy_sha256,
        secret_key_id=stamp.checks.get("secret", ""),
        signing_key_id=None,
        records=made.records,
        prologue_records=made.prologue_records,
        originals=0,
        detectors=detectors_run(stamp.counts),
        partitions=partitions_of(made),
        counts=(),
        ledger=(),
        spaces=(),
        kept=(),
        proofs=tuple(Proof(check=name, result=text) for name, text in stamp.checks.items()),
    )
    write_report(root, made, report, signer)
