"""`blackbox doctor`: what would a recording meet, how long would it take, how large would it be?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.options import (
    Bootstrap,
    CommandConfig,
    Excludes,
    OutputFormat,
    Patterns,
    Properties,
    Topics,
    Zone,
)
from recorder.cli.output import Format, emit, emit_object, say
from recorder.errors import ExitCode


def doctor(
    bootstrap_server: Bootstrap = None,
    topic: Topics = None,
    regex: Patterns = None,
    exclude: Excludes = None,
    from_: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Start of the window (inclusive), or 'beginning'.")
    ] = "beginning",
    to: Annotated[str, typer.Option(metavar="TIME", help="End of the window (exclusive), or 'end'.")] = "end",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where the capture is to be written.", show_default=False),
    ] = None,
    properties: Properties = None,
    command_config: CommandConfig = None,
    tz: Zone = None,
    late_slack: Annotated[
        str,
        typer.Option(metavar="DURATION|all", help="How far past the window's end late records are to be looked for."),
    ] = "5m",
    max_mbps: Annotated[
        float | None,
        typer.Option(metavar="N", help="The recording's own cap, in megabits per second.", show_default=False),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show also the checks of single topics that passed.")
    ] = False,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Check, before recording, whether it will work, how long it will take and how large it will be.

    Looks at connection, rights, clock, time index, retention, transactions, compaction and disk; says what to do.
    Reads a few records without a group, changes nothing. Without topics: only the cluster. Exit 1 when a check failed.

    Example: blackbox doctor -b broker:9092 -e 'payments\\..*' --from -15m -o incident/
    """
    from recorder.kafka.connection import connect
    from recorder.recording.checks import PER_TOPIC
    from recorder.recording.doctor import diagnose
    from recorder.recording.request import Request, parse_slack
    from recorder.recording.throttle import parse_megabits

    request = None
    if topic or regex:
        request = Request.typed(
            [from_],
            [to],
            tz=tz,
            names=topic or (),
            patterns=regex or (),
            excludes=exclude or (),
            late_slack_ms=parse_slack(late_slack),
        )
    connection = connect(bootstrap_server, properties or (), command_config)
    directory = output or (request.default_directory() if request else Path())
    found = diagnose(connection, request, directory, cap_bytes_per_second=parse_megabits(max_mbps))
    if form is Format.JSON:
        expected = found.expected.as_dict() if found.expected else None
        emit_object({"passed": not found.failed, "checks": [check.as_dict() for check in found.checks],
                     "expected": expected}, form)  # fmt: skip
    else:
        brief = form is Format.TABLE and not everything
        shown = [c for c in found.checks if not brief or c.status in {"WARNING", "FAILED"} or c.name not in PER_TOPIC]
        emit(("check", "status", "where", "detail"), ([c.name, c.status, c.where, c.detail] for c in shown), form)
    count = {status: sum(check.status == status for check in found.checks) for status in ("FAILED", "WARNING")}
    if found.failed:
        say(f"{count['FAILED']} of {len(found.checks)} checks failed: a recording would not work as asked.")
        raise typer.Exit(ExitCode.FAILED)
    good = "A recording would work" if request else "The cluster answers"
    say(f"{good}: no check failed, {count['WARNING']} of {len(found.checks)} have a warning.")
