"""Health, metrics and triggers over HTTP, for Prometheus, a load balancer's check and whoever raises alarms.

GET tells counts and states, never a record; POST wants the token. There is no TLS here: beyond this machine it
belongs behind a proxy that has it.
"""

from __future__ import annotations

import hmac
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from recorder.errors import ExitCode, UsageError
from recorder.watching.figures import Figures
from recorder.watching.local_socket import Answer
from recorder.watching.settings import Http
from recorder.window import format_time

_BODY_BYTES = 64 << 10
_STATUS = {ExitCode.USAGE: HTTPStatus.NOT_FOUND, ExitCode.REFUSED: HTTPStatus.TOO_MANY_REQUESTS}


@contextmanager
def serving(http: Http, figures: Figures, answer: Answer) -> Iterator[int]:
    """Serve in a thread; gives the port (the system's choice for port 0). Leaving waits for what is being answered.

    Raises UsageError when the address can't be listened on.
    """
    try:
        server = _Server((http.host, http.port), _handler(http.token, figures, answer))
    except OSError as error:
        raise UsageError(
            f"Can't listen on {http.host}:{http.port}: {error.strerror or error}. Give http: another address:."
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="http", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # a call that was heard is answered before the watcher ends

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):  # a caller that went away is its own affair
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def health(figures: Figures) -> tuple[HTTPStatus, dict[str, Any]]:
    """200 while nothing is wrong, else 503; what is wrong, and what failed last."""
    sickness = figures.sickness()
    said: dict[str, Any] = {"status": "sick" if sickness else "ok", "pending": figures.pending}
    for counter in ("withheld_records", "undecoded_payloads"):
        if number := figures.total(counter):
            said[counter] = number
    if sickness:
        said["wrong"] = sickness
    if figures.last_error:
        at = format_time(round(figures.last_error_at * 1_000))
        said["last_error"] = {"at": at, "text": figures.last_error}
    return (HTTPStatus.SERVICE_UNAVAILABLE if sickness else HTTPStatus.OK), said


def _handler(token: str | None, figures: Figures, answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 2.0  # seconds: a caller that says nothing must not hold up the watcher's end
        server_version = "blackbox"
        sys_version = ""

        def do_GET(self) -> None:
            if self.path == "/healthz":
                status, said = health(figures)
                self._say(status, said)
            elif self.path == "/metrics":
                content = figures.exposition().encode()
                self._send(HTTPStatus.OK, content, "text/plain; version=0.0.4; charset=utf-8")
            else:
                self._say(HTTPStatus.NOT_FOUND, {"error": "Here are GET /healthz, GET /metrics, POST /triggers/NAME."})

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "0")
            if not length.isdigit() or int(length) > _BODY_BYTES:
                self.close_connection = True
                self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "A trigger needs no such body."})
                return
            self.rfile.read(int(length))  # alarms send one; the name in the path is all that counts
            given = self.headers.get("Authorization", "").encode("utf-8", "replace")
            if token is None or not hmac.compare_digest(given, f"Bearer {token}".encode()):
                self._say(
                    HTTPStatus.UNAUTHORIZED,
                    {"error": "A trigger wants 'Authorization: Bearer TOKEN'."},
                    {"WWW-Authenticate": "Bearer"},
                )
                return
            root, _, name = self.path.removeprefix("/").partition("/")
            if root != "triggers" or not name:
                self._say(HTTPStatus.NOT_FOUND, {"error": "Triggers are at POST /triggers/NAME."})
                return
            said = answer(name)
            code = said.get("exit_code")
            status = (
                HTTPStatus.ACCEPTED if code is None else _STATUS.get(ExitCode(code), HTTPStatus.SERVICE_UNAVAILABLE)
            )
            self._say(status, said)

        def _say(self, status: HTTPStatus, said: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            self._send(status, json.dumps(said).encode() + b"\n", "application/json", headers)

        def _send(self, status: HTTPStatus, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """The watcher says itself what is worth a line."""

    return Handler
