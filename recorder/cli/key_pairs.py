"""`blackbox keys`: the pair of keys that sign reports and check them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.output import emit_text, say

app = typer.Typer(name="keys", help="Keys that sign the reports of clean copies.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys that sign the reports of clean copies."""


@app.command()
def new(
    name: Annotated[
        Path, typer.Argument(metavar="NAME", help="Writes NAME.key (private) and NAME.pub (public).")
    ] = Path("blackbox"),
) -> None:
    """Make a pair of keys: the private one signs, where copies are made; the public one checks, in CI.

    The private key's file can be read by its owner alone. A file that exists is never overwritten.

    Example: blackbox keys new reports
    """
    from recorder.scrubbing.signing import new_pair

    private, public = name.with_name(f"{name.name}.key"), name.with_name(f"{name.name}.pub")
    key_id = new_pair(private, public)
    emit_text(key_id)
    say(f"Wrote {private} (private: keep it) and {public} (public: give it away). The key's id is {key_id}.")
