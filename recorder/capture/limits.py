"""Room for as many open files as there are partitions: one a partition while recording, one while merging."""

from __future__ import annotations

import resource
from contextlib import suppress

_SPARE = 256
_ENOUGH = 65_536


def allow_open_files(count: int) -> None:
    """Raise this process's soft limit so that `count` more files can be open, as far as its hard limit lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or count + _SPARE <= soft:
        return
    wanted = max(count + _SPARE, _ENOUGH)
    with suppress(ValueError, OSError):  # some systems refuse what their hard limit allows; opening will tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard != -1 else wanted, hard))
