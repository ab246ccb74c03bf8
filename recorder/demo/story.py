"""The demo's chapters, each the same call that its verb on the command line makes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.reader import Capture, open_capture
from recorder.capture.summary import facts, topic_rows
from recorder.capture.verify import failed
from recorder.demo import questions
from recorder.demo.production import RUN_SECONDS, Incident, examples_directory, run_production
from recorder.demo.stage import Stage
from recorder.errors import BlackboxError, UsageError
from recorder.kafka import local_detached
from recorder.kafka.connection import connect
from recorder.kafka.local import local_kafka
from recorder.query import Session
from recorder.recording.record import record
from recorder.recording.request import Request
from recorder.regression.exact import Comparison, compare_exactly
from recorder.replaying import Certificate, Options, replay
from recorder.replaying.certificate import write_certificate
from recorder.replaying.figures import timing_rows
from recorder.replaying.summary import certificate_facts
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import passes, scrub
from recorder.scrubbing.verify_clean import verify_clean
from recorder.window import Window, format_time

RATE = 5.0
SECRET_VARIABLE = "BLACKBOX_KEY"
MARGIN_MS = 5_000
PATTERNS = (r"payments\..*", r"accounts\..*")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo made and proved."""

    directory: Path
    incident: Capture
    clean: Capture
    comparison: Comparison
    certificate: Certificate
    clusters: tuple[str, str] | None
    """Bootstrap addresses of the two clusters, when they were kept."""

    @property
    def proven(self) -> bool:
        """The replayed copy is equal record for record, and no order was broken."""
        inversions = self.certificate.inversions
        broken = (inversions.partition, inversions.key) != (0, 0)
        return self.comparison.same and not broken and not self.certificate.losses

    def closing_lines(self) -> Iterator[str]:
        """What was proven, where things are, and what to type next."""
        verdict = self.comparison
        yield ""
        if self.proven:
            yield f"PROVEN: {verdict.equal:,} of {verdict.equal:,} records are equal in key, value, headers, timestamp"
            yield f"and order, in {verdict.partitions} partitions. Nobody's data left production."
        else:
            yield f"NOT PROVEN: {verdict.equal:,} records equal, {verdict.different:,} different, "
            yield f"{verdict.only_left:,} missing, {verdict.only_right:,} additional."
            yield from (f"  {difference.sentence()}" for difference in verdict.differences)
        yield ""
        yield f"The captures are in {self.directory}/: incident (raw), clean, replayed; the rhythm in certificate.json."
        yield "Type next:"
        yield f"  blackbox inspect {self.clean.root}"
        yield f"  blackbox sql {self.clean.root} 'SELECT topic, count(*) FROM records GROUP BY ALL'"
        yield f"  blackbox verify-clean {self.clean.root}"
        if self.clusters:
            yield f"  blackbox replay {self.clean.root} -b {self.clusters[1]} --rate 2"
            yield "  blackbox local down --name demo-production; blackbox local down --name demo-ci"


def tell(stage: Stage, directory: Path, *, keep: bool) -> Outcome:
    """Run the whole main job below `directory`, which must not exist. Raises BlackboxError where it breaks."""
    policy = examples_directory() / "policies" / "kpay.yaml"
    try:
        directory.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"{directory} exists already: remove it, or choose another place with -o.") from None
    with _clusters(stage, keep=keep) as (production, ci):
        incident = _run_payments(stage, production, directory)
        raw = _record_incident(stage, production, directory, incident)
        _ask(stage, raw)
        clean = _scrub(stage, raw, policy, directory)
        certificate = _replay(stage, clean, ci, directory)
        comparison = _prove(stage, clean, ci, directory)
        kept = (production, ci) if keep else None
    return Outcome(directory, raw, clean, comparison, certificate, kept)


@contextmanager
def _clusters(stage: Stage, *, keep: bool) -> Iterator[tuple[str, str]]:
    stage.title("Two real Kafka clusters: production and ci")
    began = time.monotonic()
    with ExitStack() as stack:
        with stage.working("start (the first time also downloads Kafka, about 130 MB)"):
            if keep:
                with ThreadPoolExecutor(2) as pool:
                    names = ("demo-production", "demo-ci")
                    ups = list(pool.map(lambda name: local_detached.up(name, brokers=1)[0], names))
                addresses = (ups[0].bootstrap, ups[1].bootstrap)
            else:
                managers = [local_kafka(), local_kafka()]
                with ThreadPoolExecutor(2) as pool:
                    running = list(pool.map(stack.enter_context, managers))
                addresses = (running[0].bootstrap, running[1].bootstrap)
        stage.say(f"production {addresses[0]}, ci {addresses[1]}, up after {time.monotonic() - began:.0f} s")
        yield addresses


def _run_payments(stage: Stage, production: str, directory: Path) -> Incident:
    stage.title("Production runs; in the middle a bad release goes out")
    with stage.working("payments", RUN_SECONDS) as meter:
        incident = run_production(production, directory / "kpay.log", meter)
    totals = incident.totals
    stage.say(
        f"{totals['requested']:,} payments requested, {totals['confirmed']:,} credits confirmed, "
        f"{totals['failed']:,} failed. Something is wrong between {format_time(incident.from_ms)} and "
        f"{format_time(incident.to_ms)}."
    )
    return incident


def _record_incident(stage: Stage, production: str, directory: Path, incident: Incident) -> Capture:
    stage.title("Record the incident's window, from the past, all topics, every byte")
    window = Window(incident.from_ms - MARGIN_MS, incident.to_ms + MARGIN_MS)
    _record(stage, production, window, directory / "incident")
    capture = open_capture(directory / "incident")
    for name, value in facts(capture.manifest).items():
        stage.say(f"{name:<9} {value}")
    stage.table(*topic_rows(capture.manifest))
    return capture


def _record(stage: Stage, bootstrap: str, window: Window, directory: Path) -> None:
    request = Request(
        window=window, patterns=PATTERNS, command=("blackbox", "demo"),
        from_text=format_time(window.from_ms or 0), to_text=format_time(window.to_ms or 0),
    )  # fmt: skip
    with stage.working("record") as meter:
        manifest = record(
            connect(bootstrap),
            request,
            directory,
            progress=lambda now: meter.show(completed=now.offsets, total=now.total),
        )
    if manifest.losses:
        raise BlackboxError(f"The recording lost something: {manifest.losses[0].sentence()}.")


def _ask(stage: Stage, capture: Capture) -> None:
    stage.title("Ask it: what failed, how many, who is affected")
    with Session(capture) as session:
        for text, sql in (
            ("What failed?", questions.WHAT_FAILED),
            ("How many payments, before, during and after?", questions.HOW_MANY),
            ("Who was credited too much?", questions.WHO_IS_AFFECTED),
        ):
            stage.say(text)
            _answer(stage, session, sql)


def _answer(stage: Stage, session: Session, sql: str) -> None:
    table = session.query(sql)
    stage.table(table.column_names, [list(row.values()) for row in table.to_pylist()])


def _scrub(stage: Stage, raw: Capture, policy: Path, directory: Path) -> Capture:
    stage.title(f"Remove the customers, by {policy.parent.name}/{policy.name}, and prove that they are gone")
    rules = load_policy(policy, {SECRET_VARIABLE: secrets.token_urlsafe(48)})
    size = sum(segment.bytes for _, partition in raw.manifest.topic_partitions() for segment in partition.segments)
    passed = 0
    with stage.working("scrub", size * passes(rules, raw)) as meter:

        def report(doing: str, amount: int) -> None:
            nonlocal passed
            passed += amount
            meter.show(completed=passed, note=doing)

        done = scrub(raw, rules, directory / "clean", progress=report)
    stage.say(f"{done.originals:,} different originals replaced, under a random key that is forgotten now")
    for name, result in done.checks.items():
        stage.say(f"{name:<12} {result}")
    clean = open_capture(directory / "clean")
    checks = verify_clean(clean.root)
    if failed(checks):
        raise BlackboxError(f"The copy is not clean: {next(c.detail for c in checks if c.status == 'FAILED')}.")
    stage.say(f"verify-clean passed {len(checks)} checks. Who was credited too much, to anyone but production:")
    with Session(clean) as session:
        _answer(stage, session, questions.WHO_IS_AFFECTED)
    return clean


def _replay(stage: Stage, clean: Capture, ci: str, directory: Path) -> Certificate:
    stage.title(f"Replay the clean copy into ci, {RATE:g} times as fast, in its own rhythm")
    with stage.working("replay", clean.manifest.records) as meter:
        certificate = replay(
            clean,
            connect(ci),
            Options(rate=RATE, create_topics=True),
            progress=lambda now: meter.show(completed=now.acked, note=f"late by {now.lateness_ns / 1e6:.1f} ms"),
        )
    write_certificate(certificate, directory / "certificate.json")
    for name, value in certificate_facts(certificate).items():
        stage.say(f"{name:<13} {value}")
    stage.table(*timing_rows(certificate))
    return certificate


def _prove(stage: Stage, clean: Capture, ci: str, directory: Path) -> Comparison:
    stage.title("Record it there again and compare, record for record")
    _record(stage, ci, Window(None, None), directory / "replayed")
    return compare_exactly(clean, open_capture(directory / "replayed"))
