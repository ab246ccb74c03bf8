"""`blackbox record`: a window of topics into a capture."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from recorder.cli.options import (
    Bootstrap,
    CommandConfig,
    Excludes,
    OutputFormat,
    Patterns,
    Properties,
    SchemaRegistry,
    Topics,
    Zone,
)
from recorder.cli.output import VERBOSITY, Format, complain, emit_object, progress, say
from recorder.errors import ExitCode, UsageError
from recorder.wording import counted

if TYPE_CHECKING:
    from recorder.capture.locations import Location
    from recorder.capture.manifest import Manifest
    from recorder.cli.output import Progress as Bar
    from recorder.kafka.connection import Connection
    from recorder.payloads.registry import Registry
    from recorder.recording.record import Progress
    from recorder.recording.request import Request

_WINDOW, _LIVE = "Window", "Going on"


def record(
    context: typer.Context,
    bootstrap_server: Bootstrap = None,
    topic: Topics = None,
    regex: Patterns = None,
    exclude: Excludes = None,
    from_: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="[TOPIC[/PARTITION]=]WHERE",
            help="Start of the window: a time, 'beginning' or offset:N; with TOPIC=, of that one alone. May repeat.",
            show_default=False,
            rich_help_panel=_WINDOW,
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TOPIC[/PARTITION]=]WHERE",
            help="Its end (exclusive): a time, 'end' (which is the default) or offset:N. May repeat.",
            show_default=False,
            rich_help_panel=_WINDOW,
        ),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Instead of --from: the last N records of each partition.",
            show_default=False,
            rich_help_panel=_WINDOW,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR|URI",
            help="Where to write the capture: a directory, or s3://…, gs://…, az://….",
            show_default=False,
        ),
    ] = None,
    staging: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where what goes into an object store waits until it has arrived. Default: in the user's cache.",
            show_default=False,
        ),
    ] = None,
    properties: Properties = None,
    command_config: CommandConfig = None,
    schema_registry: SchemaRegistry = None,
    tz: Zone = None,
    late_slack: Annotated[
        str,
        typer.Option(
            metavar="DURATION|all",
            help="How far past the window's end to look for late records; 'all': to the log's end.",
            rich_help_panel=_WINDOW,
        ),
    ] = "5m",
    max_mbps: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Read at most N megabits (125 kB) of keys and values a second.", show_default=False
        ),
    ] = None,
    isolation: Annotated[
        Literal["read_committed", "read_uncommitted"],
        typer.Option(
            help="read_uncommitted: also records of aborted and open transactions, which are marked.",
            rich_help_panel=_WINDOW,
        ),
    ] = "read_committed",
    state_prologue: Annotated[
        bool,
        typer.Option(
            "--state-prologue",
            help="Of compacted topics, also the last record of each key before the window.",
            rich_help_panel=_WINDOW,
        ),
    ] = False,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="Go on until Ctrl-C, or --to; from now on unless --from says otherwise.",
            rich_help_panel=_LIVE,
        ),
    ] = False,
    rotate: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION|SIZE",
            help="With --follow: begin a new capture every 10m, or every 1GB.",
            show_default=False,
            rich_help_panel=_LIVE,
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION|SIZE",
            help="With --rotate: remove captures beyond the last 2h, or 20GB.",
            show_default=False,
            rich_help_panel=_LIVE,
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|URI",
            help="Go on with a recording that was killed or interrupted, as it was asked for.",
            show_default=False,
        ),
    ] = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Record a window of topics into a new capture: every record, every field, every missing offset explained.

    The window may lie in the past, in the future, or straddle now; --from beginning takes all there is, --from
    payments.audit=offset:1200 says it for one topic. Times: RFC 3339, epoch milliseconds, -15m, now.
    Reads only: joins no group, commits nothing, creates nothing. Ctrl-C seals what was read.
    With --follow, captures adjoin by offset below -o DIR; the same command goes on where they end.
    What was cut off goes on where it ended: blackbox record -b broker:9092 --resume DIR

    Example: blackbox record -b broker:9092 -e 'payments\\..*' --from 2026-11-03T14:02Z --to 2026-11-03T14:09Z
    """
    from recorder.capture.locations import local, locate
    from recorder.cli.interrupt import stopping
    from recorder.kafka.connection import connect, gather
    from recorder.payloads.registry import connect_registry
    from recorder.recording import record as recording
    from recorder.recording.into_store import record_into
    from recorder.recording.request import Request, parse_slack
    from recorder.recording.throttle import parse_megabits

    registry = connect_registry(schema_registry, gather(properties or (), command_config))
    if resume is not None:
        _only_connection_flags(context)
        _resume(connect(bootstrap_server, properties or (), command_config), registry, locate(resume), staging, form)
        return
    if (rotate or keep) and not follow:
        raise UsageError("--rotate and --keep belong to --follow: add it.")
    if state_prologue and rotate:
        raise UsageError("--state-prologue reads all there was before, which --rotate would do again for each capture.")
    starts = list(from_ or ())
    if follow and last is None and all("=" in start for start in starts):
        starts.append("now")
    request = Request.typed(
        starts,
        to or [],
        tz=tz,
        last=last,
        names=topic or (),
        patterns=regex or (),
        excludes=exclude or (),
        late_slack_ms=parse_slack(late_slack),
        isolation=isolation,
        state_prologue=state_prologue,
        max_bytes_per_second=parse_megabits(max_mbps),
        registry=registry,
        command=("blackbox", *sys.argv[1:]),
    )
    connection = connect(bootstrap_server, properties or (), command_config)
    place = locate(output) if output else request.default_directory()
    if isinstance(place, Path) and staging is not None:
        raise UsageError("--staging belongs to -o s3://…, gs://… or az://….")
    if follow:
        directory = local(str(output or place), why="but a row of captures is kept in a directory: give one with -o")
        _follow(connection, request, directory, rotate, keep, form)
        return
    with stopping() as stop, progress("record", None) as bar:
        show = partial(_show, bar)
        if isinstance(place, Path):
            manifest = recording.record(connection, request, place, progress=show, stop=stop)
        else:
            manifest = record_into(connection, request, place, staging=staging, progress=show, stop=stop, tell=say)
    _report(manifest, place, form)


def _resume(
    connection: Connection, registry: Registry | None, place: Location, staging: Path | None, form: Format
) -> None:
    from recorder.capture.push import staged_for
    from recorder.cli.interrupt import stopping
    from recorder.recording.into_store import resume_into
    from recorder.recording.resume import is_finished, resume

    if isinstance(place, Path) and (target := staged_for(place)):
        staging, place = place, target
    if is_finished(place):
        say(f"{place} is finished: nothing is left to resume.")
    with stopping() as stop, progress("resume", None) as bar:
        show = partial(_show, bar)
        command = ("blackbox", *sys.argv[1:])
        if isinstance(place, Path):
            manifest = resume(connection, place, registry=registry, command=command, progress=show, stop=stop)
        else:
            manifest = resume_into(
                connection,
                place,
                staging=staging,
                registry=registry,
                command=command,
                progress=show,
                stop=stop,
                tell=say,
            )
    _report(manifest, place, form)


def _show(bar: Bar, now: Progress) -> None:
    bar.show(completed=now.offsets, total=now.total, note=now.words)
    if VERBOSITY.verbose and now.load.fetches:
        say(f"The brokers sent {now.load}")


def _only_connection_flags(context: typer.Context) -> None:
    allowed = {"bootstrap_server", "properties", "command_config", "schema_registry", "resume", "staging", "form"}
    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in allowed and source is not None and source.name == "COMMANDLINE":
            raise UsageError("--resume goes on with what was asked for then: give only connection flags with it.")


def _report(manifest: Manifest, place: Location, form: Format) -> None:
    from recorder.capture.locations import shown

    directory = shown(place)
    if form is not Format.TABLE:
        emit_object(
            {
                "capture": getattr(place, "uri", str(place)),
                "id": manifest.capture_id,
                "records": manifest.records,
                "finished_by": manifest.finished_by,
                "losses": [loss.sentence() for loss in manifest.losses],
            },
            form,
        )
    say(f"Recorded {counted(manifest.records, 'record')} of {counted(len(manifest.topics), 'topic')} into {directory}")
    if manifest.prologue_records:
        say(f"  and {manifest.prologue_records:,} of the state before the window (blackbox cat --prologue)")
    for note in manifest.notes:
        if note.level != "loss":
            say(f"  {note.level}: {note.sentence()}")
    for loss in manifest.losses:
        complain(f"  loss: {loss.sentence()}")
    if manifest.finished_by == "interrupt":
        complain(f"Interrupted: what was read until then is sealed. Go on:  blackbox record --resume {directory}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if manifest.losses:
        raise typer.Exit(ExitCode.LOSS)
    say(f"Look at it:  blackbox info {directory}  ·  blackbox inspect {directory}")


def _follow(
    connection: Connection, request: Request, directory: Path, rotate: str | None, keep: str | None, form: Format
) -> None:
    from recorder.cli.interrupt import stopping
    from recorder.watching.follow import follow
    from recorder.watching.rotation import parse_limit

    with stopping() as stop, progress("follow", None) as bar:

        def show(now: Progress) -> None:
            bar.show(completed=now.offsets, note=now.words)

        done = follow(
            connection,
            request,
            directory,
            rotate=parse_limit(rotate, "--rotate") if rotate else None,
            keep=parse_limit(keep, "--keep") if keep else None,
            stop=stop,
            tell=say,
            progress=show,
        )
    if form is not Format.TABLE:
        found = {"directory": str(directory), "captures": done.captures, "records": done.records}
        emit_object({**found, "losses": list(done.losses)}, form)
    say(f"Recorded {counted(done.records, 'record')} in {counted(done.captures, 'capture')} below {directory}")
    for loss in done.losses:
        complain(f"  loss: {loss}")
    if done.losses:
        raise typer.Exit(ExitCode.LOSS)
