"""`blackbox scrub`: a copy of a capture without the people in it, proven before it appears."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recorder.cli.options import CapturePath, OutputFormat
from recorder.cli.output import Format, complain, emit, emit_json, progress, say
from recorder.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from recorder.scrubbing.quarantine.writing import Kept


def scrub(
    capture: CapturePath,
    policy: Annotated[Path, typer.Option("-p", "--policy", metavar="FILE", help="The policy: what may pass, and how.")],
    out: Annotated[
        str,
        typer.Option("-o", "--out", metavar="DIR|URI", help="Where the clean copy goes; must not exist."),
    ],
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j", "--jobs", min=1, help="Worker processes; by default one for every two processors.", show_default=False
        ),
    ] = None,
    signing_key: Annotated[
        Path | None,
        typer.Option(
            "--signing-key",
            metavar="FILE",
            help="The private key that signs the report; or set BLACKBOX_SIGNING_KEY to the key, or to its file.",
            show_default=False,
        ),
    ] = None,
    quarantine: Annotated[
        str | None,
        typer.Option(
            "--quarantine",
            metavar="FILE|DIR",
            help="Where records go that the policy withholds, encrypted; outside of the copy.",
            show_default=False,
        ),
    ] = None,
    quarantine_key: Annotated[
        Path | None,
        typer.Option(
            "--quarantine-key",
            metavar="FILE",
            help="The public key that it is encrypted for, instead of the policy's.",
            show_default=False,
        ),
    ] = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Remove personal data by a policy and prove that it is gone; only then the copy appears.

    What the policy does not name does not pass. The policy's secret comes from the environment variable it names.
    report.html in the copy says what was removed and proven, report.json the same with every file's hash, signed.

    Exit 3 when records went to quarantine: the copy is clean, and lacks them; topics and causes are named.

    Example: BLACKBOX_KEY=$(cat key.txt) blackbox scrub incident/ -p policy.yaml -o clean/
    """
    from recorder.capture.locations import locate
    from recorder.capture.push import deliver, staging_directory
    from recorder.capture.reader import open_capture, total_bytes
    from recorder.capture.sending import refuse_existing
    from recorder.scrubbing import scrub as scrubbing
    from recorder.scrubbing.policy import load_policy
    from recorder.scrubbing.quarantine.writing import destination
    from recorder.scrubbing.signing import load_signer
    from recorder.scrubbing.workers import workers
    from recorder.wording import counted

    signer = load_signer(signing_key)
    if quarantine_key is not None and quarantine is None:
        raise UsageError("--quarantine-key belongs to --quarantine FILE: say where withheld records go, too.")
    place = locate(out)
    if isinstance(place, Path):
        directory = place
    else:
        refuse_existing(place)
        directory = staging_directory(place)
    rules = load_policy(policy)
    source = open_capture(capture)
    aside = destination(quarantine, quarantine_key, rules, (source.root, place, directory)) if quarantine else None
    size = total_bytes(capture)
    total = size * scrubbing.passes(rules, source)
    with workers(size, jobs, apart=bool(rules.spec.foreign)) as executor, progress("scrub", total, "bytes") as bar:

        def report(stage: str, amount: int) -> None:
            bar.advance(amount)
            bar.show(note=stage)

        done = scrubbing.scrub(
            source, rules, directory, executor=executor, progress=report, signer=signer, quarantine=aside
        )
    if not isinstance(place, Path):
        deliver(directory, place)
    checks = [{"check": name, "result": text} for name, text in done.checks.items()]
    if form is Format.JSON:
        facts = {"path": str(place), "capture_id": done.manifest.capture_id, "records": done.manifest.records}
        emit_json(
            {
                **facts,
                "signed_by": done.signed_by,
                "quarantine": _facts(done.quarantine),
                "originals": done.originals,
                "counts": done.counts,
                "checks": done.checks,
            }
        )
    else:
        emit(("check", "result"), ([check["check"], check["result"]] for check in checks), form)
    say(f"{place} is clean: {done.manifest.records:,} records, {done.originals:,} different originals removed.")
    if done.signed_by is None:
        complain(
            "The report is NOT SIGNED: nobody can tell later who made this copy, or whether its report was rewritten. "
            "Make keys with 'blackbox keys new' and give --signing-key."
        )
    else:
        say(f"The report is signed by key {done.signed_by}.")
    if done.quarantine is not None:
        held = done.quarantine
        for line in held.summary.lines:
            complain(f"{line.topic}: {counted(line.records, 'record')} in quarantine ({line.cause}, {line.place}).")
        complain(
            f"The copy lacks {counted(held.summary.records, 'record')}, held by {held.path} for key {held.recipient}."
        )
        raise typer.Exit(ExitCode.LOSS)


def _facts(kept: Kept | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    lines = [
        {"topic": one.topic, "place": one.place, "cause": one.cause, "records": one.records}
        for one in kept.summary.lines
    ]
    return {"path": str(kept.path), "recipient": kept.recipient, "records": kept.summary.records, "lines": lines}
