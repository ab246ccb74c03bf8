"""What a capture made from others says of itself: its parents, its history, and whether it is still clean."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from recorder.capture.lineage import new_step, tool_version
from recorder.capture.locations import Location, inside, whole
from recorder.capture.manifest import MANIFEST_NAME, CleanStamp, Manifest, Note, Parent, Proof, Segment, new_capture_id
from recorder.capture.reader import Capture, reading
from recorder.capture.writer import create_directory, finish, reporting_write_errors
from recorder.editing.vouching import vouch
from recorder.errors import CaptureError, UsageError
from recorder.payloads.snapshot import carry_schemas
from recorder.scrubbing.signing import Signer
from recorder.scrubbing.stamp import HITS, detectors_run, is_intact, sealed


@contextmanager
def new_directory(out: Path, parents: Sequence[Capture]) -> Iterator[Path]:
    """The directory of a new capture, which goes again when the block fails; UsageError when `out` can't be one."""
    for parent in parents:
        if out != parent.root and inside(out, parent.root):
            raise UsageError(f"{out} lies inside the capture {parent.root}: choose another directory with -o.")
    create_directory(out)
    try:
        yield out
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def check_file(root: Location, segment: Segment) -> None:
    """CaptureError unless a segment's file is the one that the manifest names."""
    path = root / segment.path
    with reading(path), whole(path) as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != segment.sha256:
            raise CaptureError(
                f"Segment {path} is not the one that the manifest names: it was altered. "
                "Run 'blackbox verify' to see what else was."
            )


def remains_clean(parents: Sequence[Manifest]) -> bool:
    """Whether records taken from all of these, unchanged, are clean together. CaptureError when a stamp is broken.

    Only if each is, and by one policy: what two policies let pass may be personal data when it stands side by side.
    """
    for parent in parents:
        if parent.clean is not None and not is_intact(parent):
            raise CaptureError(
                f"The stamp of the clean capture {parent.capture_id} is not its manifest's: it was altered. "
                "Run 'blackbox verify-clean' to see what else was."
            )
    policies = {parent.clean.policy_sha256 if parent.clean else None for parent in parents}
    return len(policies) == 1 and None not in policies


def finished(
    root: Path,
    manifest: Manifest,
    verb: str,
    parents: Sequence[Capture],
    command: Sequence[str],
    *,
    clean: bool,
    signer: Signer | None = None,
) -> Manifest:
    """Write the manifest with a new id and the step that led to it, stamped if it is `clean`; the capture is whole.

    With a `signer` (see `vouching.check_parents`) a clean one gets a signed report.
    """
    capture_id = new_capture_id()
    single = parents[0].manifest.capture_id if len(parents) == 1 else None
    step = msgspec.structs.replace(
        new_step(verb, capture_id, parent_id=single, command=command),
        parents=tuple(sorted((_parent(one) for one in parents), key=lambda one: one.capture_id)),
    )
    lineage = (*manifest.lineage, step)
    if clean:  # as in a scrubbed copy, nothing names people or machines, or says what somebody looked for
        lineage = tuple(msgspec.structs.replace(one, user=None, host=None, command=()) for one in lineage)
    schemas = carry_schemas(parents, root)
    made = msgspec.structs.replace(manifest, capture_id=capture_id, lineage=lineage, clean=None, schemas=schemas)
    if clean:
        made = sealed(made, _stamp([one.manifest for one in parents], step.at_ms, verb))
        if signer is not None:
            with reporting_write_errors(root):
                vouch(root, made, signer)
    finish(root, made)
    return made


def coarse_notes(topics: Iterable[str]) -> Iterator[Note]:
    """For topics whose ledgers had to be told less finely than their parents' do."""
    for topic in dict.fromkeys(topics):
        text = "its reasons alternate too often to tell what was left out from what was not there; the parents tell it"
        yield Note(level="info", text=text, topic=topic)


def _parent(capture: Capture) -> Parent:
    path = capture.root / MANIFEST_NAME
    with reading(path):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Parent(capture_id=capture.manifest.capture_id, manifest_sha256=digest)


def _stamp(parents: Sequence[Manifest], at_ms: int, verb: str) -> CleanStamp:
    """A stamp that stands on others: what was proven of all records was proven of some of them, byte for byte."""
    stamps = [(parent, parent.clean) for parent in parents if parent.clean is not None]
    proofs: dict[str, Proof] = {}
    for parent, stamp in stamps:
        own = Proof(capture_id=parent.capture_id, digest=stamp.digest, stamped_at_ms=stamp.stamped_at_ms)
        for proof in (own,) if isinstance(stamp.proofs, msgspec.UnsetType) else stamp.proofs:
            proofs[proof.digest] = proof
    detectors = {name for _, stamp in stamps for name in detectors_run(stamp.counts)}
    keys = sorted({text for _, stamp in stamps if (text := stamp.checks.get("secret"))})
    made = "cut from" if verb == "cut" else "merged from"
    names = ", ".join(sorted(proof.capture_id for proof in proofs.values()))
    return CleanStamp(
        policy_sha256=stamps[0][1].policy_sha256,
        stamped_at_ms=at_ms,
        tool=tool_version(),
        counts={f"{HITS}{name}": 0 for name in sorted(detectors)},
        checks={
            "proof": f"{made} what was proven clean ({names}): records unchanged, every file read was the stamped one; "
            "the search was not repeated, verify-clean does it",
            **({"secret": ", ".join(keys)} if keys else {}),
        },
        proofs=tuple(sorted(proofs.values(), key=lambda proof: proof.capture_id)),
    )
