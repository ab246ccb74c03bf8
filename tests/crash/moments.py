"""When a recording is killed: at a random time, or as soon as something is seen to happen in its directory."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_LOOK_SECONDS = 0.0005

Seen = Callable[[Path], int]
"""How far something has come in the directory of a recording."""


def _count(pattern: str) -> Seen:
    return lambda root: sum(1 for _ in root.glob(pattern))


def _size(name: str) -> Seen:
    def seen(root: Path) -> int:
        try:
            return (root / name).stat().st_size
        except FileNotFoundError:
            return 0

    return seen


AT_RANDOM = "at a random time"
_EVENTS: dict[str, tuple[Seen, int]] = {
    "as a segment is begun": (_count("records/*/*/*.tmp"), 8),
    "as a segment is sealed": (_count("records/*/*/*.parquet"), 15),
    "as the journal grows": (_size("checkpoint.log"), 8_000),
    "as the plan is written": (_count("checkpoint.json*"), 2),
    "as the manifest is written": (_count("manifest.json*"), 1),
    "as the manifest is there": (_count("manifest.json"), 1),
}
"""What is watched, and up to which number it is waited for."""
_WEIGHTS = {AT_RANDOM: 8} | dict(zip(_EVENTS, (3, 3, 3, 1, 1, 1), strict=True))


def choose(chance: random.Random) -> str:
    """One of the moments."""
    return chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]


def kill_at(moment: str, process: ForkServerProcess, root: Path, chance: random.Random, seconds: float) -> bool:
    """Kill -9 at the moment, within `seconds`; False when the process ended before."""
    deadline = time.monotonic() + chance.triangular(0, seconds, seconds / 4)
    if moment != AT_RANDOM:
        seen, most = _EVENTS[moment]
        deadline += 3 * seconds
        wanted = seen(root) + chance.randint(1, most)
        while process.is_alive() and seen(root) < wanted and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        deadline = time.monotonic() + chance.choice([0, 0, 0.001, 0.003])
    process.join(max(0.0, deadline - time.monotonic()))
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive
