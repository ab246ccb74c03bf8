"""A watcher as a process of its own: `with watching(kafka, tmp_path, config) as running: running.trigger("oncall")`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.capture.reader import Capture, open_capture
from recorder.capture.verify import failed, verify
from recorder.kafka.local import LocalKafka
from recorder.watching.local_socket import call
from tests.conftest import wait_until

PROGRAM = [sys.executable, "-c", "from recorder.cli.main import main; main()"]


@dataclass
class Running:
    """A watcher that listens."""

    root: Path
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        return (self.root / "watch.log").read_text()

    def trigger(self, name: str) -> dict[str, Any]:
        return call(self.root / "watch.sock", name)

    def captures(self, count: int, *, of: str = "") -> list[Capture]:
        """Wait for so many captures (of one trigger); each is checked whole."""
        wait_until(lambda: len(self.names(of)) >= count, what=f"{count} captures of {of or 'all'}", seconds=60)
        found = [open_capture(self.root / "captures" / name) for name in self.names(of)]
        assert len(found) == count
        assert not any(failed(verify(capture.root)) for capture in found)
        return found

    def names(self, of: str = "") -> list[str]:
        found = (self.root / "captures").glob(f"{of}*/manifest.json")
        return sorted(path.parent.name for path in found if not path.parent.name.startswith("."))

    def get(self, path: str) -> str:
        """What it answers over HTTP."""
        found = re.search(r"(http://127\.0\.0\.1:\d+) serves", self.said)
        assert found is not None, self.said
        with urllib.request.urlopen(found[1] + path, timeout=10) as answer:
            return str(answer.read().decode())

    def state(self) -> dict[str, Any]:
        """What it has noted on disk."""
        found: dict[str, Any] = json.loads((self.root / "captures" / ".watch" / "state.json").read_bytes())
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it, wait, and give its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def watching(kafka: LocalKafka, root: Path, config: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a watcher by `config` (YAML without kafka:, out: and socket:); killed in the end if it still runs."""
    head = f"kafka: {{bootstrap: '{kafka.bootstrap}'}}\nout: captures\nsocket: watch.sock\n"
    (root / "watch.yaml").write_text(head + config)
    before = (root / "watch.log").read_text() if (root / "watch.log").exists() else ""
    with (root / "watch.log").open("ab") as log:
        process = subprocess.Popen(
            [*PROGRAM, "watch", str(root / "watch.yaml")], stdout=log, stderr=log, env={**os.environ, **(env or {})}
        )
    running = Running(root, process)
    try:
        wait_until(
            lambda: "calls at" in running.said[len(before) :] or process.poll() is not None, what="the watcher listens"
        )
        assert process.poll() is None, running.said
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
