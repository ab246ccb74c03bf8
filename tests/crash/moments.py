"""When a process is killed: at a random time, or as soon as something is seen to happen in its directory."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_LOOK_SECONDS = 0.0005

Seen = Callable[[Path], int]
"""How far something has come in a directory."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is watched, up to which number it is waited for, and how often that is chosen (a random time: 8)."""

    seen: Seen
    most: int
    weight: int = 1


def number_of(pattern: str) -> Seen:
    return lambda root: sum(1 for _ in root.glob(pattern))


def size_of(name: str) -> Seen:
    def seen(root: Path) -> int:
        try:
            return (root / name).stat().st_size
        except FileNotFoundError:
            return 0

    return seen


AT_RANDOM = "at a random time"


def choose(chance: random.Random, events: Mapping[str, Event]) -> str:
    """One of the moments."""
    weights = {AT_RANDOM: 8} | {name: event.weight for name, event in events.items()}
    return chance.choices(list(weights), list(weights.values()))[0]


def kill_at(
    moment: str,
    process: ForkServerProcess,
    root: Path,
    chance: random.Random,
    seconds: float,
    events: Mapping[str, Event],
) -> bool:
    """Kill -9 at the moment, within `seconds`; False when the process ended before."""
    deadline = time.monotonic() + chance.triangular(0, seconds, seconds / 4)
    if moment != AT_RANDOM:
        seen = events[moment].seen
        deadline += 3 * seconds
        wanted = seen(root) + chance.randint(1, events[moment].most)
        while process.is_alive() and seen(root) < wanted and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        deadline = time.monotonic() + chance.choice([0, 0, 0.001, 0.003])
    process.join(max(0.0, deadline - time.monotonic()))
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive
