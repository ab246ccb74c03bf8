"""Where raw records wait for being scrubbed: in memory only, or the watcher refuses to begin.

Memory means a file system that has no disk (tmpfs, ramfs), and no swap that could take its pages, or this process's,
to one. What the kernel does on hibernation, and a hypervisor with a snapshot, is beyond what can be seen from here.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recorder.capture.writer import reporting_write_errors
from recorder.errors import RefusedError

_IN_MEMORY = {"tmpfs", "ramfs"}


@contextmanager
def staging(below: Path, owner: Path, *, system: Path = Path("/")) -> Iterator[Path]:
    """An empty private directory in memory, for the watcher whose state lies in `owner`; removed in the end.

    What a killed watcher left there is removed first. Raises RefusedError (exit code 7) where memory can't be had.
    `system` is where /proc and /sys are looked for.
    """
    if not below.is_dir():
        raise RefusedError(
            f"{below} does not exist: scrub: needs a directory in memory, for example staging: /dev/shm (Linux)."
        )
    kind = _file_system(below, system)
    if kind not in _IN_MEMORY:
        raise RefusedError(
            f"{below} is on {kind or 'an unknown file system'}, not in memory: raw records would rest on disk before "
            "they are scrubbed. Give staging: a directory on tmpfs, for example /dev/shm."
        )
    if _may_swap(system):
        raise RefusedError(
            "This machine swaps, so raw records in memory could reach a disk: run the watcher with MemorySwapMax=0 "
            "(systemd) or --memory-swap equal to --memory (containers), or switch swap off."
        )
    # A core file would be raw records on a disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    directory = below / f"blackbox-watch-{hashlib.sha256(os.fsencode(owner.resolve())).hexdigest()[:16]}"
    shutil.rmtree(directory, ignore_errors=True)
    with reporting_write_errors(directory):
        directory.mkdir(mode=0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _file_system(path: Path, system: Path) -> str | None:
    """The type of the file system that holds `path`, as the kernel names it; None where that can't be seen."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = (system / "proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    for mount in mounts:
        words = mount.split()
        if words[2] == wanted:
            return words[words.index("-") + 1]
    return None


def _may_swap(system: Path) -> bool:
    """Can the kernel move this process's pages to a swap device? Yes, when it can't be seen that it can't."""
    try:
        devices = (system / "proc/swaps").read_text().splitlines()[1:]
    except OSError:
        return True
    return bool(devices) and not _swap_forbidden(system)


def _swap_forbidden(system: Path) -> bool:
    """Does a control group (version 2) that this process is in allow no swap at all?"""
    try:
        groups = (system / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return False
    own = next((line.removeprefix("0::/") for line in groups if line.startswith("0::")), None)
    if own is None:
        return False
    root = system / "sys/fs/cgroup"
    group = root / own
    for one in (group, *group.parents):
        try:
            if (one / "memory.swap.max").read_text().strip() == "0":
                return True
        except OSError:
            pass  # the root group, or one without the memory controller: it sets no limit
        if one == root:
            break
    return False
