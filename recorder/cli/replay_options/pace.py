"""How fast `blackbox replay` plays, and what it does when it is late."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

_PACE = "Pace"

Rate = Annotated[float, typer.Option("-r", "--rate", metavar="FACTOR", help="2: twice as fast.", rich_help_panel=_PACE)]
TopSpeed = Annotated[bool, typer.Option("--topspeed", help="As fast as the target takes them.", rich_help_panel=_PACE)]
PerSecond = Annotated[
    float | None,
    typer.Option(
        "--pps",
        metavar="N",
        help="At most so many records a second in all, also against the plan.",
        rich_help_panel=_PACE,
        show_default=False,
    ),
]
Megabits = Annotated[
    float | None,
    typer.Option(
        "--mbps",
        metavar="N",
        help="At most so many megabits of keys, values and headers a second in all.",
        rich_help_panel=_PACE,
        show_default=False,
    ),
]
Stepwise = Annotated[
    bool,
    typer.Option(
        "--step", help="Begin paused: records go by command (key n, blackbox ctl step).", rich_help_panel=_PACE
    ),
]


class LateChoice(StrEnum):
    """The choices of `--late`."""

    CATCHUP = "catchup"
    SLOW = "slow"
    DROP = "drop"
    FAIL = "fail"


Late = Annotated[
    LateChoice,
    typer.Option(
        help="When records are late. catchup: send them at once, in order; slow: let time slow for all topics; drop: "
        "leave out those beyond --late-bound, and name them; fail: end with exit code 5.",
        rich_help_panel=_PACE,
    ),
]
LateBound = Annotated[
    str,
    typer.Option(
        "--late-bound",
        metavar="DURATION",
        help="How late a record may be, unless --late catchup.",
        rich_help_panel=_PACE,
    ),
]
ReadAhead = Annotated[
    str,
    typer.Option("--read-ahead", metavar="SIZE", help="How much to read before it is due.", rich_help_panel=_PACE),
]
