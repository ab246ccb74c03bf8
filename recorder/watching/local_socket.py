"""`blackbox trigger` reaches the watcher by a Unix socket that only the watcher's own user, and root, can open.

One line of JSON each way: `{"trigger": "oncall"}`, and what `recorder.watching.answers` says.
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

VARIABLE = "BLACKBOX_WATCH_SOCKET"
SECONDS = 10.0
_LINE_BYTES = 4_096

Answer = Callable[[str], dict[str, Any]]
"""From a trigger's name to what its caller is told."""


class CallError(BlackboxError):
    """The watcher could not be reached, or said no; carries the exit code of its reason."""

    def __init__(self, text: str, exit_code: int = ExitCode.FAILED) -> None:
        super().__init__(text)
        self.exit_code = ExitCode(exit_code)


def default_path(env: Mapping[str, str]) -> Path:
    """Where the socket is unless it was said: as the environment says, beside the service, or this user's own."""
    if VARIABLE in env:
        return Path(env[VARIABLE])
    if "RUNTIME_DIRECTORY" in env:  # systemd's word to a service
        return Path(env["RUNTIME_DIRECTORY"].split(":")[0]) / "watch.sock"
    if os.getuid() == 0:
        return Path("/run/blackbox/watch.sock")
    if "XDG_RUNTIME_DIR" in env:
        return Path(env["XDG_RUNTIME_DIR"]) / "blackbox" / "watch.sock"
    return Path(tempfile.gettempdir()) / f"blackbox-{os.getuid()}" / "watch.sock"


@contextmanager
def listening(path: Path, answer: Answer) -> Iterator[None]:
    """Answer calls at `path` in a thread; leaving waits for the calls that are being answered.

    Raises UsageError when the path can't be used or another watcher listens there. Begin before other threads do:
    the process's umask is changed for a moment.
    """
    _make_private(path.parent)
    _remove_stale(path)
    umask = os.umask(0o177)
    try:
        server = _Server(str(path), _handler(answer))
    except OSError as error:
        raise UsageError(f"Can't listen on {path}: {error.strerror or error}. Give another socket:.") from None
    finally:
        os.umask(umask)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="socket", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        path.unlink(missing_ok=True)


def call(path: Path, trigger: str) -> dict[str, Any]:
    """Call a trigger of the watcher that listens at `path`; CallError when it can't be reached or says no."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(path))
            connection.sendall(json.dumps({"trigger": trigger}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                said = json.loads(stream.readline())
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            advice = "only its own user and root may call it: try sudo -u USER blackbox trigger …"
        else:
            advice = "is 'blackbox watch' running? Name its socket with --socket"
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it ended without an answer"
        raise CallError(f"No watcher answers at {path} ({reason}): {advice}.") from None
    if "error" in said:
        raise CallError(said["error"], said["exit_code"])
    answered: dict[str, Any] = said
    return answered


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = False  # a call that was heard is answered before the watcher ends
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):  # a caller that went away is its own affair
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(answer: Answer) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        timeout = 2.0  # seconds: a caller that says nothing must not hold up the watcher's end

        def handle(self) -> None:
            try:
                name = json.loads(self.rfile.readline(_LINE_BYTES))["trigger"]
            except (OSError, ValueError, KeyError, TypeError):
                said: dict[str, Any] = {"error": "This is no call of a trigger.", "exit_code": int(ExitCode.USAGE)}
            else:
                said = answer(str(name))
            self.wfile.write(json.dumps(said).encode() + b"\n")

    return Handler


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise UsageError(f"Can't make {directory} for the socket: {error.strerror}. Give another socket:.") from None
    if found.st_uid not in {os.getuid(), 0}:
        raise UsageError(f"{directory} belongs to somebody else, who could replace the socket: give another socket:.")


def _remove_stale(path: Path) -> None:
    """A killed watcher leaves its socket behind; one that is alive answers. Anything else there is left alone."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise UsageError(f"Can't listen on {path}: {error.strerror or error}. Give another socket:.") from None
    raise UsageError(f"Another watcher listens on {path}: end it first, or give this one another socket:.")
