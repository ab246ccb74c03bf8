"""A server process on 127.0.0.1: started, killed as a power cut would, stopped in order, started again.

A keeper beside it ends it when the program that started it is gone (see `local_keeper`).
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recorder.kafka import local_keeper

_STOP_SECONDS = 30.0
# Below the ports that systems hand out to outgoing connections (Linux from 32768, macOS from 49152): a client that
# reconnects to a server that is down could else be given the server's own port, and connect to itself.
_PORTS = range(20_000, 32_000)
# Class archives are made with these: a Java with other ones would ignore them.
JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

Lifetime = Literal["temporary", "program", "detached"]
"""Ends with this program and its directory goes too; ends with this program; goes on after it."""


@dataclass(kw_only=True)
class LocalProcess:
    """A Java server; `pid` is that of the process, new after each start."""

    port: int
    log_path: Path
    command: Sequence[str] = field(repr=False)
    lifetime: Lifetime = "program"
    home: Path = field(default=Path("-"), repr=False)
    pid: int = -1
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process on the same port and data; returns at once, before it answers."""
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

    def log_end(self) -> str:
        """Where its log is and how it ends, as the second half of an error message."""
        return f"its log {self.log_path} ends with:\n" + "\n".join(self.last_lines())

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


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens now; all held open until all are found, so that they differ."""
    chance = random.SystemRandom()
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            candidate = socket.socket()
            held.append(candidate)
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", chance.choice(_PORTS)))
                candidate.listen()
            except OSError:
                held.pop().close()
        return [taken.getsockname()[1] for taken in held]
    finally:
        for taken in held:
            taken.close()
