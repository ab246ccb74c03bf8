"""`blackbox` in a process of its own, to be killed; its segments are small, so that there are many places to die at."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from recorder.capture import writer
from recorder.cli.main import main
from recorder.recording import pending, resume, share, tape
from recorder.recording import record as recording

SEGMENT_BYTES, ROW_GROUP_BYTES, SURE_RECORDS, PROCESSES = 48_000, 12_000, 200, 2

_processes = get_context("forkserver")  # loads the libraries once, and forks from there
_processes.set_forkserver_preload([__name__, "confluent_kafka.admin", "pyarrow.parquet", "pyarrow.compute"])


def start(verb: str, arguments: Sequence[str | Path], told: Path) -> ForkServerProcess:
    """Run `blackbox VERB …`; what it says goes to the file `told`."""
    process = _processes.Process(target=_run, args=([verb, *map(str, arguments)], told))
    process.start()
    return process


def _run(arguments: list[str], told: Path) -> None:
    descriptor = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    writer.SEGMENT_BYTES = SEGMENT_BYTES
    recording.row_group_bytes = lambda _partitions: ROW_GROUP_BYTES
    pending.HANDED_BYTES = ROW_GROUP_BYTES
    tape.SURE_RECORDS = SURE_RECORDS
    share.WORTH_OFFSETS = 1
    share.processes = lambda: PROCESSES
    assert resume.tapes_of is recording.tapes_of
    sys.argv[1:] = arguments
    main(arguments)


def to_the_end(verb: str, arguments: Sequence[str | Path], told: Path, seconds: float) -> tuple[float, int | None]:
    """Run it undisturbed: how many seconds it took, and its exit code. TimeoutError after `seconds`."""
    began = time.monotonic()
    process = start(verb, arguments, told)
    process.join(seconds)
    if process.is_alive():
        process.kill()
        raise TimeoutError(told.read_text())
    return time.monotonic() - began, process.exitcode
