"""A door before a real schema registry that lets less through: read-only, or for nobody without credentials."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class RegistryGuard:
    """Answers `/mode` with `mode` when that is set, 401 to all when `denied`, 403 to what would register a schema
    unless `may_register`; everything else is the registry's own answer.
    """

    behind: str
    url: str = ""
    mode: str | None = None
    denied: bool = False
    may_register: bool = True
    written: list[str] = field(default_factory=list)
    """Paths of what was written."""


@contextmanager
def guarding(behind: str) -> Iterator[RegistryGuard]:
    """A guard before the registry at the URL `behind`, for the length of the `with` block."""
    guard = RegistryGuard(behind)

    class Door(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            writes = self.command == "POST" and "/versions" in self.path and not self.path.startswith("/compat")
            if guard.denied:
                self._answer(401, b'{"error_code": 40101, "message": "who are you?"}')
            elif guard.mode is not None and self.path.startswith("/mode"):
                self._answer(200, b'{"mode": "%s"}' % guard.mode.encode())
            elif writes and not guard.may_register:
                self._answer(403, b'{"error_code": 40301, "message": "you may not"}')
            else:
                if writes:
                    guard.written.append(self.path)
                kind = {"Content-Type": self.headers.get("Content-Type") or "application/json"}
                asked = urllib.request.Request(guard.behind + self.path, body, kind, method=self.command)
                try:
                    with urllib.request.urlopen(asked, timeout=10) as answer:
                        self._answer(answer.status, answer.read())
                except urllib.error.HTTPError as error:
                    self._answer(error.code, error.read())

        do_GET = do_POST = do_PUT = _pass  # noqa: N815

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on a test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    guard.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield guard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
