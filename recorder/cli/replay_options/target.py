"""The topics that `blackbox replay` writes to, and how it writes to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_TARGET = "Target"

Transactional = Annotated[
    str | None,
    typer.Option(
        "--transactional",
        metavar="N|DURATION",
        help="Send inside transactions, committed after so many records or so long: 1000, 500ms or 1000,500ms. One "
        "that fails is aborted, and ends the replay.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
CreateTopics = Annotated[
    bool,
    typer.Option("--create-topics", help="Create missing topics as they were recorded.", rich_help_panel=_TARGET),
]
TopicConfig = Annotated[
    list[str] | None,
    typer.Option(
        "--topic-config",
        metavar="TOPIC:NAME=VALUE",
        help="With --create-topics: a setting that differs from the recorded one; *:NAME=VALUE for all; may repeat.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
PartitionsOf = Annotated[
    list[str] | None,
    typer.Option(
        "--partitions-of",
        metavar="TOPIC=N",
        help="With --create-topics: so many partitions instead of the recorded number; may repeat.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
ReplicationFactor = Annotated[
    int | None,
    typer.Option(
        "--replication-factor",
        metavar="N",
        help="With --create-topics: copies of each partition. Default: 3, or as many as there are brokers.",
        rich_help_panel=_TARGET,
        min=1,
        show_default=False,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a replay that was killed or interrupted, or lost its target, where the target's log ends.",
        rich_help_panel=_TARGET,
    ),
]
StateKept = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="FILE",
        help="Where what --resume needs is kept until the replay is done. Default: beside the certificate, as .state.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
