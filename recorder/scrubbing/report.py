"""The report of a clean copy: what was removed, by which policy, what was proven, and every file's hash, signed.

`report.json` holds the facts and the signature over them, `report.html` the same for a person. The report names the
manifest's SHA-256, and so nothing of a signed copy can change unseen. It never holds an original or a key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from recorder.capture.durable import write_atomically
from recorder.capture.locations import Location, names_below, whole
from recorder.capture.manifest import MANIFEST_NAME, REPORT_NAME, REPORT_PAGE_NAME, Manifest, SchemaFile, encode
from recorder.capture.verify import Check
from recorder.scrubbing.accounts import Account
from recorder.scrubbing.anonymity import Kept
from recorder.scrubbing.quarantine.records import Line
from recorder.scrubbing.report_page import page
from recorder.scrubbing.signing import Signer, Verifier

REPORT_VERSION = 1
_CONTEXT = b"kafka-blackbox report 1\n"
"""Stands before what is signed, so that a signature made for something else never fits."""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule did at a place of a topic; keys that repeat are counted once."""

    topic: str
    place: str
    path: str
    rule: str
    leaves: int


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """A domain, or the keys of a topic: as many results as originals, and as many pairs."""

    space: str
    originals: int
    results: int
    pairs: int


class Partitions(msgspec.Struct, frozen=True, kw_only=True):
    """A topic's partitions with their records: those of the capture, less the withheld."""

    topic: str
    records: tuple[int, ...]
    prologue: tuple[int, ...]


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """seen = kept + masked + dropped + quarantined."""

    topic: str
    kind: str
    seen: int
    kept: int
    masked: int
    dropped: int
    quarantined: int


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A check and what it gave, with numbers."""

    check: str
    result: str


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """The file that holds what was withheld: whose key opens it, what it is, and counts by topic, place and cause."""

    recipient: str
    bytes: int
    sha256: str
    records: int
    lines: tuple[Line, ...]


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the copy."""

    path: str
    bytes: int
    sha256: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed."""

    report_version: int
    capture_id: str
    parent_id: str | None
    made_at_ms: int
    versions: dict[str, str]
    policy_sha256: str
    secret_key_id: str
    signing_key_id: str | None
    records: int
    prologue_records: int
    originals: int
    detectors: tuple[str, ...]
    partitions: tuple[Partitions, ...]
    counts: tuple[Count, ...]
    ledger: tuple[LedgerLine, ...]
    spaces: tuple[Space, ...]
    kept: tuple[Kept, ...]
    proofs: tuple[Proof, ...]
    files: tuple[File, ...] = ()
    quarantine: Quarantined | msgspec.UnsetType = msgspec.UNSET
    """Left out where nothing was withheld."""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """The file `report.json`; `signature` (Ed25519, base64) is None when nobody signed."""

    report: Report
    signature: str | None


def ledger_lines(accounts: Mapping[tuple[str, str], Account]) -> tuple[LedgerLine, ...]:
    """By (topic, kind)."""
    return tuple(
        LedgerLine(
            topic=topic,
            kind=kind,
            seen=one.seen,
            kept=one.kept,
            masked=one.masked,
            dropped=one.dropped,
            quarantined=one.quarantined,
        )
        for (topic, kind), one in accounts.items()
    )


def partitions_of(manifest: Manifest) -> tuple[Partitions, ...]:
    return tuple(
        Partitions(
            topic=topic.name,
            records=tuple(one.records for one in topic.partitions),
            prologue=tuple(one.prologue.records if one.prologue else 0 for one in topic.partitions),
        )
        for topic in manifest.topics
    )


def write_report(root: Path, manifest: Manifest, report: Report, signer: Signer | None) -> Signed:
    """Write both files of the report into a copy whose manifest is about to be written. Raises OSError."""
    report = msgspec.structs.replace(report, signing_key_id=signer.key_id if signer else None)
    html = page(report).encode()
    files = [
        *_segment_files(manifest),
        _file(MANIFEST_NAME, encode(manifest)),
        _file(REPORT_PAGE_NAME, html),
    ]
    report = msgspec.structs.replace(report, files=tuple(sorted(files, key=lambda file: file.path)))
    signed = Signed(report=report, signature=signer.sign(_message(report)) if signer else None)
    write_atomically(root / REPORT_PAGE_NAME, html)
    write_atomically(root / REPORT_NAME, _encoded(signed))
    return signed


def check_report(root: Location, verifier: Verifier | None) -> list[Check]:
    """The report against the files of the copy, and its signature against the public key, when there is one."""
    try:
        raw = (root / REPORT_NAME).read_bytes()
    except OSError:
        missing = "there is no report: it was removed, or this capture was cut or merged after the proof"
        return [Check("report", "FAILED" if verifier else "SKIPPED", REPORT_NAME, missing)]
    try:
        signed = msgspec.json.decode(raw, type=Signed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [Check("report", "FAILED", REPORT_NAME, "is no report that can be read: it was altered")]
    checks = [_check_signature(signed, verifier)]
    if raw != _encoded(signed):
        checks.append(Check("report", "FAILED", REPORT_NAME, "was edited: it is not as it was written"))
    problems = list(_differences(root, signed.report))
    checks += [Check("report", "FAILED", name, problem) for name, problem in problems]
    if not problems:
        names = f"the {len(signed.report.files):,} files are those of the report"
        checks.append(Check("report", "PASSED", REPORT_NAME, names))
    return checks


def _check_signature(signed: Signed, verifier: Verifier | None) -> Check:
    key_id = signed.report.signing_key_id
    if verifier is None:
        detail = f"signed by key {key_id}; give --public-key to check it" if signed.signature else "not signed"
        return Check("signature", "SKIPPED", REPORT_NAME, detail)
    if signed.signature is None:
        return Check("signature", "FAILED", REPORT_NAME, "the report is not signed: scrub with --signing-key")
    if key_id != verifier.key_id:
        other = f"was signed by another key ({key_id}) than the one given ({verifier.key_id})"
        return Check("signature", "FAILED", REPORT_NAME, other)
    if not verifier.signed(_message(signed.report), signed.signature):
        return Check("signature", "FAILED", REPORT_NAME, "the signature does not fit: the report was edited, or forged")
    return Check("signature", "PASSED", REPORT_NAME, f"signed by key {key_id}")


def _differences(root: Location, report: Report) -> list[tuple[str, str]]:
    named = {file.path: file for file in report.files}
    there = [name for name, _link in names_below(root) if name != REPORT_NAME]
    problems = [(name, "is not named in the report: it was added later") for name in there if name not in named]
    problems += [(name, "is named in the report and missing: it was removed") for name in named.keys() - set(there)]
    for name in sorted(named.keys() & set(there)):
        with whole(root / name) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != named[name].sha256:
            problems.append((name, "is not the file that the report names: it was altered"))
    return problems


def _segment_files(manifest: Manifest) -> list[File]:
    files = [
        File(path=one.path, bytes=one.bytes, sha256=one.sha256)
        for _topic, partition in manifest.topic_partitions()
        for one in partition.files
    ]
    if isinstance(manifest.schemas, SchemaFile):
        files.append(File(path=manifest.schemas.path, bytes=manifest.schemas.bytes, sha256=manifest.schemas.sha256))
    return files


def _file(path: str, content: bytes) -> File:
    return File(path=path, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _message(report: Report) -> bytes:
    return _CONTEXT + msgspec.json.encode(report, order="deterministic")


def _encoded(signed: Signed) -> bytes:
    return msgspec.json.format(msgspec.json.encode(signed, order="deterministic"), indent=1) + b"\n"
