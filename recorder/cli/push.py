"""`blackbox push`: a capture into an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.output import progress, say
from recorder.errors import UsageError


def push(
    capture: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A capture, or a recording that waits for being sent.", show_default=False),
    ],
    target: Annotated[
        str, typer.Argument(metavar="URI", help="s3://…, gs://… or az://…; nothing may be there.", show_default=False)
    ],
) -> None:
    """Copy a finished capture into an object store: every file checked when it is there, the manifest last.

    It also sends the rest of a recording that could not be sent; the same command again goes on where it ended.

    Example: blackbox push incident/ s3://evidence/2026/incident
    """
    from recorder.capture.locations import ObjectPath, locate
    from recorder.capture.manifest import Manifest
    from recorder.capture.push import push as pushing

    there = locate(target)
    if not isinstance(there, ObjectPath):
        raise UsageError(f"{there} is no object store: say s3://bucket/prefix, gs://… or az://….")
    with progress("push", None, "bytes") as bar:
        manifest: Manifest = pushing(capture, there, progress=bar.advance)
    say(f"{manifest.records:,} records are in {there}.  Look at it:  blackbox info '{there.uri}'")
