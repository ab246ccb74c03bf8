"""`blackbox verify`: is a capture whole and unaltered?"""

from __future__ import annotations

from typing import Annotated

import typer

from recorder.cli.options import CapturePath, OutputFormat
from recorder.cli.output import Format, emit, progress, say
from recorder.errors import ExitCode


def verify(
    capture: CapturePath,
    form: OutputFormat = Format.TABLE,
    everything: Annotated[bool, typer.Option("--all", help="Show also the checks that passed, one by one.")] = False,
) -> None:
    """Check every segment, checksum, offset and ledger entry of a capture. Exit 1 when a check failed.

    Example: blackbox verify incident/ --format json
    """
    import os
    from concurrent.futures import ThreadPoolExecutor

    from recorder.capture import verify as checking
    from recorder.capture.reader import total_bytes

    # Hashing and decoding happen outside the interpreter: threads are as fast as processes here, and end at once.
    executor = ThreadPoolExecutor(os.cpu_count())
    try:
        with progress("verify", total_bytes(capture), "bytes") as bar:
            checks = checking.verify(capture, executor=executor, progress=bar.advance)
    finally:
        executor.shutdown(cancel_futures=True)
    failed = checking.failed(checks)
    brief = form is Format.TABLE and not everything
    shown = [check for check in checks if not brief or check.status != "PASSED" or check.name != "ledger"]
    emit(("check", "status", "where", "detail"), ([c.name, c.status, c.where, c.detail] for c in shown), form)
    passed = sum(check.status == "PASSED" for check in checks)
    say(f"{passed} of {len(checks)} checks passed." if failed else f"The capture is whole: {passed} checks passed.")
    if failed:
        raise typer.Exit(ExitCode.FAILED)
