"""Timing objectives: what a pipeline demands of a replay (`p99=5ms,drift=10ms,loss=0`), and whether it was so.

What was not measured can't have been met.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from recorder.errors import UsageError

if TYPE_CHECKING:
    from recorder.replaying.certificate import Certificate
    from recorder.replaying.histogram import Distribution

Unit = Literal["ns", "records", "share"]

_DURATION = re.compile(r"(?P<number>\d{1,12}(?:\.\d+)?) ?(?P<unit>ns|us|µs|ms|s|m)", re.ASCII)
_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000}
_COUNT = re.compile(r"\d{1,15}", re.ASCII)
_SHARE = re.compile(r"(?P<number>\d{1,3}(?:\.\d+)?) ?%", re.ASCII)
_PERCENTILES = {"p50": "p50_ns", "p90": "p90_ns", "p99": "p99_ns", "p99.9": "p999_ns", "max": "max_ns"}


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
        what = _KINDS[self.name].what
        at_most = f"the objective {self.name} is at most {show(self.limit, self.unit)}."
        if self.measured is None:
            return f"{what} was not measured; {at_most}"
        return f"{what} was {show(self.measured, self.unit)}; {at_most}"


@dataclass(frozen=True, slots=True)
class _Kind:
    what: str
    unit: Unit
    figure: Callable[[Certificate], float | None]


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """``p99=5ms,drift=10ms,inversions=0`` as objectives; UsageError says what is wrong with it."""
    found: dict[str, Objective] = {}
    for part in text.split(","):
        name, sign, limit = (word.strip() for word in part.partition("="))
        name = name.replace("p999", "p99.9")
        if not sign or not limit:
            raise UsageError(f"--slo '{part.strip()}' is no objective: write for example p99=5ms,drift=10ms,loss=0.")
        if name not in _KINDS:
            raise UsageError(f"--slo knows no '{name}'. There are: {', '.join(_KINDS)}.")
        if name in found:
            raise UsageError(f"--slo says {name} twice: give it once.")
        found[name] = Objective(name, _limit(name, limit))
    return tuple(found.values())


def judge(certificate: Certificate, objectives: Sequence[Objective]) -> tuple[Judgement, ...]:
    """Hold a certificate against what was demanded."""
    judgements = []
    for objective in objectives:
        kind = _KINDS[objective.name]
        measured = kind.figure(certificate)
        judgements.append(Judgement(name=objective.name, unit=kind.unit, limit=objective.limit, measured=measured))
    return tuple(judgements)


def show(figure: float, unit: Unit) -> str:
    """A figure with its unit, for people: ``7.21 ms``, ``3 records``, ``1.5%``."""
    if unit == "ns":
        return f"{figure / 1e6:,.6f}".rstrip("0").rstrip(".") + " ms"
    if unit == "share":
        return f"{figure * 100:.3f}".rstrip("0").rstrip(".") + "%"
    return f"{figure:,.0f} record{'' if figure == 1 else 's'}"


def _limit(name: str, text: str) -> float:
    unit = _KINDS[name].unit
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


def _distributions() -> dict[str, tuple[str, Callable[[Certificate], Distribution | None]]]:
    return {
        "": ("Dispatch lateness", lambda c: c.dispatch_lateness),
        "ack_": ("Ack lateness", lambda c: c.ack_lateness),
        "round_trip_": ("The round trip", lambda c: c.round_trip),
        "gap_": ("Gap error", lambda c: c.rhythm.gap_error if c.rhythm else None),
        "append_": ("Append lateness", lambda c: c.probed.append_lateness if c.probed else None),
        "arrival_": ("Arrival lateness", lambda c: c.probed.arrival_lateness if c.probed else None),
    }


def _kinds() -> dict[str, _Kind]:
    kinds = {
        f"{prefix}{name}": _Kind(f"{what} {name}", "ns", _percentile(of, attribute))
        for prefix, (what, of) in _distributions().items()
        for name, attribute in _PERCENTILES.items()
    }
    return kinds | {
        "drift": _Kind("End drift", "ns", lambda c: None if c.end_drift_ns is None else abs(c.end_drift_ns)),
        "rate_error": _Kind(
            "Rate error per second", "share", lambda c: c.rhythm.rates.error_share if c.rhythm else None
        ),
        "loss": _Kind("Loss", "records", lambda c: c.losses),
        "inversions": _Kind("Out of order in partitions", "records", lambda c: c.inversions.partition),
        "key_inversions": _Kind("Out of order in keys", "records", lambda c: c.inversions.key),
        "dropped": _Kind("Dropped for lateness", "records", lambda c: c.course.dropped),
    }


def _percentile(
    of: Callable[[Certificate], Distribution | None], attribute: str
) -> Callable[[Certificate], float | None]:
    def figure(certificate: Certificate) -> float | None:
        distribution = of(certificate)
        return None if distribution is None else float(getattr(distribution, attribute))

    return figure


_KINDS = _kinds()
