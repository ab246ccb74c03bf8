"""`blackbox ctl`: command a replay that runs on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from recorder.cli.options import OutputFormat, Zone
from recorder.cli.output import Format, emit, emit_facts, emit_json

if TYPE_CHECKING:
    from recorder.replaying.control import Command, Status

app = typer.Typer(help="Command a running replay.", no_args_is_help=True)

Count = Annotated[int, typer.Argument(metavar="N", help="How many records.", min=1)]


@dataclass(frozen=True, slots=True)
class _Meant:
    replay: str | None


@app.callback()
def meant(
    context: typer.Context,
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay",
            metavar="ID|PATH",
            help="Which replay, by the beginning of its id or by its socket; needed only if several run.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Command a running replay: each command says where the replay stands after it."""
    context.obj = _Meant(replay)


@app.command()
def pause(context: typer.Context, form: OutputFormat = Format.TABLE) -> None:
    """Let time stand still: no record is sent until 'resume'.

    Example: blackbox ctl pause
    """
    from recorder.replaying.control import Pause

    _command(context, Pause(), form)


@app.command()
def resume(context: typer.Context, form: OutputFormat = Format.TABLE) -> None:
    """Let time run again, from where it stood.

    Example: blackbox ctl resume
    """
    from recorder.replaying.control import Resume

    _command(context, Resume(), form)


@app.command()
def rate(
    context: typer.Context,
    factor: Annotated[float, typer.Argument(metavar="FACTOR", help="2: twice as fast.", show_default=False)],
    form: OutputFormat = Format.TABLE,
) -> None:
    """Play at another rate from now on.

    Example: blackbox ctl rate 0.5
    """
    from recorder.errors import UsageError
    from recorder.replaying.control import Rate

    if factor <= 0:
        raise UsageError(f"{factor:g} is not a rate: give a factor such as 0.5, 1 or 10.")
    _command(context, Rate(factor), form)


@app.command()
def seek(
    context: typer.Context,
    time: Annotated[
        str, typer.Argument(metavar="TIME", help="A time, or +30s from the first record.", show_default=False)
    ],
    tz: Zone = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Go to another moment of the timeline, back or forth; what lies between is sent again, or not at all.

    Example: blackbox ctl seek +30s
    """
    from recorder.replaying.control import seek_to
    from recorder.replaying.typed import parse_point

    _command(context, seek_to(parse_point(time, tz=tz)), form)


@app.command()
def step(context: typer.Context, count: Count = 1, form: OutputFormat = Format.TABLE) -> None:
    """Pause, and send the next records one by one, each confirmed before the next.

    Example: blackbox ctl step 3
    """
    from recorder.replaying.control import Step

    _command(context, Step(count), form)


@app.command()
def burst(context: typer.Context, count: Count, form: OutputFormat = Format.TABLE) -> None:
    """Send the next records at once, then go on from there (or stay paused).

    Example: blackbox ctl burst 1000
    """
    from recorder.replaying.control import Burst

    _command(context, Burst(count), form)


@app.command()
def status(context: typer.Context, form: OutputFormat = Format.TABLE) -> None:
    """Say where the replay stands: position, rate, lateness, records sent and confirmed, time to go.

    Example: blackbox ctl status --format json
    """
    from recorder.replaying.control import AskStatus

    _command(context, AskStatus(), form)


@app.command()
def stop(context: typer.Context, form: OutputFormat = Format.TABLE) -> None:
    """End the replay as Ctrl-C does: what was sent is confirmed and certified, the rest is not sent.

    Example: blackbox ctl stop
    """
    from recorder.replaying.control import Stop

    _command(context, Stop(), form)


@app.command("list")
def list_(form: OutputFormat = Format.TABLE) -> None:
    """List the replays that run here.

    Example: blackbox ctl list
    """
    import os

    from recorder.replaying.remote import running, socket_directory, statuses

    columns = ("replay", "pid", "capture", "target", "state", "rate", "sent", "planned", "socket")
    rows = [
        (path.stem, now.pid, now.capture, now.target, now.state, now.rate, now.sent, now.planned, str(path))
        for path, now in statuses(running(socket_directory(os.environ)))
    ]
    emit(columns, rows, form)


def _command(context: typer.Context, command: Command, form: Format) -> None:
    import os

    from recorder.replaying import remote

    path = remote.choose(remote.socket_directory(os.environ), context.obj.replay)
    _show(remote.command(path, command), form)


def _show(now: Status, form: Format) -> None:
    if form is not Format.TABLE:
        import msgspec

        emit_json(msgspec.to_builtins(now))
        return
    from recorder.replaying.standing import status_facts

    emit_facts(f"Replay {now.replay_id[:12]} of {now.capture}", status_facts(now))
