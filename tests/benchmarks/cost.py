"""What a command costs: it and all that it starts, and the brokers meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from itertools import count
from pathlib import Path
from statistics import median

_TICK = os.sysconf("SC_CLK_TCK")
_MEMORY_EVERY = 5
"""Looks at processor time for one at memory, which takes the kernel longer to tell."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: seconds of wall and processor, megabytes at the peak, processor seconds of the brokers.

    Memory that processes share, as the libraries' code, is counted once (the kernel's proportional set size).
    """

    wall: float
    cpu: float
    peak_mb: float
    broker_cpu: float


def cost(command: Sequence[str], brokers: Iterable[int] = ()) -> Cost:
    """Run a command to its end and watch it and all that it starts, every 20 ms; `brokers` are process ids."""
    brokers = list(brokers)
    broker_cpu = sum(map(cpu_seconds, brokers))
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    cpu: dict[int, float] = {}
    peak = 0.0
    for look in count():
        if process.poll() is not None:
            break
        running = _session(process.pid)
        cpu |= running
        if look % _MEMORY_EVERY == 0:
            peak = max(peak, sum(map(_resident_mb, running)))
        time.sleep(0.02)
    wall = time.perf_counter() - began
    assert process.stderr is not None
    assert process.returncode == 0, process.stderr.read().decode()
    process.stderr.close()
    return Cost(wall, sum(cpu.values()), peak, sum(map(cpu_seconds, brokers)) - broker_cpu)


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*map(median, zip(*map(astuple, costs), strict=True)))


def cpu_seconds(pid: int) -> float:
    """Processor time of a process until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _resident_mb(pid: int) -> float:
    with suppress(OSError):  # it ended meanwhile
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _session(leader: int) -> dict[int, float]:
    """Processor seconds of every process of a session."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[3]) == leader:
                found[int(entry.name)] = (int(fields[11]) + int(fields[12])) / _TICK
    return found
