"""A private directory for what DuckDB can't hold in memory, gone when its session is, at the latest with the next one.

A killed process can't tidy up, and what it spilled may be customers' data. So each directory is locked while it is
in use, and whoever opens the next removes those that nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

_PREFIX = "blackbox-sql-"
_YOUNG_SECONDS = 60  # it may be between being made and being locked


class Spill:
    """A directory that only this user can read, in `parent` (default: where temporary files go), until `close`."""

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        _remove_orphans(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._finalizer = weakref.finalize(self, _remove, self.path, lock)

    def close(self) -> None:
        """Remove the directory; a second time does nothing."""
        self._finalizer()


def _remove(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def _remove_orphans(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*"):
        try:
            facts = path.lstat()
            if facts.st_uid != os.getuid() or time.time() - facts.st_mtime < _YOUNG_SECONDS:
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # another process was quicker, or it is no directory of ours
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)  # in use
        else:
            _remove(path, lock)
