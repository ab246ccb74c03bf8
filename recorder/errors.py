"""The few exceptions of the program. Each carries its exit code; each message says what, where and what to do.

Raise early with a whole sentence; only the command line's edge catches, prints the sentence and exits.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a shell or a CI job sees. Stable: scripts depend on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    LOSS = 3
    """Done, but something is missing; the output names it."""
    DIFFERENT = 4
    LATE = 5
    OBSOLETE = 6
    REFUSED = 7
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM; what was recorded until then is sealed."""


class BlackboxError(Exception):
    """Something failed that the person at the keyboard can act on."""

    exit_code: ExitCode = ExitCode.FAILED


class UsageError(BlackboxError):
    """A flag, a file or an argument that can't mean anything: nothing was started."""

    exit_code = ExitCode.USAGE


class KafkaUnavailableError(BlackboxError):
    """A broker did not answer, refused us, or answered with an error that retrying can't cure."""


class StoreUnavailableError(BlackboxError):
    """An object store did not answer, refused us, or holds no such bucket. `may_pass`: trying again may help."""

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class CaptureError(BlackboxError):
    """A capture that is torn, altered, unfinished or from a newer version."""


class RefusedError(BlackboxError):
    """The request is possible but dangerous; the message names the flag that allows it."""

    exit_code = ExitCode.REFUSED
