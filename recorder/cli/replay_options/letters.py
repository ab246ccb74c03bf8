"""How `blackbox replay` sends dead letters home."""

from __future__ import annotations

from typing import Annotated

import typer

_LETTERS = "Dead letters"

DeadLetters = Annotated[
    bool,
    typer.Option(
        "--dlq",
        help="Send records of dead-letter topics to the topics that their headers name (Kafka Connect, Spring, Kafka "
        "Streams, share groups, kpay), without the errors' headers; nothing else.",
        rich_help_panel=_LETTERS,
    ),
]
LetterHeader = Annotated[
    str | None,
    typer.Option(
        "--dlq-header",
        metavar="NAME",
        help="The header that names the topic, where nobody else's convention was followed.",
        rich_help_panel=_LETTERS,
        show_default=False,
    ),
]
LetterStrip = Annotated[
    list[str] | None,
    typer.Option(
        "--dlq-strip",
        metavar="PREFIX",
        help="Take off headers whose names begin so, too; may repeat.",
        rich_help_panel=_LETTERS,
        show_default=False,
    ),
]
MaxAttempts = Annotated[
    int,
    typer.Option(
        "--max-attempts",
        metavar="N",
        help="Leave letters that were sent home so often before (header blackbox-dlq-attempts).",
        rich_help_panel=_LETTERS,
    ),
]
