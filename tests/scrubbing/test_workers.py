"""Worker processes go when the scrub that started them is gone, however it went."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CODE = """
import os, sys, time
from recorder.scrubbing.workers import workers
with workers(0, 2) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600).result()
"""


def test_a_worker_does_not_outlive_a_scrub_that_was_killed() -> None:
    main = subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert main.stdout is not None
    worker = int(main.stdout.readline())
    assert runs(worker)
    main.send_signal(signal.SIGKILL)
    main.wait()
    main.stdout.close()
    deadline = time.monotonic() + 30
    while runs(worker):
        assert time.monotonic() < deadline, "the worker is still there"
        os.sched_yield()


def runs(process: int) -> bool:
    """Whether it is there, and not only as what its parent hasn't asked for yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
