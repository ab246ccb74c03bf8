"""`blackbox formats`: what the payloads of each topic are, and how that shows."""

from __future__ import annotations

from recorder.cli.options import (
    CapturePath,
    Excludes,
    FormatsFile,
    KeyFormats,
    OutputFormat,
    Patterns,
    Topics,
    ValueFormats,
)
from recorder.cli.output import Format, emit


def formats(
    capture: CapturePath,
    topic: Topics = None,
    regex: Patterns = None,
    exclude: Excludes = None,
    key_format: KeyFormats = None,
    value_format: ValueFormats = None,
    formats_file: FormatsFile = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Show the format of every topic's keys and values, and the evidence for it in a sample of records.

    With formats given, it shows how many of the sample can be read so.

    Example: blackbox formats incident/ --value-format orders=avro:order.avsc
    """
    from recorder.capture.reader import open_capture
    from recorder.capture.selection import select_topics
    from recorder.payloads.choices import typed_choices
    from recorder.payloads.formats import Formats

    opened = open_capture(capture)
    read = Formats(opened, typed_choices(key_format or (), value_format or (), formats_file))
    rows = [
        (chosen.name, side, found.format, ", ".join(found.facets), found.evidence)
        for chosen in select_topics(opened.manifest, topic or (), regex or (), exclude or ())
        for side, found in read.detected(chosen.name).items()
    ]
    emit(("topic", "side", "format", "is", "evidence"), rows, form)
