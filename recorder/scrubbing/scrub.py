"""Capture -> clean capture: learn, rewrite, prove on the finished bytes, and only then give it its name.

Segments are independent, so each pass maps over them with any `concurrent.futures.Executor`. Everything is
written beside the target; until the last rename there is nothing that could be taken for a clean capture.
"""

from __future__ import annotations

import functools
import math
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from desensitizers.errors import PolicyError, Refusal
from desensitizers.policy import Policy
from desensitizers.proof import originals, quoted, uniqueness
from desensitizers.proof.needles import Thresholds
from desensitizers.proof.spill import BUCKETS, Spill
from desensitizers.sink import Problem
from recorder.capture.durable import sync_directory
from recorder.capture.lineage import tool_version
from recorder.capture.manifest import REPORT_NAME, CleanStamp, Manifest
from recorder.capture.promises import check_promises
from recorder.capture.reader import Capture
from recorder.capture.writer import finish, reporting_write_errors
from recorder.errors import UsageError
from recorder.payloads.reasons import PayloadError
from recorder.payloads.schemas import Schema
from recorder.payloads.snapshot import carry_schemas, read_schemas
from recorder.scrubbing.anonymity import kept_fields
from recorder.scrubbing.chance import told_from_chance
from recorder.scrubbing.clean_manifest import clean_manifest
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.jobs import Place, Rewritten, Run, forget, learn, rewrite, seek_quotes
from recorder.scrubbing.planted import missed_canaries
from recorder.scrubbing.prove import Proven, prove, prove_manifest, prove_texts
from recorder.scrubbing.prove import forget as forget_proof
from recorder.scrubbing.quarantine.records import Tally, summary_of
from recorder.scrubbing.quarantine.setting_aside import set_aside
from recorder.scrubbing.quarantine.writing import Destination, Kept, Quarantine
from recorder.scrubbing.refuse import refuse, refuse_found, refuse_leaks, refuse_unnamed_topics
from recorder.scrubbing.report import write_report
from recorder.scrubbing.reporting import check_key_order, check_ledger, make_report, texts_of
from recorder.scrubbing.schemas import CaptureSchemas
from recorder.scrubbing.signing import Signer
from recorder.scrubbing.stamp import HITS, sealed
from recorder.wording import counted

_T = TypeVar("_T")
_SHOWN = 20

Progress = Callable[[str, int], None]
"""(stage, bytes of segments that this stage has worked through since the last call)"""


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """A finished clean copy."""

    path: Path
    manifest: Manifest
    originals: int
    """Different originals that were removed."""
    counts: dict[str, int]
    """By topic, place, path and rule: leaves."""
    checks: dict[str, str]
    signed_by: str | None
    """The id of the key that signed the report."""
    quarantine: Kept | None = None
    """Where the records are that this copy could not hold; None when there are none."""


def scrub(
    capture: Capture,
    policy: Policy,
    out: Path,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    signer: Signer | None = None,
    quarantine: Destination | None = None,
) -> Scrubbed:
    """Write a clean copy of `capture` to `out` (which must not exist) by `policy`, prove it, and sign its report.

    Records that the policy sends to quarantine are left out of it and go to the `quarantine`, which appears with it.

    Raises ScrubError with what was found and where; then nothing is left of the copy. Raises UsageError when
    `out` exists and CaptureError when the capture is torn or the disk is full.
    """
    if out.exists():
        raise UsageError(f"{out} exists already: choose another directory with -o, or remove it first.")
    check_promises(capture.root, capture.manifest)
    work = out.parent / f".{out.name}.scrubbing-{secrets.token_hex(4)}"
    with reporting_write_errors(out):
        work.mkdir(parents=True)
    aside = Quarantine(quarantine, capture.manifest.capture_id) if quarantine else None
    done = None
    try:
        done = _Scrub(capture, policy, work, executor, progress, aside).run(out, signer)
        return done
    except PayloadError as error:
        raise ScrubError(f"A schema of the capture can't be used: {error}. No copy was made.") from error
    except BrokenExecutor as error:
        raise ScrubError(_vanished(policy)) from error
    except OSError as error:  # of the spills: what writes segments tells its own
        raise ScrubError(f"Can't write beside {out}: {error.strerror or error}. No copy was made.") from error
    finally:
        if aside is not None and done is None:
            aside.discard()
        forget()
        forget_proof()
        shutil.rmtree(work, ignore_errors=True)


def _vanished(policy: Policy) -> str:
    """Why a worker process may have gone without a word."""
    code = ", ".join(one.what for one in policy.spec.foreign)
    blamed = f"Code of the policy's own ({code})" if code else "The system"
    blamed += " may have ended it" + (", or the system" if code else "")
    return (
        f"A worker process ended in the middle of its work. {blamed} for lack of memory (then --jobs 1 "
        "needs less). No copy was made."
    )


def passes(policy: Policy, capture: Capture) -> int:
    """How often a scrub works through all segments: what `progress` adds up to."""
    return 2 + _learns(policy, capture.manifest)


def places(capture: Capture) -> list[Place]:
    """Every segment of a capture."""
    found = [
        (topic.name, partition.partition, segment)
        for topic, partition in capture.manifest.topic_partitions()
        for segment in partition.files
    ]
    return [Place(capture.root, *what, number) for number, what in enumerate(found)]


class _Scrub:
    def __init__(
        self,
        capture: Capture,
        policy: Policy,
        work: Path,
        executor: Executor | None,
        progress: Progress | None,
        quarantine: Quarantine | None,
    ) -> None:
        self._capture = capture
        self._policy = policy
        self._copy = work / "copy"
        self._canaries = work / "canaries"
        self._map = functools.partial(mapped, executor, apart=bool(policy.spec.foreign))
        self._progress = progress or (lambda _stage, _bytes: None)
        self._places = places(capture)
        learns = _learns(policy, capture.manifest)
        self._schemas = read_schemas(capture.root, capture.manifest)
        spill, name = Spill(work / "originals"), secrets.token_hex(8)
        self._run = Run(name, policy, spill, learns, self._schemas, quarantined=quarantine is not None)
        self._quarantine = quarantine
        self._checks: dict[str, str] = {}
        self._detectors = policy.spec.proof_detectors

    def run(self, out: Path, signer: Signer | None) -> Scrubbed:
        refuse_unnamed_topics(self._policy.plan(), self._capture.manifest)
        check_schemas(self._policy, self._capture.manifest, self._schemas)
        self._copy.mkdir()
        if self._run.learns:
            learn_all(self._run, self._places, self._map, self._progress)
        rewritten = self._rewrite()
        if not self._run.learns:
            self._map(originals.distil, [(self._run.spill, bucket) for bucket in range(BUCKETS)])
        found = self._sharpen()
        proving = self._start_proof(rewritten)
        # What needs one process only, while the others prove.
        spaces = uniqueness.tally(self._run.spill)
        schemas = carry_schemas([self._capture], self._copy)
        manifest = clean_manifest(self._capture.manifest, self._places, rewritten, schemas, self._copy)
        fields = kept_fields(self._copy, manifest, self._policy)
        proofs = self._prove(rewritten, proving)
        self._prove_unique(spaces)
        check_key_order(self._places, rewritten, proofs)
        self._checks["ledger"] = check_ledger(self._places, rewritten, proofs)
        self._prove_manifest(manifest)
        kept = self._set_aside(rewritten)
        stamped = sealed(manifest, self._stamp(rewritten, found))
        report = make_report(stamped, self._policy, self._places, rewritten, spaces, fields, kept)
        refuse_found(prove_texts(texts_of(report), REPORT_NAME, self._detectors, self._run.spill))
        with reporting_write_errors(out):
            write_report(self._copy, stamped, report, signer)
        finish(self._copy, stamped)
        with reporting_write_errors(out):
            if out.exists():
                raise ScrubError(f"{out} appeared meanwhile: nothing was written there.")
            if kept is not None and self._quarantine is not None:
                self._quarantine.publish()
            self._copy.rename(out)
            sync_directory(out.parent)
        assert stamped.clean is not None
        signed_by = signer.key_id if signer else None
        return Scrubbed(out, stamped, found, stamped.clean.counts, self._checks, signed_by, kept)

    def _rewrite(self) -> list[Rewritten]:
        jobs = [(self._run, place, self._copy) for place in self._places]
        done = []
        for place, result in zip(self._places, self._map(rewrite, jobs, lazy=True), strict=True):
            done.append(result)
            self._progress("scrub", place.segment.bytes)
        refuse(problem for result in done for problem in result.problems)
        return done

    def _sharpen(self) -> int:
        """Makes needles of the originals; how many different originals there are."""
        found, searched, thresholds = sharpen_all(self._run, self._capture, self._map)
        self._checks["originals"] = (
            f"{found:,} different ones, {searched:,} searched; the others can't be told from chance: below three "
            f"letters, bare numbers below {thresholds.number} digits, "
            f"ids that keep their form below {thresholds.digits} digits"
        )
        return found

    def _start_proof(self, rewritten: Sequence[Rewritten]) -> Iterable[Proven]:
        missed = missed_canaries(self._canaries)
        if missed:
            names = ", ".join(f"{canary.encoding} in a {canary.channel}" for canary in missed)
            raise ScrubError(f"The proof is broken: planted canaries were not found ({names}). No copy was made.")
        self._checks["canaries"] = "all found in every channel and encoding"
        jobs = [(self._copy, result.segments, self._detectors, self._run.spill, self._schemas) for result in rewritten]
        return self._map(prove, jobs, lazy=True)

    def _prove(self, rewritten: Sequence[Rewritten], proving: Iterable[Proven]) -> list[Proven]:
        proofs = []
        for place, proof in zip(self._places, proving, strict=True):
            proofs.append(proof)
            self._progress("prove", place.segment.bytes)
        segments = [result.segments for result in rewritten]
        proofs, verdict = told_from_chance(self._copy, segments, proofs, self._run.spill, self._schemas, self._map)
        refuse_leaks(proofs, verdict)
        if any(proof.frame != result.frame for proof, result in zip(proofs, rewritten, strict=True)):
            raise ScrubError("The copy's offsets, times or order differ from the capture's: no copy was made.")
        self._checks["search"] = (
            f"{'0 of them' if verdict is None else 'none of them but by chance'} in "
            f"{sum(proof.searched_bytes for proof in proofs):,} bytes, encodings peeled"
        )
        if verdict is not None:
            self._checks["chance"] = str(verdict)
        self._checks["order"] = "offsets, partitions, times and the order of every key are the capture's"
        names = ", ".join(self._detectors) or "none"
        self._checks["detectors"] = f"nothing outside reserved ranges: {names}"
        return proofs

    def _prove_unique(self, spaces: Mapping[str, uniqueness.Tally]) -> None:
        broken = {space: tally for space, tally in spaces.items() if not tally.one_to_one}
        if broken:
            lines = "\n".join(
                f"  {space}: {tally.originals:,} originals, {tally.results:,} results"
                for space, tally in broken.items()
            )
            raise ScrubError(
                "Two originals became one, or one became two; "
                f"use a rule with more room (token, hash; keep_prefix for cards):\n{lines}"
            )
        domains = sorted({space.partition("/")[0] for space in spaces if "/" in space})
        topics = len(spaces) - sum("/" in space for space in spaces)
        self._checks["uniqueness"] = (
            f"as many results as originals in every domain ({', '.join(domains) or 'none'}) "
            f"and among the keys of {topics} topics"
        )

    def _prove_manifest(self, manifest: Manifest) -> None:
        refuse_found(prove_manifest(manifest, read_schemas(self._copy, manifest), self._detectors, self._run.spill))

    def _set_aside(self, rewritten: Sequence[Rewritten]) -> Kept | None:
        """Writes the quarantine when anything was withheld, and holds it against what was left out of the copy."""
        tally: Tally = Counter()
        for result in rewritten:
            tally.update(dict(result.withheld))
        if not tally:
            return None
        assert self._quarantine is not None  # the first withheld record had ended the run
        bags = [place.aside for place, result in zip(self._places, rewritten, strict=True) if result.withheld]
        kept = self._quarantine.write(set_aside(self._run.spill, bags), self._schemas)
        if kept.summary != summary_of(tally):
            raise ScrubError("The quarantine does not hold what was left out of the copy: no copy was made.")
        why = ", ".join(f"{one.records:,} {one.cause} ({one.topic} {one.place})" for one in kept.summary.lines)
        self._checks["quarantine"] = (
            f"{counted(kept.summary.records, 'record')}: {why}; encrypted for key {kept.recipient}"
        )
        return kept

    def _stamp(self, rewritten: Sequence[Rewritten], found: int) -> CleanStamp:
        counts: Counter[str] = Counter()
        for place, result in zip(self._places, rewritten, strict=True):
            for (where, path, what), number in result.counts:
                counts[f"{place.topic} {where} {path} {what}".replace("  ", " ")] += number
        counts["originals"] = found
        for name in self._detectors:
            counts[f"{HITS}{name}"] = 0
        self._checks["secret"] = f"key id {self._policy.keyring.key_id()}"
        return CleanStamp(
            policy_sha256=self._policy.sha256,
            stamped_at_ms=time.time_ns() // 1_000_000,
            tool=tool_version(),
            counts=dict(sorted(counts.items())),
            checks=self._checks,
        )


def check_schemas(policy: Policy, manifest: Manifest, schemas: Sequence[Schema]) -> None:
    """UsageError when a rule can't work on a type of a schema that is registered for its topic."""
    known = CaptureSchemas(schemas)
    plan = policy.plan(schemas=known)
    for topic in manifest.topics:
        if not plan.covers(topic.name):
            continue
        made = plan.for_topic(topic.name)
        for side, rule in (("key", made.key), ("value", made.value)):
            for framed in known.of_topic(topic.name, side):
                try:
                    if rule is not None and rule.documents is not None:
                        rule.documents.prepare(framed)
                except PolicyError as error:
                    raise UsageError(f"{error} (topic {topic.name})") from None
                except Refusal:
                    continue  # what can't be read is refused when a record is written with it


def learn_all(run: Run, places: Sequence[Place], run_all: Any, progress: Progress) -> None:
    """Collects the originals of all segments, and which of them their texts quote, in the run's spill.

    Raises ScrubError.
    """
    problems: list[Problem] = []
    for place, found in zip(places, run_all(learn, [(run, place) for place in places], lazy=True), strict=True):
        problems += found
        progress("learn", place.segment.bytes)
    refuse(problems)
    run_all(originals.distil, [(run.spill, bucket) for bucket in range(BUCKETS)])
    seeking = quoted.jobs(run.spill, [(place.texts, place.quoted) for place in places])
    run_all(seek_quotes, seeking)
    if not quoted.together(run.spill):
        run_all(quoted.by_bag, seeking)


def sharpen_all(run: Run, capture: Capture, run_all: Any) -> tuple[int, int, Thresholds]:
    """Makes needles: how many different originals there are, how many of them can be searched, and from when on."""
    payload = sum(
        partition.payload_bytes + (partition.prologue.payload_bytes if partition.prologue else 0)
        for _, partition in capture.manifest.topic_partitions()
    )
    found = sum(len(block) for block in run.spill.blocks(originals.DISTINCT))
    thresholds = Thresholds.of(found, payload)
    keeping_form = run.policy.keeping_form()
    jobs = [(run.spill, bucket, thresholds, keeping_form) for bucket in range(BUCKETS)]
    return found, sum(run_all(originals.sharpen, jobs)), thresholds


def mapped(
    executor: Executor | None,
    function: Callable[..., _T],
    jobs: Sequence[tuple[Any, ...]],
    *,
    lazy: bool = False,
    apart: bool = False,
) -> Iterable[_T]:
    """Results in order, computed here or by the executor; `lazy` gives them as they are ready.

    `apart`: a single job, too, goes to the executor.
    """

    def here() -> Iterator[_T]:
        return (function(*job) for job in jobs)

    if executor is None or not jobs or (len(jobs) == 1 and not apart):
        return here() if lazy else list(here())
    size = 1 if lazy else max(1, math.ceil(len(jobs) / 8))
    results = executor.map(function, *zip(*jobs, strict=True), chunksize=size)
    return results if lazy else list(results)


def _learns(policy: Policy, manifest: Manifest) -> bool:
    plan = policy.plan()
    return any(
        plan.for_topic(topic.name).wants_learned
        for topic in manifest.topics
        if (topic.records or topic.prologue_records) and plan.covers(topic.name)
    )
