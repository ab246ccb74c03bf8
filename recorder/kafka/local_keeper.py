"""Run one broker as a child and end it when the process that asked for it is gone, however that one ended.

A separate process, because nobody inside a killed one can tidy up; it compares its parent's id rather than using
Linux's parent-death signal, which is bound to a thread and missing on macOS. Only the standard library, started with
`python -I -S`: it costs 30 ms and some 10 MB.

    local_keeper.py PARENT_PID DIRECTORY_TO_REMOVE_OR_- LOG_FILE COMMAND...

Prints the child's process id, then says nothing more; exits as the child does.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys

_LOOK_SECONDS = 0.5


def keep(parent: int, directory: str, log: str, command: list[str]) -> int:
    """Start `command`, wait for its end or for the parent's; the exit code, 128 + n after signal n."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    with open(log, "ab") as output:  # noqa: PTH123
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    sys.stdout.write(f"{child.pid}\n")
    sys.stdout.close()
    while child.poll() is None:
        if os.getppid() != parent:
            child.kill()
            child.wait()
            if directory != "-":
                shutil.rmtree(directory, ignore_errors=True)
            break
        if select.select([wake], [], [], _LOOK_SECONDS)[0]:
            os.read(wake, 64)
    code = child.returncode
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    # A stop asked of the whole process group is the parent's to obey; the broker goes when the parent says so.
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.exit(keep(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]))
