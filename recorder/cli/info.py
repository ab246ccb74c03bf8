"""`blackbox info`: a capture at a glance, or its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from recorder.cli.options import CapturePath, OutputFormat
from recorder.cli.output import Format, complain, emit, emit_facts, emit_lines, emit_object, emit_text, to_json
from recorder.errors import ExitCode

if TYPE_CHECKING:
    from recorder.capture.manifest import Manifest


def info(
    capture: CapturePath,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="What became of every offset, partition by partition; exit 3 for loss.")
    ] = False,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Show a capture at a glance: window, topics, records, gaps, history. JSON is the whole manifest, CSV the topics.

    With --ledger: every offset between a partition's start and end is a record, or missing for a reason.

    Example: blackbox info incident/ --ledger
    """
    from recorder.capture.reader import open_capture
    from recorder.capture.summary import facts, topic_rows

    opened = open_capture(capture)
    if ledger:
        _ledger(opened.manifest, form)
        return
    if form in (Format.JSON, Format.NDJSON):
        import msgspec

        emit_object(msgspec.to_builtins(opened.manifest), form)
        return
    if form is Format.TABLE:
        emit_facts(str(opened.root), facts(opened.manifest))
    columns, rows = topic_rows(opened.manifest)
    emit(columns, rows, form)


def _ledger(manifest: Manifest, form: Format) -> None:
    from recorder.capture.accounts import account_rows, accounts, hole_lines, verdict

    found = accounts(manifest)
    if form is Format.JSON:
        partitions = [account.as_dict() for account in found]
        emit_object({"explained": all(account.explained for account in found), "partitions": partitions}, form)
    elif form is Format.NDJSON:
        emit_lines(to_json(account.as_dict()) for account in found)
    else:
        columns, rows = account_rows(found, all_reasons=form is Format.CSV)
        emit(columns, rows, form)
    if form is Format.TABLE:
        emit_text("\n".join(["", *hole_lines(found), "", verdict(found)]))
    lost = [account for account in found if account.lost]
    for account in lost:
        complain(f"  loss: {account.topic}/{account.partition}: {account.lost:,} offsets")
    if lost:
        raise typer.Exit(ExitCode.LOSS)
