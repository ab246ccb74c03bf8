"""`blackbox cat`: records in time order."""

from __future__ import annotations

from typing import Annotated

import typer

from recorder.cli.options import (
    CapturePath,
    Excludes,
    FormatsFile,
    From,
    KeyFormats,
    Keys,
    OutputFormat,
    Partitions,
    Patterns,
    To,
    Topics,
    ValueFormats,
    Zone,
)
from recorder.cli.output import Format, complain, emit_lines


def cat(
    capture: CapturePath,
    topic: Topics = None,
    regex: Patterns = None,
    exclude: Excludes = None,
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
    raw: Annotated[bool, typer.Option("--raw", help="Decode nothing: text, or bytes.")] = False,
    key_format: KeyFormats = None,
    value_format: ValueFormats = None,
    formats_file: FormatsFile = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Print records in time order, never reordered inside a partition, with their payloads decoded.

    Times may also be given relative to the capture's end: --from -30s. NDJSON is one object a record: payloads as
    JSON, text as a string, other bytes as {"base64": …}; value_reason says why a value is not decoded, or in doubt;
    transaction says that a record was aborted, or undecided when the recording ended.

    Example: blackbox cat incident/ -t payments.dlq -n 20 --format ndjson

    Example: blackbox cat incident/ --key-format 'payments.*=long' --value-format orders=avro:order.avsc
    """
    import shutil

    from recorder.capture.marks import Marks
    from recorder.capture.reader import open_capture
    from recorder.capture.selection import typed_selection
    from recorder.payloads.choices import typed_choices
    from recorder.payloads.formats import Formats
    from recorder.payloads.lines import records_as

    opened = open_capture(capture)
    selection = typed_selection(
        opened.manifest,
        names=topic or (),
        patterns=regex or (),
        excludes=exclude or (),
        partitions=partition or (),
        keys=key or (),
        from_text=from_,
        to_text=to,
        tz=tz,
    )
    said = typed_choices(key_format or (), value_format or (), formats_file)
    read = None if raw else Formats(opened, said)
    width = shutil.get_terminal_size((200, 40)).columns
    batches = opened.prologue_batches(selection) if prologue else opened.timeline(selection)
    marks = None if prologue else Marks(opened.manifest)
    emit_lines(records_as(form.value, batches, limit, width=width, formats=read, marks=marks))
    for line in read.tally.sentences() if read is not None else ():
        complain(line)
