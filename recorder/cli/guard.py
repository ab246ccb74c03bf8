"""`blackbox guard`: keeps raw captures out of a repository, an upload or a ticket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.output import complain, say
from recorder.errors import RefusedError


def guard(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Files and directories that are to leave.", show_default=False)
    ],
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            metavar="FILE",
            help="Let only those copies pass whose report this key's owner signed.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Refuse captures, and stray pieces of them, without a valid clean stamp. Exit 7 when there is one.

    Looks also into zip and tar archives and compressed files. As a pre-commit hook: id blackbox-guard.

    Example: blackbox guard incident/ upload.zip
    """
    from recorder.scrubbing import guard as guarding
    from recorder.scrubbing.signing import load_verifier

    found = guarding.guard(paths, load_verifier(public_key) if public_key else None)
    for one in found.refused:
        complain(f"{one.where} {one.why}.".replace("..", "."))
    if found.refused:
        raise RefusedError(
            f"{len(found.refused)} of these must not leave: take them out, or give clean copies (blackbox scrub)."
        )
    say(f"Nothing raw: {len(found.clean)} clean captures, {found.files:,} other files.")
