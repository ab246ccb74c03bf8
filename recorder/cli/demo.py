"""`blackbox demo`: the main job from end to end on two real Kafka clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from recorder.cli.output import Format, emit, emit_text, progress
from recorder.errors import ExitCode

_WIDTH = 118


def demo(
    directory: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where to keep the captures.")
    ] = Path("blackbox-demo"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the two clusters running at the end.")] = False,
) -> None:
    """Record, look at, clean and replay an incident of an example payment system, on two real Kafka clusters.

    Takes about 90 seconds and needs nothing but Python: pip install -e '.[local]'.

    Example: blackbox demo --keep
    """
    from recorder.demo.story import tell

    outcome = tell(_Terminal(), directory, keep=keep)
    for line in outcome.closing_lines():
        emit_text(line)
    if not outcome.proven:
        raise typer.Exit(ExitCode.FAILED)


class _Terminal:
    """The demo's stage: titles, sentences and tables on stdout, progress on stderr."""

    def __init__(self) -> None:
        self._chapter = 0

    def title(self, text: str) -> None:
        self._chapter += 1
        emit_text(f"\n{self._chapter}. {text}")

    def say(self, text: str) -> None:
        import textwrap

        emit_text(textwrap.fill(text, _WIDTH, initial_indent="   ", subsequent_indent=" " * 17))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        emit(columns, rows, Format.TABLE)

    working = staticmethod(progress)
