"""`blackbox replay`: a capture into a Kafka cluster, in its own rhythm."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recorder.cli.options import (
    Bootstrap,
    CapturePath,
    CommandConfig,
    Excludes,
    From,
    Keys,
    OutputFormat,
    Partitions,
    Patterns,
    Properties,
    To,
    Topics,
    Zone,
)
from recorder.cli.output import Format, complain, emit, emit_facts, emit_json, emit_text, progress, say
from recorder.cli.timing import show_certificate
from recorder.errors import ExitCode

if TYPE_CHECKING:
    from recorder.replaying.plan import Plan


class TimestampsChoice(StrEnum):
    """The choices of `--timestamps`, for the command line's help."""

    ORIGINAL = "original"
    SHIFT = "shift"
    NOW = "now"


def replay(
    capture: CapturePath,
    bootstrap_server: Bootstrap = None,
    topic: Topics = None,
    regex: Patterns = None,
    exclude: Excludes = None,
    partition: Partitions = None,
    key: Keys = None,
    from_: From = None,
    to: To = None,
    tz: Zone = None,
    rate: Annotated[float, typer.Option("-r", "--rate", metavar="FACTOR", help="2: twice as fast.")] = 1.0,
    topspeed: Annotated[bool, typer.Option("--topspeed", help="As fast as the target takes them.")] = False,
    max_gap: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Shorten idle stretches to this much recorded time (then --rate applies).",
            show_default=False,
        ),
    ] = None,
    remap: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--remap", metavar="A:=B", help="Send topic A's records to topic B; may repeat.", show_default=False
        ),
    ] = None,
    timestamps: Annotated[
        TimestampsChoice,
        typer.Option(
            help="original: as recorded; shift: all moved by one span, so that the first is the start; "
            "now: the time of sending."
        ),
    ] = TimestampsChoice.ORIGINAL,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="Create missing topics as they were recorded.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; send and create nothing.")
    ] = False,
    allow_source_cluster: Annotated[
        bool, typer.Option("--allow-source-cluster", help="Write even into the cluster that was recorded.")
    ] = False,
    allow_raw: Annotated[bool, typer.Option("--allow-raw", help="Send even a capture that was not scrubbed.")] = False,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to keep the timing certificate. Default: CAPTURE.replay-TIME.json in this directory.",
            show_default=False,
        ),
    ] = None,
    properties: Properties = None,
    command_config: CommandConfig = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Publish a capture into a cluster with order and relative timing kept, and certify how exact it was.

    Partitions, keys, values and headers stay as recorded; every record is confirmed by the target. Target and
    capture are checked before the first record. Exit 3: some records failed (named); 7: refused for safety.

    Example: blackbox replay incident-clean/ -b ci:9092 --create-topics --rate 5 --max-gap 10s
    """
    import time

    from recorder.capture.reader import open_capture
    from recorder.capture.selection import typed_selection
    from recorder.cli.interrupt import stopping
    from recorder.kafka.connection import connect
    from recorder.replaying import Options, Progress, prepare, run
    from recorder.replaying import certificate as certificates
    from recorder.replaying.options import parse_remap
    from recorder.window import format_duration, parse_duration

    opened = open_capture(capture)
    options = Options(
        selection=typed_selection(
            opened.manifest,
            names=topic or (),
            patterns=regex or (),
            partitions=partition or (),
            keys=key or (),
            from_text=from_,
            to_text=to,
            tz=tz,
        ),
        excludes=exclude or (),
        remap=parse_remap(remap or ()),
        rate=rate,
        top_speed=topspeed,
        max_gap_ms=None if max_gap is None else parse_duration(max_gap),
        timestamps=timestamps.value,
        create_topics=create_topics,
        allow_source_cluster=allow_source_cluster,
        allow_raw=allow_raw,
    )
    path = certificate or certificates.default_path(opened.root, time.time_ns() // 1_000_000)
    if not dry_run:
        certificates.check_writable(path, opened.root)
    connection = connect(bootstrap_server, properties or (), command_config)
    with progress("survey", opened.manifest.records) as bar:
        plan = prepare(opened, connection, options, progress=bar.advance)
    if dry_run:
        _show_plan(plan, form)
        raise typer.Exit(plan.exit_code)
    plan.require_no_errors()
    for finding in plan.findings:
        say(f"{finding.severity}: {finding.sentence()}")
    for new in plan.to_create:
        say(f"creating topic {new.sentence()}")
    with stopping() as stop, progress("replay", plan.survey.records) as bar:

        def show(now: Progress) -> None:
            eta = "" if now.eta_ms is None else f"{format_duration(now.eta_ms)} to go, "
            bar.show(completed=now.acked, note=f"{eta}late by {now.lateness_ns / 1e6:.1f} ms")

        result = run(plan, progress=show, stop=stop)
    certificates.write_certificate(result, path)
    show_certificate(result, form)
    say(f"The certificate is kept in {path}  ·  blackbox timing {path}")
    if result.ended_by == "interrupt":
        complain("Interrupted: what was sent until then is confirmed or named above.")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if result.losses:
        complain(f"{result.losses:,} of {result.planned:,} records did not arrive.")
        if result.failed:
            say("A broker refuses whole batches: -X batch.num.messages=1 (slow) would lose only the records at fault.")
        raise typer.Exit(ExitCode.LOSS)


def _show_plan(plan: Plan, form: Format) -> None:
    from recorder.replaying import summary

    if form is not Format.TABLE:
        emit_json(summary.plan_document(plan))
        return
    emit_facts(f"Would replay {plan.capture.root}", summary.plan_facts(plan))
    emit(*summary.plan_rows(plan), form)
    for new in plan.to_create:
        emit_text(f"would create {new.sentence()}")
    if plan.findings:
        emit(*summary.finding_rows(plan.findings), form)
