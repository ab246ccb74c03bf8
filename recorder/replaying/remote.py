"""A replay's own socket, by which `blackbox ctl` and scripts command it from outside.

Each running replay has one, named after its id, in a directory of its user's own. One JSON object a line:
`{"command": "rate", "rate": 2}` is answered by the replay's `Status`, or by `error` and `exit_code`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from recorder import local_socket
from recorder.errors import BlackboxError, ExitCode, UsageError
from recorder.local_socket import is_stale, runtime_directory
from recorder.replaying.control import AskStatus, Command, Control, Status

VARIABLE = "BLACKBOX_REPLAY_SOCKETS"
_WHO = "replay"
_LONGEST_NAME = 12  # of the 32 digits of an id: a socket's whole path has 107 bytes at most


def socket_directory(env: Mapping[str, str]) -> Path:
    """Where replays listen: as the environment says, or in this user's runtime directory."""
    return Path(env[VARIABLE]) if VARIABLE in env else runtime_directory(env) / "replays"


def socket_path(directory: Path, replay_id: str) -> Path:
    return directory / f"{replay_id[:_LONGEST_NAME]}.sock"


def commanding(path: Path, control: Control) -> AbstractContextManager[None]:
    """Take commands at `path` while the context lasts. Raises UsageError when the path can't be used."""

    def hear(asked: Any) -> dict[str, Any]:
        try:
            command: Command = msgspec.convert(asked, Command)
            said: dict[str, Any] = msgspec.to_builtins(control.ask(command))
        except msgspec.ValidationError as error:
            return {"error": f"This is no command of a replay: {error}.", "exit_code": int(ExitCode.USAGE)}
        except BlackboxError as error:
            return {"error": str(error), "exit_code": int(error.exit_code)}
        return said

    advice = f"Give another directory for sockets in {VARIABLE}."
    return local_socket.listening(path, hear, who=_WHO, advice=advice, look_seconds=0.2)


def running(directory: Path) -> list[Path]:
    """The sockets of the replays that run now, oldest first; those that killed ones left are removed."""
    found = []
    for path in sorted(directory.glob("*.sock"), key=_age):
        if is_stale(path):
            path.unlink(missing_ok=True)
        else:
            found.append(path)
    return found


def choose(directory: Path, replay: str | None) -> Path:
    """The socket of the replay that is meant: by its id (or how it begins), by its path, or the only one."""
    if replay is not None and ("/" in replay or Path(replay).is_socket()):
        return Path(replay)
    found = running(directory)
    meant = [path for path in found if replay is None or path.stem.startswith(replay[:_LONGEST_NAME])]
    if len(meant) == 1:
        return meant[0]
    if not found:
        raise UsageError(f"No replay runs here: none listens in {directory}. Of another user's, give --replay PATH.")
    those = ", ".join(f"{path.stem} ({now.capture})" for path, now in statuses(found)) or "some that are ending"
    if not meant:
        raise UsageError(f"No replay {replay} runs here; there are {those}.")
    raise UsageError(f"Several replays run: say which by --replay ID: {those}.")


def command(path: Path, asked: Command) -> Status:
    """Have the replay that listens at `path` obey; CallError when it can't be reached or says no."""
    said = local_socket.call(
        path, msgspec.to_builtins(asked), who=_WHO, advice="it may be over: try 'blackbox ctl list'"
    )
    return msgspec.convert(said, Status)


def statuses(paths: Sequence[Path]) -> list[tuple[Path, Status]]:
    """Where each of these replays stands; those that have just ended are left out."""
    found = []
    for path in paths:
        try:
            found.append((path, command(path, AskStatus())))
        except BlackboxError:
            continue
    return found


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
