"""A server where a schema registry should be, that misbehaves as told: for what real registries do only on bad days."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class OddRegistry:
    """`answers` by path (with its query or without; "/" is any); what has none is a 404 as registries say it.

    `asked` holds the paths and the Authorization headers of all requests, `over` is set at the end.
    """

    url: str
    answers: dict[str, Answer]
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def odd_registry(answers: dict[str, Answer]) -> Iterator[OddRegistry]:
    """Serve on a free port of 127.0.0.1 until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            odd.asked.append((self.path, self.headers.get("Authorization")))
            fitting = [start for start in odd.answers if self.path.startswith(start)]
            answer = (
                odd.answers[max(fitting, key=len)] if fitting else said(404, {"error_code": 40403, "message": "no"})
            )
            with suppress(OSError):  # who asked may have gone
                answer(self)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    odd = OddRegistry(f"http://127.0.0.1:{server.server_port}", answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield odd
    finally:
        odd.over.set()
        server.shutdown()
        server.server_close()


def said(code: int, content: Any, **headers: str) -> Answer:
    """An answer of JSON, or of bytes as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def schema(text: str, **more: Any) -> Answer:
    """A schema as registries give it."""
    return said(200, {"schema": text, **more})
