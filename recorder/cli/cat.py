"""`blackbox cat`: records in time order."""

from __future__ import annotations

from typing import Annotated

import typer

from recorder.cli.options import CapturePath, From, Keys, OutputFormat, Partitions, Patterns, To, Topics, Zone
from recorder.cli.output import Format, emit_lines


def cat(
    capture: CapturePath,
    topic: Topics = None,
    regex: Patterns = None,
    partition: Partitions = None,
    key: Keys = None,
    from_: From = None,
    to: To = None,
    tz: Zone = None,
    prologue: Annotated[
        bool, typer.Option("--prologue", help="The state before the window instead, of compacted topics.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("-n", "--limit", min=1, help="Stop after N records.", show_default=False)
    ] = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Print records in time order, never reordered inside a partition.

    Times may also be given relative to the capture's end: --from -30s. NDJSON holds every field exactly: text as
    text, other bytes as {"base64": …}.

    Example: blackbox cat incident/ -t payments.dlq -n 20 --format ndjson
    """
    import shutil

    from recorder.capture.reader import open_capture
    from recorder.capture.selection import typed_selection
    from recorder.payloads.lines import records_as

    opened = open_capture(capture)
    selection = typed_selection(
        opened.manifest,
        names=topic or (),
        patterns=regex or (),
        partitions=partition or (),
        keys=key or (),
        from_text=from_,
        to_text=to,
        tz=tz,
    )
    width = shutil.get_terminal_size((200, 40)).columns
    batches = opened.prologue_batches(selection) if prologue else opened.timeline(selection)
    emit_lines(records_as(form.value, batches, limit, width=width))
