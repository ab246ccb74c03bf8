"""What can go wrong while desensitising, each with the exit code a command line should end with.

Messages name file, line, topic, partition, offset and path; never an original value and never a secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal


class DesensitizerError(Exception):
    """Desensitising failed; nothing clean came of it."""

    exit_code: int = 1


class PolicyError(DesensitizerError):
    """A policy that can't be applied as written: found at load, before any record is touched."""

    exit_code = 2

    def __init__(self, message: str, *, file: str = "", line: int | None = None) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(where + message)
        self.file = file
        self.line = line


class SecretError(DesensitizerError):
    """The secret that keys all surrogates is missing or too short."""

    exit_code = 2


Cause = Literal["unknown_field", "undecodable", "unknown_schema", "plugin_error", "unfit"]
"""Why a payload may not pass. A policy decides about each but `unfit`, a value that its rule can't take: it fails."""


class UnfitError(DesensitizerError):
    """One value that its rule can't take (wrong type, wrong form). The message must not contain the value."""

    cause: Cause = "unfit"

    def at(self, path: str) -> Refusal:
        """The refusal of the payload that holds the value at this path."""
        return Refusal(path, str(self), cause=self.cause)


class ForeignError(UnfitError):
    """A rule or detector that is not ours failed, or broke its word."""

    cause = "plugin_error"


FOREIGN = BaseException
"""What foreign code may raise: also what would end the program, as if all were well."""


def spare_interrupt(error: BaseException) -> None:
    """Raises Ctrl-C again, which foreign code did not raise but was met by; anything else is its own failure."""
    if type(error) is KeyboardInterrupt:
        raise error


class Refusal(Exception):  # noqa: N818  (it is an answer to one record, not a failure of the run)
    """This payload may not pass: the path and the reason, without the value."""

    def __init__(self, path: str, reason: str, *, undecodable: bool = False, cause: Cause = "unfit") -> None:
        """`undecodable` is short for that cause."""
        super().__init__(reason)
        self.path = path
        self.reason = reason
        self.cause: Cause = "undecodable" if undecodable else cause

    def again(self) -> Refusal:
        """The same for the next payload; raised twice, one exception would gather the tracebacks of both."""
        return Refusal(self.path, self.reason, cause=self.cause)


class LeakError(DesensitizerError):
    """The proof failed: something that had to go is still there, or two values became one."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'keep'?`` when something near is known, else the choices."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f" Did you mean '{near[0]}'?"
    return f" Known are: {', '.join(choices)}." if choices else ""
