"""A module of ours run as a process of its own, spoken to over its standard input and output."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence


def start_module(name: str, *, descriptors: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Run the module `name` with pipes to its input and output; `descriptors` stay open in it.

    It finds what this process finds, and nothing in the directory where it happens to start. Signals of the terminal
    don't reach it: Ctrl-C is for us, who end it in order. A whole new interpreter, as the Kafka client's threads and
    locks don't survive a fork. Raises OSError when there can't be one more process.
    """
    path = os.pathsep.join(entry or os.curdir for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        pass_fds=descriptors,
        process_group=0,
    )
