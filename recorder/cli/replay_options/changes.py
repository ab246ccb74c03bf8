"""What `blackbox replay` changes about records on their way."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

_TARGET = "Target"

Remap = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--remap",
        metavar="A:=B",
        help="Send topic A's records to topic B; CAPTURE/A:=B for one of several captures; may repeat.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]


class TimestampsChoice(StrEnum):
    """The choices of `--timestamps`."""

    ORIGINAL = "original"
    SHIFT = "shift"
    NOW = "now"


Timestamps = Annotated[
    TimestampsChoice,
    typer.Option(
        help="original: as recorded; shift: all moved by one span, so that the first is the start; "
        "now: the time of sending.",
        rich_help_panel=_TARGET,
    ),
]
PartitionRule = Annotated[
    str,
    typer.Option(
        "--partitions",
        metavar="RULE",
        help="keep: the recorded partition; hash: where Java's producer puts the key (without a key: recorded "
        "partition modulo their number); map:FILE: lines 'topic/partition -> partition', others keep theirs; "
        "auto: keep where there are as many partitions as were recorded, hash elsewhere.",
        rich_help_panel=_TARGET,
    ),
]
Transforming = Annotated[
    str | None,
    typer.Option(
        "--transform",
        metavar="MODULE:FUNCTION",
        help="A Python function that gets each record (recorder.Record) and returns what to send: a record, None or "
        "several. What it changes is counted.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
Piping = Annotated[
    str | None,
    typer.Option(
        "--middleware",
        metavar="CMD",
        help="A program that gets a JSON line a record, as 'blackbox cat --raw --format ndjson' writes them, and "
        "answers each with one: the record, null or a list. What it changes is counted.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
Perturbed = Annotated[
    str | None,
    typer.Option(
        "--chaos",
        metavar="WHAT",
        help="Trouble on purpose: seed=7,duplicate=0.1%,drop=0.1%,delay=1%:50ms,reorder-keys=5%. The same seed brings "
        "the same trouble; records of one key keep their order unless reorder-within-keys is among it.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
Provenance = Annotated[
    bool,
    typer.Option(
        "--provenance",
        help="Tell in a last header of every record, blackbox-replay-id, which replay sent it.",
        rich_help_panel=_TARGET,
    ),
]
TargetRegistry = Annotated[
    str | None,
    typer.Option(
        "--target-registry",
        metavar="URL",
        help="Translate the schema ids in records to this registry's: schemas of the capture are looked up there, or "
        "registered. Its credentials belong into -F or -X.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
SubjectMap = Annotated[
    list[str] | None,
    typer.Option(
        "--subject-map",
        metavar="A:=B",
        help="What subject A is called in the target registry, where it doesn't just follow -m; may repeat.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
NoRegister = Annotated[
    bool,
    typer.Option("--no-register", help="Only look schemas up, register none.", rich_help_panel=_TARGET),
]
AllowUnknownSchemas = Annotated[
    bool,
    typer.Option(
        "--allow-unknown-schemas",
        help="Send also records that name a schema which the capture does not hold, as they are.",
        rich_help_panel=_TARGET,
    ),
]
