"""`blackbox watch`: wait for the bad thing, then take the time around it out of Kafka's retention."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.output import complain, say
from recorder.errors import ExitCode
from recorder.wording import counted


def watch(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="What to watch for: a YAML file.", show_default=False)
    ],
) -> None:
    """Wait for triggers; for each, record the minutes before and after it once they are over. Until SIGTERM or Ctrl-C.

    Nothing is recorded beforehand: Kafka's retention is the tape. Triggers that still wait survive a restart.
    Exit 3 when something is missing in a capture or a trigger was lost.

    Example: blackbox watch examples/watch/watch.yaml
    """
    import os

    from recorder.cli.interrupt import stopping
    from recorder.watching.local_socket import default_path
    from recorder.watching.settings import load_settings
    from recorder.watching.watch import watch as watching

    settings = load_settings(config)
    with stopping() as stop:
        ended = watching(settings, settings.socket or default_path(os.environ), stop=stop, tell=say)
    say(f"Ended: {counted(ended.captures, 'capture')} taken.")
    for capture in ended.kept:
        say(f"  {capture} is noted and will be taken at the next start")
    for loss in ended.losses:
        complain(f"  loss: {loss}")
    if ended.losses:
        raise typer.Exit(ExitCode.LOSS)
