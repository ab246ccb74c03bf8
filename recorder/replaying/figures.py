"""A certificate's distributions as tables, each beside its floor, and two certificates side by side. Milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recorder.replaying.certificate import Certificate
from recorder.replaying.histogram import Distribution

Rows = tuple[Sequence[str], list[list[Any]]]
PERCENTILES = {"p50": "p50_ns", "p90": "p90_ns", "p99": "p99_ns", "p99.9": "p999_ns", "max": "max_ns"}


@dataclass(frozen=True, slots=True)
class Measure:
    """A distribution by its name; a floor is what could not have been better."""

    name: str
    distribution: Distribution
    floor: bool = False

    @property
    def milliseconds(self) -> list[float]:
        """Its percentiles."""
        return [getattr(self.distribution, attribute) / 1e6 for attribute in PERCENTILES.values()]


def measures(certificate: Certificate) -> list[Measure]:
    """All that a certificate holds, floors behind what they stand beside."""
    rhythm, floor, probed = certificate.rhythm, certificate.floor, certificate.probed
    asked = "metadata" if floor is None or floor.ack_topic is None else "produce"
    found: list[tuple[str, Distribution | None, bool]] = [
        ("dispatch lateness", certificate.dispatch_lateness, False),
        ("· floor: timer", floor.timer if floor else None, True),
        ("· floor: bare loop", floor.bare_loop if floor else None, True),
        ("· floor: hand-over", floor.hand_over if floor else None, True),
        ("ack lateness", certificate.ack_lateness, False),
        ("round trip", certificate.round_trip, False),
        (f"· floor: {asked}", floor.ack if floor else None, True),
        ("append lateness", probed.append_lateness if probed else None, False),
        ("arrival lateness", probed.arrival_lateness if probed else None, False),
        ("transit", probed.transit if probed else None, False),
        ("gap error", rhythm.gap_error if rhythm else None, False),
    ]
    return [Measure(name, distribution, is_floor) for name, distribution, is_floor in found if distribution]


def timing_rows(certificate: Certificate) -> Rows:
    """Percentiles, one row a measure."""
    return ("ms", *PERCENTILES), [[measure.name, *measure.milliseconds] for measure in measures(certificate)]


def comparison_rows(first: Certificate, second: Certificate) -> Rows:
    """One row a figure: its value in both, and how many times the first one's the second one's is."""
    rows = []
    one, other = _figures(first), _figures(second)
    for name in dict.fromkeys((*one, *other)):
        here, there = one.get(name), other.get(name)
        ratio = there / here if here and there is not None else None
        rows.append([name, here, there, ratio])
    return ("figure", "first", "second", "ratio"), rows


def differences(first: Certificate, second: Certificate) -> list[str]:
    """What was not the same about two replays, so that their figures differ for more reasons than how exact they were:
    ``rate 1 and 2``."""
    both = (_circumstances(first), _circumstances(second))
    return [f"{what} {both[0][what]} and {both[1][what]}" for what in both[0] if both[0][what] != both[1][what]]


def _circumstances(certificate: Certificate) -> dict[str, str]:
    choices = certificate.course.choices
    caps = {"records/s": choices.records_per_second, "Mbit/s": choices.megabits_per_second}
    ids = (certificate.capture_id, *certificate.further_captures)
    return {
        "capture": f"{certificate.capture} ({', '.join(one[:12] for one in ids)})",
        "target": certificate.target_cluster_id or "(unknown)",
        "rate": "top speed" if certificate.rate is None else f"{certificate.rate:g}",
        "cap": ", ".join(f"{cap:g} {unit}" for unit, cap in caps.items() if cap) or "none",
        "records": f"{certificate.planned:,}",
        "end": certificate.ended_by,
    }


def _figures(certificate: Certificate) -> dict[str, float | None]:
    figures: dict[str, float | None] = {
        f"{measure.name} {name} (ms)": value
        for measure in measures(certificate)
        for name, value in zip(PERCENTILES, measure.milliseconds, strict=True)
    }
    drift, last, rhythm = certificate.end_drift_ns, certificate.last_lateness_ns, certificate.rhythm
    figures |= {
        "end drift (ms)": None if drift is None else drift / 1e6,
        "last record late (ms)": None if last is None else last / 1e6,
        "rate error (%)": None if rhythm is None else rhythm.rates.error_share * 100,
        "records planned": certificate.planned,
        "records lost": certificate.losses,
        "records dropped": certificate.course.dropped,
        "inversions in partitions": certificate.inversions.partition,
        "inversions in keys": certificate.inversions.key,
        "inversions on the timeline": certificate.inversions.timeline,
        "records behind their partition's time": certificate.clamped,
        "requests retried": certificate.retries,
        "client queue full": certificate.queue_full,
    }
    return figures
