"""`blackbox guard`: keeps raw captures out of a repository, an upload or a ticket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.output import complain, say
from recorder.errors import RefusedError, UsageError


def guard(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Files and directories that are to leave.", show_default=False)
    ],
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            metavar="FILE",
            help="Only what this key's owner signed may leave; by default the public_key under guard in blackbox.yaml.",
            show_default=False,
        ),
    ] = None,
    allow_unsigned: Annotated[
        bool,
        typer.Option("--allow-unsigned", help="Go by the stamps of clean copies alone, which anybody can make."),
    ] = False,
) -> None:
    """Refuse captures, and stray pieces of them, that are not clean and signed. Exit 7 when there is one.

    Looks also into zip and tar archives and compressed files. CSV and JSON are known by the names of their columns:
    what has none of these can't be told from any other text. As a pre-commit hook: id blackbox-guard.

    Example: blackbox guard incident/ upload.zip --public-key reports.pub
    """
    from recorder.project import project_of
    from recorder.scrubbing import guard as guarding
    from recorder.scrubbing.signing import load_verifier

    if public_key is not None and allow_unsigned:
        raise UsageError("--allow-unsigned asks for no signature, and --public-key for one: give one of the two.")
    key = None if allow_unsigned else public_key or project_of(Path()).public_key
    found = guarding.guard(paths, load_verifier(key) if key else None, allow_unsigned=allow_unsigned)
    for one in found.refused:
        complain(f"{one.where} {one.why}.".replace("..", "."))
    if found.refused:
        raise RefusedError(
            f"{len(found.refused)} of these must not leave: take them out, or give clean copies (blackbox scrub)."
        )
    say(f"Nothing raw: {len(found.clean)} clean captures, {found.files:,} other files.")
