"""`blackbox ls`: topics and partitions of a capture."""

from __future__ import annotations

from typing import Annotated

import typer

from recorder.cli.options import CapturePath, Excludes, OutputFormat, Patterns, Topics
from recorder.cli.output import Format, emit


def ls(
    capture: CapturePath,
    topic: Topics = None,
    regex: Patterns = None,
    exclude: Excludes = None,
    gaps: Annotated[bool, typer.Option("--gaps", help="List the gaps of the ledger instead.")] = False,
    form: OutputFormat = Format.TABLE,
) -> None:
    """List topics and partitions with their records, offsets, times and gaps.

    Example: blackbox ls incident/ -e 'payments\\..*'
    """
    from recorder.capture.reader import open_capture
    from recorder.capture.selection import select_topics
    from recorder.capture.summary import gap_rows, partition_rows

    topics = select_topics(open_capture(capture).manifest, topic or (), regex or (), exclude or ())
    columns, rows = gap_rows(topics) if gaps else partition_rows(topics)
    emit(columns, rows, form)
