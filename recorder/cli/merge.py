"""`blackbox merge`: several captures as one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.options import Jobs, OutputFormat, SigningKey
from recorder.cli.output import Format, complain, emit_object, progress, say
from recorder.errors import ExitCode, UsageError
from recorder.wording import counted


def merge(
    captures: Annotated[
        list[str], typer.Argument(metavar="CAPTURE…", help="Their directories or URIs.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the whole goes; must not exist.")],
    as_: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            metavar="NAME=CAPTURE",
            help="Put NAME. before the names of this capture's topics; may repeat.",
            show_default=False,
        ),
    ] = None,
    signing_key: SigningKey = None,
    jobs: Jobs = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Join captures of one cluster or several. Needs no Kafka. Exit 3 when offsets lie between them, in none.

    Records that several hold come once; they must be equal. A gap that another fills is filled. Topics of the same name
    in different clusters are not mixed: --as tells them apart. All clean by one policy: clean; otherwise raw.

    Example: blackbox merge monday/ tuesday/ -o both/

    Example: blackbox merge eu/ us/ --as eu=eu/ --as us=us/ -o world/
    """
    from recorder.capture.reader import open_capture, total_bytes
    from recorder.editing import merge as merging
    from recorder.scrubbing.signing import load_signer
    from recorder.scrubbing.workers import workers

    prefixes = _prefixes(captures, as_ or ())
    opened = [open_capture(path) for path in captures]
    size = sum(map(total_bytes, captures))
    signer = load_signer(signing_key)
    with workers(size, jobs) as executor, progress("merge", size, "bytes") as bar:
        done = merging.merge(
            opened,
            out,
            prefixes=prefixes,
            command=("blackbox", *sys.argv[1:]),
            executor=executor,
            signer=signer,
            progress=bar.advance,
        )
    manifest = done.manifest
    losses = [loss.sentence() for loss in manifest.losses]
    if form is not Format.TABLE:
        facts = {"capture": str(out), "id": manifest.capture_id, "records": manifest.records, "copies": done.copies}
        emit_object({**facts, "between": done.uncovered, "losses": losses}, form)
    twice = f", {done.copies:,} copies of them left out," if done.copies else ""
    topics = f"{counted(len(manifest.topics), 'topic')}, {counted(len(opened), 'capture')}"
    say(f"Merged {manifest.records:,} records{twice} of {topics} into {out}")
    for note in manifest.notes:
        if note.level == "warning":
            say(f"  {note.level}: {note.sentence()}")
    if manifest.clean is not None and signer is None:
        say("It is clean by what it was made from, and nobody signed that: --signing-key takes the key of the whole.")
    for loss in losses:
        complain(f"  missing: {loss}")
    if done.uncovered:
        raise typer.Exit(ExitCode.LOSS)


def _prefixes(captures: list[str], given: list[str] | tuple[str, ...]) -> dict[int, str]:
    """The number of a capture -> the name that --as gives it."""
    found: dict[int, str] = {}
    for text in given:
        name, _, path = text.partition("=")
        numbers = [
            number for number, capture in enumerate(captures) if path and capture.rstrip("/") == path.rstrip("/")
        ]
        if not name or not numbers:
            raise UsageError(f"--as {text} names none of the captures: write --as NAME=CAPTURE, as they were given.")
        found.update(dict.fromkeys(numbers, name))
    return found
