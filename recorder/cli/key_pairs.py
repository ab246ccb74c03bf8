"""`blackbox keys`: the pairs of keys that sign reports and check them, or encrypt quarantines and open them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.output import emit_text, say

app = typer.Typer(name="keys", help="Keys that sign reports, or open quarantines.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys that sign the reports of clean copies, or open their quarantines."""


@app.command()
def new(
    name: Annotated[
        Path, typer.Argument(metavar="NAME", help="Writes NAME.key (private) and NAME.pub (public).")
    ] = Path("blackbox"),
    quarantine: Annotated[
        bool,
        typer.Option(
            "--quarantine",
            help="For quarantines: the public one encrypts, where copies are made; the private one opens.",
        ),
    ] = False,
) -> None:
    """Make a pair of keys: the private one signs, where copies are made; the public one checks, in CI.

    With --quarantine it is the other way round: the private one never needs to be where copies are made.
    Its file can be read by its owner alone. A file that exists is never overwritten.

    Example: blackbox keys new reports
    """
    from recorder.scrubbing.quarantine.keys import new_quarantine_pair
    from recorder.scrubbing.signing import new_pair

    private, public = name.with_name(f"{name.name}.key"), name.with_name(f"{name.name}.pub")
    key_id = (new_quarantine_pair if quarantine else new_pair)(private, public)
    emit_text(key_id)
    use = "for the policy, or --quarantine-key" if quarantine else "give it away"
    say(f"Wrote {private} (private: keep it) and {public} (public: {use}). The key's id is {key_id}.")
