"""What keeps `blackbox replay` from writing what it should not, or where it should not."""

from __future__ import annotations

from typing import Annotated

import typer

_TARGET = "Target"

AllowTarget = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-target",
        metavar="CLUSTER_ID",
        help="Write to no other cluster than this; may repeat, and adds to allow_targets in blackbox.yaml.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be done; send and create nothing.", rich_help_panel=_TARGET),
]
AllowSource = Annotated[
    bool,
    typer.Option(
        "--allow-source-cluster", help="Write even into the cluster that was recorded.", rich_help_panel=_TARGET
    ),
]
Aborted = Annotated[
    bool,
    typer.Option(
        "--aborted",
        help="Send also records of aborted transactions, which a read_uncommitted recording holds.",
        rich_help_panel=_TARGET,
    ),
]
AllowRaw = Annotated[
    bool, typer.Option("--allow-raw", help="Send even a capture that was not scrubbed.", rich_help_panel=_TARGET)
]
