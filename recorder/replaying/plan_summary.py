"""A plan as a person reads it, and as a program does. Durations in milliseconds, sizes in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from recorder.replaying.figures import Rows
from recorder.replaying.findings import Finding
from recorder.replaying.plan import Plan
from recorder.window import format_duration, format_time


def plan_facts(plan: Plan) -> dict[str, str]:
    """What a replay would do."""
    seen, options = plan.survey, plan.options
    pace = "top speed" if options.pace is None else f"rate {options.rate:g}"
    facts = {
        "target": f"cluster {plan.cluster.cluster_id or '(unknown)'}",
        "records": f"{seen.records:,}, {seen.bytes:,} bytes before compression",
        "disk": _disk(plan),
    }
    if plan.before is not None:
        facts["state before it"] = f"{plan.before.survey.records:,} records, sent first"
    elif plan.state_held:
        facts["state before it"] = f"{plan.state_held:,} records, not sent"
    if plan.pass_ms is None:
        facts["duration"] = f"as fast as the target takes them ({pace})"
    elif plan.duration_ms is None:
        facts["duration"] = f"{format_duration(plan.pass_ms)} at {pace}, again and again"
        facts["busiest second"] = f"{seen.peak_per_second:,} records"
    else:
        times = "" if options.loop == 1 else f", {options.loop} times {format_duration(plan.pass_ms)}"
        facts["duration"] = f"{format_duration(plan.duration_ms)} at {pace}{times}"
        facts["would end"] = format_time(plan.prepared_at_ms + round(plan.duration_ms))
        facts["busiest second"] = f"{seen.peak_per_second:,} records"
    if seen.collapsed_gaps:
        facts["idle time left out"] = f"{format_duration(seen.collapsed_ms)} in {seen.collapsed_gaps:,} stretches"
    return facts


def _disk(plan: Plan) -> str:
    """What the target's brokers need for it."""
    copies = sorted({space.replicas for space in plan.spaces}) or [1]
    shares = {space.share for space in plan.spaces} - {1.0}
    many = (
        f"{copies[0]} cop{'y' if copies == [1] else 'ies'}"
        if len(copies) == 1
        else f"{copies[0]} to {copies[-1]} copies"
    )
    squeezed = f", compressed to about {min(shares):.0%} as the capture is" if shares else ", without compression"
    every = "" if plan.options.loop == 1 else ", all passes" if plan.options.loop else ", each pass"
    return f"about {sum(space.on_disk for space in plan.spaces):,} bytes on the target, in {many}{squeezed}{every}"


def plan_rows(plan: Plan) -> Rows:
    """One row a recorded topic."""
    fresh = {new.name for new in plan.to_create}
    rows: list[list[Any]] = []
    for topic in plan.routes.topics:
        target, found = plan.routes.target_of[topic.name], plan.survey.topics[topic.name]
        rows.append(
            [topic.name, target, target in fresh, len(topic.partitions), found.records, found.bytes, found.largest]
        )
    return ("topic", "target", "create", "partitions", "records", "bytes", "largest"), rows


def letter_rows(plan: Plan) -> Rows | None:
    """What becomes of dead letters; None when nobody asked for them."""
    return None if plan.letters is None else plan.letters.rows()


def translation_rows(plan: Plan) -> Rows | None:
    """What becomes of schema ids; None when they stay."""
    return None if plan.translation is None else plan.translation.rows()


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan for programs; durations in ms, sizes in bytes."""
    columns, rows = plan_rows(plan)
    schemas, letters = translation_rows(plan), letter_rows(plan)
    return {
        "capture_id": plan.captures[0].manifest.capture_id,
        "capture_ids": [capture.manifest.capture_id for capture in plan.captures],
        "target_cluster_id": plan.cluster.cluster_id,
        "records": plan.survey.records,
        "bytes": plan.survey.bytes,
        "prologue": {
            "records": plan.state_held if plan.before is None else plan.before.survey.records,
            "sent": plan.before is not None,
        },
        "disk_bytes": sum(space.on_disk for space in plan.spaces),
        "spaces": [asdict(space) for space in plan.spaces],
        "rate": plan.options.pace,
        "duration_ms": plan.duration_ms,
        "peak_per_second": None if plan.options.pace is None else plan.survey.peak_per_second,
        "collapsed_gaps": plan.survey.collapsed_gaps,
        "collapsed_ms": plan.survey.collapsed_ms,
        "topics": [dict(zip(columns, row, strict=True)) for row in rows],
        "letters": None if letters is None else [dict(zip(letters[0], row, strict=True)) for row in letters[1]],
        "schemas": None if schemas is None else [dict(zip(schemas[0], row, strict=True)) for row in schemas[1]],
        "to_create": [asdict(new) for new in plan.to_create],
        "placements": [msgspec.to_builtins(placement) for placement in plan.placements],
        "findings": [msgspec.to_builtins(finding) for finding in plan.findings],
    }


def finding_rows(findings: Sequence[Finding]) -> Rows:
    ordered = sorted(findings, key=lambda finding: finding.severity)
    return ("severity", "topic", "what", "fix"), [[f.severity, f.topic, f.what, f.fix] for f in ordered]
