"""A certificate held against what was demanded of it. What was not measured can't have been met."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from recorder.replaying.certificate import Certificate
from recorder.replaying.histogram import Distribution
from recorder.replaying.objectives import KINDS, LATENESSES, PERCENTILES, Judgement, Objective


def judge(certificate: Certificate, objectives: Sequence[Objective]) -> tuple[Judgement, ...]:
    """In the order of the objectives."""
    return tuple(
        Judgement(
            name=objective.name,
            unit=KINDS[objective.name][1],
            limit=objective.limit,
            measured=_FIGURES[objective.name](certificate),
        )
        for objective in objectives
    )


_DISTRIBUTIONS: dict[str, Callable[[Certificate], Distribution | None]] = {
    "": lambda c: c.dispatch_lateness,
    "ack_": lambda c: c.ack_lateness,
    "round_trip_": lambda c: c.round_trip,
    "gap_": lambda c: c.rhythm.gap_error if c.rhythm else None,
    "append_": lambda c: c.probed.append_lateness if c.probed else None,
    "arrival_": lambda c: c.probed.arrival_lateness if c.probed else None,
}


def _percentile(prefix: str, attribute: str) -> Callable[[Certificate], float | None]:
    def figure(certificate: Certificate) -> float | None:
        distribution = _DISTRIBUTIONS[prefix](certificate)
        return None if distribution is None else float(getattr(distribution, attribute))

    return figure


_FIGURES: dict[str, Callable[[Certificate], float | None]] = {
    **{
        f"{prefix}{name}": _percentile(prefix, attribute)
        for prefix in LATENESSES
        for name, attribute in PERCENTILES.items()
    },
    "drift": lambda c: None if c.end_drift_ns is None else abs(c.end_drift_ns),
    "rate_error": lambda c: c.rhythm.rates.error_share if c.rhythm else None,
    "loss": lambda c: c.losses,
    "inversions": lambda c: c.inversions.partition,
    "key_inversions": lambda c: c.inversions.key,
    "dropped": lambda c: c.course.dropped,
}
