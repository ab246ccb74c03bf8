"""`blackbox quarantine`: what a scrub withheld: how much and why for anybody, the records for who has the key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recorder.cli.options import OutputFormat
from recorder.cli.output import Format, complain, emit, emit_json, emit_lines, say
from recorder.errors import UsageError

if TYPE_CHECKING:
    from recorder.scrubbing.quarantine.looking import Opened


def quarantine(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A quarantine.", show_default=False)],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The private key that opens it: lists it.", show_default=False),
    ] = None,
    topic: Annotated[
        str | None, typer.Option("-t", "--topic", metavar="TOPIC", help="Of this topic only.", show_default=False)
    ] = None,
    partition: Annotated[
        int | None, typer.Option("--partition", min=0, help="Of this partition only.", show_default=False)
    ] = None,
    offset: Annotated[
        int | None,
        typer.Option("--offset", min=0, help="Show this one record whole, as 'cat' does.", show_default=False),
    ] = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Say how many records a scrub withheld, by topic and cause; with the private key, list them and look into one.

    The counts need no key and tell nothing of the records; only with the key is it checked that they are true, and that
    nothing was altered, moved or cut off.

    Example: blackbox quarantine withheld.quarantine --key quarantine.key --topic orders --partition 0 --offset 31
    """
    from recorder.scrubbing.quarantine.keys import load_opener
    from recorder.scrubbing.quarantine.looking import Opened, summary
    from recorder.wording import counted

    if key is None:
        if topic is not None or partition is not None or offset is not None:
            raise UsageError("--topic, --partition and --offset look at records: give the private key, --key FILE.")
        sealed, counts = summary(file)
        rows = [(one.topic, one.place, one.cause, one.records) for one in counts.lines]
        emit(("topic", "place", "cause", "records"), rows, form)
        say(f"{counted(counts.records, 'record')} of capture {sealed.head.parent_id}, for key {sealed.head.recipient}.")
        return
    opened = Opened(file, load_opener(key))
    if offset is not None:
        if topic is None or partition is None:
            raise UsageError("--offset is of one partition: add --topic and --partition.")
        _show(opened, topic, partition, offset, form)
        return
    found = (
        (one.topic, one.partition, one.offset, one.place, one.path, one.cause, one.reason)
        for one in opened.records()
        if topic in (None, one.topic) and partition in (None, one.partition)
    )
    emit(("topic", "partition", "offset", "place", "path", "cause", "reason"), found, form)


def _show(opened: Opened, topic: str, partition: int, offset: int, form: Format) -> None:
    import json
    import shutil

    from recorder.payloads.formats import Formats
    from recorder.payloads.lines import records_as
    from recorder.scrubbing.quarantine.looking import batch_of

    record = opened.record(topic, partition, offset)
    formats = Formats(None, schemas=opened.schemas)
    width = shutil.get_terminal_size((200, 40)).columns
    lines = records_as(
        "ndjson" if form is Format.JSON else form.value, [batch_of(record)], None, width=width, formats=formats
    )
    if form is Format.JSON:
        why = {"place": record.place, "path": record.path, "cause": record.cause, "reason": record.reason}
        emit_json({**json.loads("".join(lines)), "quarantine": why})
        return
    emit_lines(lines)
    complain(f"{record.place}{' ' + record.path if record.path else ''}: {record.reason} ({record.cause})")
