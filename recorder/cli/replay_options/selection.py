"""Which records `blackbox replay` plays, and which stretch of their time."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

_SELECTION = "What to replay"
_TIME = "Time"

Captures = Annotated[
    list[str],
    typer.Argument(
        metavar="CAPTURE…",
        help="A capture's directory or URI; several are played on one timeline.",
        show_default=False,
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="SQL",
        help="Only records for which this holds, such as value_json->>'$.state' = 'failed'.",
        rich_help_panel=_SELECTION,
        show_default=False,
    ),
]
Sample = Annotated[
    str | None,
    typer.Option(
        "--sample",
        metavar="PERCENT",
        help="Only this share of all keys, each key whole: 25%.",
        rich_help_panel=_SELECTION,
        show_default=False,
    ),
]
PrologueToo = Annotated[
    bool,
    typer.Option(
        "--prologue",
        help="Send the state before the window first, of compacted topics recorded with --state-prologue; all of it is "
        "confirmed before the first record of the window.",
        rich_help_panel=_SELECTION,
    ),
]
StartOffset = Annotated[
    list[str] | None,
    typer.Option(
        "--start-offset",
        metavar="TOPIC/PARTITION:OFFSET",
        help="Begin this partition there; may repeat.",
        rich_help_panel=_SELECTION,
        show_default=False,
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="TIME",
        help="Where on the timeline to begin: a time, or +30s from its first record.",
        rich_help_panel=_TIME,
        show_default=False,
    ),
]
End = Annotated[
    str | None,
    typer.Option(
        "--end", metavar="TIME", help="And where to end (exclusive).", rich_help_panel=_TIME, show_default=False
    ),
]
Duration = Annotated[
    str | None,
    typer.Option(
        "--duration",
        metavar="DURATION",
        help="Or how much recorded time to play.",
        rich_help_panel=_TIME,
        show_default=False,
    ),
]


class TimeBasisChoice(StrEnum):
    """The choices of `--time-basis`."""

    CREATE = "create"
    APPEND = "append"
    OFFSET = "offset"


TimeBasis = Annotated[
    TimeBasisChoice,
    typer.Option(
        help="What places a record: create, its timestamp; append, its timestamp if the broker gave it; offset, the "
        "order in its partition alone.",
        rich_help_panel=_TIME,
    ),
]


class IntraMsChoice(StrEnum):
    """The choices of `--intra-ms`."""

    BURST = "burst"
    SPREAD = "spread"


IntraMs = Annotated[
    IntraMsChoice,
    typer.Option(help="Send records of one millisecond at once, or spread over it.", rich_help_panel=_TIME),
]
MaxGap = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="Shorten idle stretches to this much recorded time (then --rate applies).",
        rich_help_panel=_TIME,
        show_default=False,
    ),
]
Loop = Annotated[
    int, typer.Option("--loop", metavar="N", help="Play N times; 0 is for ever.", rich_help_panel=_TIME, min=0)
]
LoopDelay = Annotated[
    str | None,
    typer.Option(
        "--loop-delay",
        metavar="DURATION",
        help="Real time between the end of one pass and the next.",
        rich_help_panel=_TIME,
        show_default=False,
    ),
]
