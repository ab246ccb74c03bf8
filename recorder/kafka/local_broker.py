"""One broker process of a local Kafka: started, killed as a power cut would, stopped in order, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recorder.kafka import local_keeper

_STOP_SECONDS = 30.0

Lifetime = Literal["temporary", "program", "detached"]
"""Ends with this program and its directory goes too; ends with this program; goes on after it."""


@dataclass
class Broker:
    """A broker on 127.0.0.1; `pid` is that of its Java process, new after each start."""

    node_id: int
    port: int
    log_path: Path
    data_dir: Path
    command: Sequence[str] = field(repr=False)
    lifetime: Lifetime = "program"
    home: Path = field(default=Path("-"), repr=False)
    pid: int = -1
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process on the same port and data; returns at once (`LocalKafka.wait_ready` waits)."""
        if self.running:
            return
        if self.lifetime == "detached":
            with self.log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True, start_new_session=True
                )
            self.pid = self._process.pid
            return
        doomed = str(self.home) if self.lifetime == "temporary" else "-"
        keeper = [sys.executable, "-I", "-S", local_keeper.__file__, str(os.getpid()), doomed, str(self.log_path)]
        self._process = subprocess.Popen(
            [*keeper, *self.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        with self._process.stdout as line:
            self.pid = int(line.readline() or -1)

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL); returns when it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to shut down (SIGTERM) and wait; killed when half a minute is not enough."""
        self._end(signal.SIGTERM)

    def last_lines(self, count: int = 8) -> list[str]:
        """The end of its log without the stack frames, for error messages."""
        if not self.log_path.exists():
            return []
        return telling_lines(self.log_path.read_text(errors="replace"))[-count:]

    def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        os.kill(self.pid, how)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self._process.wait()


def telling_lines(output: str) -> list[str]:
    """What a Java program said, without blank lines and the frames of its stack traces."""
    return [line for line in output.splitlines() if line.strip() and not line.startswith("\t")]
