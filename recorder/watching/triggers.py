"""The ways in which a capture can be asked for, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recorder.errors import UsageError

Way = Literal["command", "http", "signal"]
MOST_RECORDS = 100_000
"""A rate is counted over so many records at most: the watcher remembers their times, also across a restart."""

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|m|h)")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}


@dataclass(frozen=True, slots=True)
class Called:
    """Somebody asks: `blackbox trigger NAME`, an HTTP call, or SIGUSR1."""

    name: str
    by: frozenset[Way]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file appears in a directory; it is removed when the trigger is safely noted."""

    name: str
    directory: Path


@dataclass(frozen=True, slots=True)
class OnRecords:
    """Records in a topic: each one, those for which `where` holds, or more than `most` of them within `over_ms`."""

    name: str
    topic: str
    where: str | None = None
    """An SQL expression over the columns that `blackbox sql` shows."""
    most: int | None = None
    over_ms: int = 0
    hold_ms: int = 0
    """After it fired, what happens within this time (of the records) does not fire it again."""


Trigger = Called | Dropped | OnRecords


def parse_rate(text: str, over_ms: int) -> int:
    """How many records `over_ms` may hold at a rate of ``10/s``, ``600/m`` or ``0.5/h``; UsageError otherwise."""
    match = _RATE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"'{text}' is not a rate: write 10/s, 600/m or 100/h.")
    most = int(float(match[1]) * over_ms / _UNIT_MS[match[2]])
    if most > MOST_RECORDS:
        raise UsageError(
            f"'{text}' over {over_ms / 1000:g} s means counting {most:,} records; {MOST_RECORDS:,} is the most: "
            "look at a shorter time with over:."
        )
    return most
