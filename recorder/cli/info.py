"""`blackbox info`: a capture at a glance."""

from __future__ import annotations

from recorder.cli.options import CapturePath, OutputFormat
from recorder.cli.output import Format, emit, emit_facts, emit_json


def info(capture: CapturePath, form: OutputFormat = Format.TABLE) -> None:
    """Show a capture at a glance: window, topics, records, gaps, history.

    Example: blackbox info incident/
    """
    from recorder.capture.reader import open_capture
    from recorder.capture.summary import facts, topic_rows

    opened = open_capture(capture)
    if form is not Format.TABLE:
        import msgspec

        emit_json(msgspec.to_builtins(opened.manifest))
        return
    emit_facts(str(capture), facts(opened.manifest))
    columns, rows = topic_rows(opened.manifest)
    emit(columns, rows, form)
