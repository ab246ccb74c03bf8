"""`blackbox trigger` reaches the watcher by a Unix socket that only the watcher's own user, and root, can open.

One line of JSON each way: `{"trigger": "oncall"}`, and what `recorder.watching.answers` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from recorder import local_socket
from recorder.errors import ExitCode
from recorder.local_socket import CallError, runtime_directory

VARIABLE = "BLACKBOX_WATCH_SOCKET"
_WHO = "watcher"
_ADVICE = "is 'blackbox watch' running as this user? Name its socket with --socket"

Answer = Callable[[str], dict[str, Any]]
"""From a trigger's name to what its caller is told."""

__all__ = ["VARIABLE", "Answer", "CallError", "call", "default_path", "listening"]


def default_path(env: Mapping[str, str]) -> Path:
    """Where the socket is unless it was said: as the environment says, beside the service, or this user's own."""
    return Path(env[VARIABLE]) if VARIABLE in env else runtime_directory(env) / "watch.sock"


def listening(path: Path, answer: Answer) -> AbstractContextManager[None]:
    """Answer calls of triggers at `path`; see `recorder.local_socket.listening`."""

    def hear(asked: Any) -> dict[str, Any]:
        if not isinstance(asked, dict) or "trigger" not in asked:
            return {"error": "This is no call of a trigger.", "exit_code": int(ExitCode.USAGE)}
        return answer(str(asked["trigger"]))

    return local_socket.listening(path, hear, who=_WHO, advice="Give another socket:.")


def call(path: Path, trigger: str) -> dict[str, Any]:
    """Call a trigger of the watcher that listens at `path`; CallError when it can't be reached or says no."""
    return local_socket.call(path, {"trigger": trigger}, who=_WHO, advice=_ADVICE)
