"""Timing objectives: what a pipeline demands of a replay (`p99=5ms,drift=10ms,loss=0`), and what became of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from recorder.errors import UsageError

Unit = Literal["ns", "records", "share"]

_DURATION = re.compile(r"(?P<number>\d{1,12}(?:\.\d+)?) ?(?P<unit>ns|us|µs|ms|s|m)", re.ASCII)
_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000}
_COUNT = re.compile(r"\d{1,15}", re.ASCII)
_SHARE = re.compile(r"(?P<number>\d{1,3}(?:\.\d+)?) ?%", re.ASCII)
PERCENTILES = {"p50": "p50_ns", "p90": "p90_ns", "p99": "p99_ns", "p99.9": "p999_ns", "max": "max_ns"}
LATENESSES = {
    "": "Dispatch lateness",
    "ack_": "Ack lateness",
    "round_trip_": "The round trip",
    "gap_": "Gap error",
    "append_": "Append lateness",
    "arrival_": "Arrival lateness",
}
"""Distributions by the prefix that the names of their percentiles have."""
KINDS: dict[str, tuple[str, Unit]] = {
    **{f"{prefix}{name}": (f"{what} {name}", "ns") for prefix, what in LATENESSES.items() for name in PERCENTILES},
    "drift": ("End drift", "ns"),
    "rate_error": ("Rate error per second", "share"),
    "loss": ("Loss", "records"),
    "inversions": ("Out of order in partitions", "records"),
    "key_inversions": ("Out of order in keys", "records"),
    "dropped": ("Dropped for lateness", "records"),
}
"""All that can be demanded: what it is in words, and its unit."""
_BY_PROBE = ("append_", "arrival_")
"""What only a probe measures."""
_UNPACED = ("round_trip_", "loss", "inversions", "key_inversions", "dropped")
"""What is known also without deadlines."""


@dataclass(frozen=True, slots=True)
class Objective:
    """At most so much of something; `limit` is nanoseconds, records or a share."""

    name: str
    limit: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """An objective and what became of it, in its own unit."""

    name: str
    unit: Unit
    limit: float
    measured: float | None
    """None: it was not measured."""

    @property
    def met(self) -> bool:
        return self.measured is not None and self.measured <= self.limit

    def sentence(self) -> str:
        """`Dispatch lateness p99 was 7.21 ms; the objective p99 is at most 5 ms.`"""
        what, _ = KINDS[self.name]
        at_most = f"the objective {self.name} is at most {show(self.limit, self.unit)}."
        if self.measured is None:
            return f"{what} was not measured; {at_most}"
        return f"{what} was {show(self.measured, self.unit)}; {at_most}"


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """``p99=5ms,drift=10ms,inversions=0`` as objectives; UsageError says what is wrong with it."""
    found: dict[str, Objective] = {}
    for part in text.split(","):
        name, sign, limit = (word.strip() for word in part.partition("="))
        name = name.replace("p999", "p99.9")
        if not sign or not limit:
            raise UsageError(f"--slo '{part.strip()}' is no objective: write for example p99=5ms,drift=10ms,loss=0.")
        if name not in KINDS:
            raise UsageError(f"--slo knows no '{name}'. There are: {', '.join(KINDS)}.")
        if name in found:
            raise UsageError(f"--slo says {name} twice: give it once.")
        found[name] = Objective(name, _limit(name, limit))
    return tuple(found.values())


def unmeasurable(objectives: Sequence[Objective], *, paced: bool, probed: bool) -> dict[str, str]:
    """Objectives that will be missed whatever happens, as nothing will measure them: which, and what to give for it."""
    found = {}
    for objective in objectives:
        if objective.name.startswith(_BY_PROBE) and not probed:
            found[objective.name] = "--probe"
        elif not paced and not objective.name.startswith(_UNPACED):
            found[objective.name] = "a --rate instead of top speed"
    return found


def show(figure: float, unit: Unit) -> str:
    """A figure with its unit, for people: ``7.21 ms``, ``3 records``, ``1.5%``."""
    if unit == "ns":
        return f"{figure / 1e6:,.6f}".rstrip("0").rstrip(".") + " ms"
    if unit == "share":
        return f"{figure * 100:.3f}".rstrip("0").rstrip(".") + "%"
    return f"{figure:,.0f} record{'' if figure == 1 else 's'}"


def _limit(name: str, text: str) -> float:
    _, unit = KINDS[name]
    if unit == "ns":
        if match := _DURATION.fullmatch(text):
            return float(match["number"]) * _NS[match["unit"]]
        raise UsageError(f"--slo {name}={text}: {name} is a duration, write for example {name}=5ms or {name}=250us.")
    if unit == "share":
        if match := _SHARE.fullmatch(text):
            return float(match["number"]) / 100
        raise UsageError(f"--slo {name}={text}: {name} is a share, write for example {name}=5%.")
    if not _COUNT.fullmatch(text):
        raise UsageError(f"--slo {name}={text}: {name} is a number of records, write for example {name}=0.")
    return float(text)
