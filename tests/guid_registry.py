"""Gives a real registry's schemas GUIDs, as Confluent's has since 8.0, so that its serializers can write them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_SPACE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


@contextmanager
def guid_registry(url: str) -> Iterator[str]:
    """A front for the registry at `url`, gone at the end of the block: all answers pass, ids get GUIDs beside them."""
    known: dict[str, int] = {}

    def with_guid(id: int, answer: dict[str, Any]) -> dict[str, Any]:
        guid = str(uuid.uuid5(_SPACE, str(id)))
        known[guid] = id
        return {**answer, "guid": guid}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, answer = 404, b'{"error_code": 40403, "message": "no such schema"}'
            path, id = self.path, None
            if path.startswith("/schemas/guids/"):
                id = known.get(path.removeprefix("/schemas/guids/").partition("?")[0])
                path = f"/schemas/ids/{id}"
            if self.path == path or id is not None:
                code, answer = self._asked(path)
            if code == 200 and (content := json.loads(answer)) and isinstance(content, dict):
                id = content.get("id", id)
                answer = json.dumps(content if id is None else with_guid(id, content)).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_GET  # noqa: N815

        def _asked(self, path: str) -> tuple[int, bytes]:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            request = urllib.request.Request(url + path, body, method=self.command)
            request.add_header("Content-Type", "application/json")
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as refused:
                return refused.code, refused.read()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
