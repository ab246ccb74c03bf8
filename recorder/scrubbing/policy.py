"""Loading a policy for the command line: what is wrong with it becomes one of this program's errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from desensitizers.errors import DesensitizerError
from desensitizers.policy import Policy
from recorder.errors import ExitCode, UsageError
from recorder.scrubbing.errors import ScrubError


def load_policy(path: str | Path, env: Mapping[str, str] | None = None) -> Policy:
    """The policy with its secret from `env` (os.environ when None).

    Raises UsageError (exit code 2) with file, line and suggestion, or for a missing or short secret.
    """
    try:
        return Policy.load(path, env)
    except DesensitizerError as error:
        kind = UsageError if error.exit_code == ExitCode.USAGE else ScrubError
        raise kind(str(error)) from None
