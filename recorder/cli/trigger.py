"""`blackbox trigger`: tell the watcher on this machine that something bad happened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.options import OutputFormat
from recorder.cli.output import Format, emit_facts, emit_json


def trigger(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A trigger of the watcher's file.", show_default=False)],
    socket: Annotated[
        Path | None,
        typer.Option(
            "--socket",
            metavar="PATH",
            envvar="BLACKBOX_WATCH_SOCKET",
            help="Where the watcher listens; by default where 'blackbox watch' of this user does.",
            show_default=False,
        ),
    ] = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Have the running 'blackbox watch' take a capture of the time around now. Says which one it will be, and when.

    Example: blackbox trigger oncall
    """
    import os

    from recorder.watching.local_socket import call, default_path

    said = call(socket or default_path(os.environ), name)
    if form is Format.TABLE:
        emit_facts(name, said)
    else:
        emit_json(said)
