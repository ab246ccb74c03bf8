"""`blackbox record` in a process of its own, with small segments, so that small topics have many places to die at."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from recorder.capture import writer
from recorder.cli.main import main
from recorder.recording import pending, resume, tape
from recorder.recording import record as recording

SEGMENT_BYTES, ROW_GROUP_BYTES, SURE_RECORDS = 48_000, 12_000, 200

_processes = get_context("forkserver")  # loads the libraries once, and forks from there
_processes.set_forkserver_preload([__name__, "confluent_kafka.admin", "pyarrow.parquet", "pyarrow.compute"])


def start(arguments: Sequence[str | Path], told: Path) -> ForkServerProcess:
    """Run `blackbox record …`; what it says on stderr goes to the file `told`."""
    process = _processes.Process(target=_run, args=([str(one) for one in arguments], told))
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
    assert resume.tapes_of is recording.tapes_of
    sys.argv[1:] = ["record", *arguments]
    main(["record", *arguments])
