"""The `blackbox` command: one verb a file, one edge where errors become a sentence and an exit code.

Verbs import what they need inside their function, so that `--help` loads none of the heavy libraries.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from recorder.cli import (
    cat,
    ctl,
    cut,
    demo,
    doctor,
    export,
    formats,
    guard,
    info,
    inspect,
    key_pairs,
    local,
    ls,
    merge,
    policy,
    push,
    quarantine,
    record,
    replay,
    rules,
    schemas,
    scrub,
    sql,
    suggest,
    timing,
    trigger,
    verify,
    verify_clean,
    watch,
)
from recorder.cli.output import VERBOSITY, complain
from recorder.errors import BlackboxError, ExitCode

_LIBRARIES = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy's: nothing here multiplies matrices, and they spin when they have begun
    "MIMALLOC_PURGE_DELAY": "-1",  # Arrow's memory: what was given back would soon be fetched, and cleared, again
}
"""What libraries read from the environment when they are loaded."""

app = typer.Typer(
    name="blackbox",
    help="A flight recorder for Kafka: record an incident, look at it, clean it, replay it in its own rhythm.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"blackbox {version('kafka-blackbox')}")
        raise typer.Exit


@app.callback()
def flags(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more about what is being done.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    VERBOSITY.quiet, VERBOSITY.verbose, VERBOSITY.debug = quiet, verbose, debug


VERBS = (
    demo.demo,
    record.record,
    info.info,
    ls.ls,
    cat.cat,
    formats.formats,
    inspect.inspect,
    sql.sql,
    schemas.schemas,
    export.export,
    cut.cut,
    merge.merge,
    verify.verify,
    suggest.suggest,
    scrub.scrub,
    rules.rules,
    verify_clean.verify_clean,
    guard.guard,
    quarantine.quarantine,
    push.push,
    replay.replay,
    timing.timing,
    doctor.doctor,
    watch.watch,
    trigger.trigger,
)
for verb in VERBS:
    app.command()(verb)


app.add_typer(ctl.app, name="ctl")
app.add_typer(policy.app, name="policy")
app.add_typer(key_pairs.app, name="keys")
app.add_typer(local.app, name="local")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; always ends in SystemExit with one of `ExitCode`."""
    for name, value in _LIBRARIES.items():
        os.environ.setdefault(name, value)
    try:
        app(args=arguments, prog_name="blackbox")
    except BlackboxError as error:
        _end(error, error.exit_code)
    except KeyboardInterrupt as error:
        _end(error, ExitCode.INTERRUPTED, "interrupted")
    except BrokenPipeError:
        # The reader of our output (head, less) went away: not an error. Keep the exit from flushing into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
    except Exception as error:  # noqa: BLE001 - the last edge: a person gets a sentence, never a traceback
        kind = type(error).__name__
        _end(error, ExitCode.FAILED, f"unexpected {kind}: {error}. Run again with 'blackbox --debug …' for details.")


def _end(error: BaseException, code: ExitCode, text: str | None = None) -> None:
    if VERBOSITY.debug:
        raise error
    complain(f"blackbox: {text or error}")
    sys.exit(code)
