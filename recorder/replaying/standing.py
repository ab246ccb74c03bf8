"""Where a running replay stands, as a person reads it: one line, or facts."""

from __future__ import annotations

from recorder.replaying.control import Status
from recorder.window import format_duration, format_time


def standing(now: Status) -> str:
    """One line for the progress bar: position, rate, lateness, time to go."""
    parts = [f"at {position(now)}", pace(now), f"late by {now.lateness_ns / 1e6:.1f} ms"]
    if now.rate is None:
        del parts[2]
    if now.state != "playing":
        parts.insert(0, now.state)
    if now.laps != 1:
        parts.append(f"pass {now.lap:,}" + (f" of {now.laps:,}" if now.laps else ""))
    if now.eta_ms is not None:
        parts.append(f"{format_duration(now.eta_ms)} to go")
    return ", ".join(parts)


def status_facts(now: Status) -> dict[str, str]:
    """Everything, named."""
    facts = {
        "state": now.state,
        "target": f"cluster {now.target}",
        "position": position(now),
        "rate": pace(now),
        "lateness": f"{now.lateness_ns / 1e6:.3f} ms (the last record, against the plan)",
        "records": f"{now.sent:,} sent, {now.acked:,} confirmed, {now.failed:,} failed"
        + (f", {now.dropped:,} dropped" if now.dropped else "")
        + (f", of {now.planned:,}" if now.planned is not None else ""),
    }
    if now.rate is None:
        del facts["lateness"]
    if now.laps != 1:
        facts["pass"] = f"{now.lap:,}" + (f" of {now.laps:,}" if now.laps else ", without end")
    if now.eta_ms is not None:
        facts["to go"] = format_duration(now.eta_ms)
    return facts


def position(now: Status) -> str:
    """The recorded time, and how far into the timeline it lies."""
    where = "" if now.position_ms is None else f"{format_time(now.position_ms)} "
    return f"{where}(+{format_duration(now.played_ms)} of {format_duration(now.duration_ms)})"


def pace(now: Status) -> str:
    return "top speed" if now.rate is None else f"rate {now.rate:g}"
