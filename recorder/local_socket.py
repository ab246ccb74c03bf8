"""How running commands are reached on this machine: Unix sockets that only their own user, and root, can open.

One JSON object a line each way; an answer with `error` also has the `exit_code` of its reason.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recorder.errors import BlackboxError, ExitCode, UsageError

SECONDS = 40.0
_LINE_BYTES = 4_096

Answer = Callable[[Any], dict[str, Any]]
"""From what was asked (any JSON) to what the caller is told."""


class CallError(BlackboxError):
    """Nobody could be reached, or they said no; carries the exit code of the reason."""

    def __init__(self, text: str, exit_code: int = ExitCode.FAILED) -> None:
        super().__init__(text)
        self.exit_code = ExitCode(exit_code)


def runtime_directory(env: Mapping[str, str]) -> Path:
    """A directory of this user's own for sockets: the service's, the system's or the session's."""
    if "RUNTIME_DIRECTORY" in env:  # systemd's word to a service
        return Path(env["RUNTIME_DIRECTORY"].split(":")[0])
    if os.getuid() == 0:
        return Path("/run/blackbox")
    if "XDG_RUNTIME_DIR" in env:
        return Path(env["XDG_RUNTIME_DIR"]) / "blackbox"
    return Path(tempfile.gettempdir()) / f"blackbox-{os.getuid()}"


@contextmanager
def listening(path: Path, answer: Answer, *, who: str, advice: str, look_seconds: float = 0.05) -> Iterator[None]:
    """Answer calls at `path` in a thread; leaving waits for the calls that are being answered.

    `who` listens and `advice` says what to do else, for errors; the end is noticed within `look_seconds`. Raises
    UsageError when the path can't be used or another one listens there. Begin before other threads do: the process's
    umask is changed for a moment.
    """
    _make_private(path.parent, advice)
    if not is_stale(path, advice):
        raise UsageError(f"Another {who} listens on {path}: end it first. Or: {advice}")
    if path.is_socket():
        path.unlink(missing_ok=True)
    umask = os.umask(0o177)
    try:
        server = _Server(str(path), _handler(answer))
    except OSError as error:
        raise UsageError(f"Can't listen on {path}: {error.strerror or error}. {advice}") from None
    finally:
        os.umask(umask)
    thread = threading.Thread(target=server.serve_forever, args=(look_seconds,), name="socket", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        path.unlink(missing_ok=True)


def call(path: Path, request: object, *, who: str, advice: str) -> dict[str, Any]:
    """Ask whoever listens at `path`; CallError when nobody can be reached or the answer is no."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                said = json.loads(stream.readline())
    except (OSError, ValueError) as error:
        hint = "only its own user and root may call it" if isinstance(error, PermissionError) else advice
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it ended without an answer"
        raise CallError(f"No {who} answers at {path} ({reason}): {hint}.") from None
    if "error" in said:
        raise CallError(said["error"], said["exit_code"])
    answered: dict[str, Any] = said
    return answered


def is_stale(path: Path, advice: str = "") -> bool:
    """Nobody listens there: what was killed leaves its socket behind, what is alive answers. Raises UsageError."""
    if not path.is_socket():
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError as error:
            raise UsageError(f"Can't listen on {path}: {error.strerror or error}. {advice}") from None
    return False


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = False  # a call that was heard is answered before the end
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):  # a caller that went away is its own affair
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(answer: Answer) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        timeout = 2.0  # seconds: a caller that says nothing must not hold up the end

        def handle(self) -> None:
            while line := self.rfile.readline(_LINE_BYTES):
                try:
                    asked = json.loads(line)
                except ValueError:
                    asked = None
                said = answer(asked)
                self.wfile.write(json.dumps(said).encode() + b"\n")
                if asked is None:  # noise: what follows would be more of it
                    return

    return Handler


def _make_private(directory: Path, advice: str) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise UsageError(f"Can't make {directory} for the socket: {error.strerror}. {advice}") from None
    if found.st_uid not in {os.getuid(), 0}:
        raise UsageError(f"{directory} belongs to somebody else, who could replace the socket. {advice}")
