"""`blackbox suggest`: a first policy for a capture, with what was seen beside each line and never a value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.options import CapturePath
from recorder.cli.output import emit_text, progress, say
from recorder.errors import UsageError


def suggest(
    capture: CapturePath,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="Write it there; by default it is printed.", show_default=False
        ),
    ] = None,
) -> None:
    """Draft a policy from a capture: what is understood gets a rule, what is harmless stays, the rest waits for you.

    Goes by field names, schema tags, detectors, and how many different values there are; joins ids by the values that
    they share. Comments say what was seen, never a value. Lines behind #? are proposals: until you accept them, a
    copy fails there.

    Example: blackbox suggest incident/ -o policy.yaml
    """
    from recorder.capture.reader import open_capture, total_bytes
    from recorder.scrubbing.suggest import suggest as drafted

    if out is not None and out.exists():
        raise UsageError(f"{out} exists already: a draft writes over nobody's policy. Choose another name with -o.")
    with progress("look", total_bytes(capture), "bytes") as bar:
        found = drafted(open_capture(capture), bar.advance)
    if out is None:
        emit_text(found.text.rstrip("\n"))
    else:
        try:
            out.write_text(found.text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"Can't write {out}: {error.strerror}.") from None
    where = f"Wrote {out}: " if out is not None else ""
    say(f"{where}{found.decided:,} places are decided, {found.waiting:,} wait for you behind #?.")
