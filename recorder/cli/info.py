"""`blackbox info`: a capture at a glance."""

from __future__ import annotations

from recorder.cli.options import CapturePath, OutputFormat
from recorder.cli.output import Format, emit, emit_facts, emit_object


def info(capture: CapturePath, form: OutputFormat = Format.TABLE) -> None:
    """Show a capture at a glance: window, topics, records, gaps, history. JSON is the whole manifest, CSV the topics.

    Example: blackbox info incident/
    """
    from recorder.capture.reader import open_capture
    from recorder.capture.summary import facts, topic_rows

    opened = open_capture(capture)
    if form in (Format.JSON, Format.NDJSON):
        import msgspec

        emit_object(msgspec.to_builtins(opened.manifest), form)
        return
    if form is Format.TABLE:
        emit_facts(str(capture), facts(opened.manifest))
    columns, rows = topic_rows(opened.manifest)
    emit(columns, rows, form)
