"""What a command costs: it and all that it starts, and the brokers meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: seconds of wall and processor, megabytes at the peak, processor seconds of the brokers."""

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
    while process.poll() is None:
        resident = 0.0
        for pid, (ticks, pages) in _session(process.pid).items():
            cpu[pid] = ticks / _TICK
            resident += pages * _PAGE_MB
        peak = max(peak, resident)
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


def _session(leader: int) -> dict[int, tuple[int, int]]:
    """Processor ticks and resident pages of every process of a session."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[3]) == leader:
                found[int(entry.name)] = (int(fields[11]) + int(fields[12]), int(fields[21]))
    return found
