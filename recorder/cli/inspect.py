"""`blackbox inspect`: look at a capture in the terminal."""

from __future__ import annotations

import sys

from recorder.cli.options import CapturePath, FormatsFile, KeyFormats, ValueFormats
from recorder.errors import UsageError


def inspect(
    capture: CapturePath,
    key_format: KeyFormats = None,
    value_format: ValueFormats = None,
    formats_file: FormatsFile = None,
) -> None:
    """Look at a capture in the terminal: timeline, topics, records, search, SQL.

    Example: blackbox inspect incident/
    """
    from recorder.capture.reader import open_capture

    opened = open_capture(capture)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("inspect needs a terminal: use 'blackbox cat' or 'blackbox sql' in scripts.")
    from recorder.payloads.choices import typed_choices
    from recorder.tui.app import show

    show(opened, typed_choices(key_format or (), value_format or (), formats_file))
