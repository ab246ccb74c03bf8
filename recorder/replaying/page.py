"""A certificate as one HTML page that stands alone: figures, plots, and nothing that is fetched or run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from recorder.html_page import document, facts
from recorder.replaying.certificate import Certificate
from recorder.replaying.figures import comparison_rows, measures, timing_rows
from recorder.replaying.histogram import Distribution
from recorder.replaying.plots import Axis, Line, plot
from recorder.replaying.rhythm import LatenessSeries, Rates
from recorder.replaying.summary import certificate_facts, failure_rows

_SMALLEST_MS = 0.001
_SHOWN_FAILURES = 100
_STYLE = """
:root{--a:#0b62c4;--b:#c2410c;--c:#2e7d32;--d:#7b3fb5}
@media (prefers-color-scheme:dark){:root{--a:#6cb2ff;--b:#ffa066;--c:#7fd087;--d:#cda4f5}}
h1{margin:0 0 1rem}h2{margin:2rem 0 .5rem}p{color:var(--faint)}tr.floor td{color:var(--faint)}
svg{display:block;width:100%;height:auto}.key{display:inline;width:24px;height:8px;margin-right:.4rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;color:var(--faint);font-size:.85rem}
.grid{stroke:var(--rule);stroke-width:1}.tick,.label{fill:var(--faint);font-size:12px}
.end{text-anchor:end}.middle{text-anchor:middle}
path{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.a{stroke:var(--a)}.b{stroke:var(--b)}.c{stroke:var(--c)}.d{stroke:var(--d)}.thin{stroke-width:1.1;stroke-opacity:.85}
.dashed{stroke-dasharray:5 4}
"""


def page(certificate: Certificate, other: Certificate | None = None) -> str:
    """HTML of a certificate, or of two side by side."""
    title = f"Replay of {certificate.capture}"
    both = [certificate] if other is None else [certificate, other]
    parts = [f"<h1>{escape(title)}</h1>", _objectives(certificate)]
    parts.append(facts(certificate_facts(certificate)))
    if other is not None:
        parts.append(f"<h2>Second: replay of {escape(other.capture)}</h2>")
        parts.append(facts(certificate_facts(other)))
    parts.append("<h2>Percentiles</h2>")
    parts += [_table(*timing_rows(one), floors={m.name for m in measures(one) if m.floor}) for one in both]
    parts.append(
        f"<p>Percentiles are never below the true value, and at most {certificate.percentile_error:.2%} above it. "
        "A floor is what machine, client and broker could do just before: it can't be ours.</p>"
    )
    parts += [_lateness(both), _shares(both), _rates(both)]
    if other is not None:
        parts += ["<h2>Side by side</h2>", _table(*comparison_rows(certificate, other))]
    if certificate.failures:
        columns, rows = failure_rows(certificate)
        parts += ["<h2>Failures</h2>", _table(columns, rows[:_SHOWN_FAILURES])]
    return document(title, _STYLE, parts)


def _lateness(both: Sequence[Certificate]) -> str:
    series = [(_which(both, n), one.rhythm.lateness) for n, one in enumerate(both) if one.rhythm]
    lines = []
    for number, (which, kept) in enumerate(series):
        style = "ab"[number]
        lines.append(Line(f"largest{which}", _over_time(kept, kept.max_ns), f"{style} thin"))
        lines.append(Line(f"mean{which}", _over_time(kept, kept.mean_ns), f"{'cd'[number]}"))
    if not lines:
        return ""
    x = Axis("seconds since the replay began", 0, max(len(kept.max_ns) * kept.step_ns / 1e9 for _, kept in series))
    highest = max((value for line in lines for _, value in line.points if value), default=1.0)
    y = Axis("dispatch lateness, ms", _SMALLEST_MS, _decade(highest), logarithmic=True)
    return "<h2>Lateness over time</h2>" + plot("Dispatch lateness over time", lines, x, y)


def _shares(both: Sequence[Certificate]) -> str:
    """Cumulative histograms, drawn so that the tail shows: which share of records was later than so much."""
    lines, most = [], 1.0
    for number, one in enumerate(both):
        kept: list[tuple[str, Distribution | None, str]] = [
            ("dispatch lateness", one.dispatch_lateness, "ab"[number]),
            ("ack lateness", one.ack_lateness, "cd"[number]),
            ("round trip", None if one.ack_lateness else one.round_trip, "cd"[number]),
            ("arrival lateness", one.probed.arrival_lateness if one.probed else None, f"{'db'[number]} thin"),
            (*_floor_line(one), f"{'ab'[number]} dashed"),
        ]
        for name, distribution, style in kept:
            if distribution is not None:
                lines.append(Line(name + _which(both, number), _later_than(distribution), style))
                most = max(most, distribution.max_ns / 1e6)
    if not lines:
        return ""
    smallest = min(share for line in lines for _, share in line.points if share)
    x = Axis("ms", _SMALLEST_MS, _decade(most), logarithmic=True)
    y = Axis("% of records later than that", 10 ** _power_below(smallest), 100, logarithmic=True)
    return "<h2>Histogram</h2>" + plot("Share of records later than a duration", lines, x, y)


def _floor_line(one: Certificate) -> tuple[str, Distribution | None]:
    """What dispatch is held against: a bare loop under the same load where one was measured, else a timer."""
    if one.floor is not None and one.floor.bare_loop is not None:
        return "floor: bare loop", one.floor.bare_loop
    return "floor: timer", None if one.floor is None else one.floor.timer


def _rates(both: Sequence[Certificate]) -> str:
    rates = [(_which(both, n), one.rhythm.rates) for n, one in enumerate(both) if one.rhythm]
    lines = []
    for number, (which, kept) in enumerate(rates):
        lines.append(Line(f"planned{which}", _per_second(kept, kept.planned), f"{'cd'[number]} dashed"))
        lines.append(Line(f"sent{which}", _per_second(kept, kept.sent), "ab"[number]))
    if not lines:
        return ""
    x = Axis("seconds since the replay began", 0, max(len(kept.sent) * kept.step_ns / 1e9 for _, kept in rates))
    y = Axis("records/s", 0, max(value or 0.0 for line in lines for _, value in line.points) * 1.05 or 1.0)
    return "<h2>Rate, planned and sent</h2>" + plot("Records a second, planned and sent", lines, x, y)


def _over_time(series: LatenessSeries, values: Sequence[int | None]) -> list[tuple[float, float | None]]:
    return [
        ((n + 0.5) * series.step_ns / 1e9, None if value is None else max(value / 1e6, _SMALLEST_MS))
        for n, value in enumerate(values)
    ]


def _per_second(rates: Rates, counts: Sequence[int]) -> list[tuple[float, float | None]]:
    """A staircase: a count holds for its whole step."""
    seconds = rates.step_ns / 1e9
    return [((n + end) * seconds, count / seconds) for n, count in enumerate(counts) for end in (0, 1)]


def _later_than(distribution: Distribution) -> list[tuple[float, float | None]]:
    points: list[tuple[float, float | None]] = [(_SMALLEST_MS, 100.0)]
    left = distribution.count
    for edge, count in distribution.buckets:
        left -= count
        if left:
            points.append((max(edge / 1e6, _SMALLEST_MS), left / distribution.count * 100))
    return points


def _decade(milliseconds: float) -> float:
    return 10.0 * 10.0 ** _power_below(milliseconds) if milliseconds > _SMALLEST_MS else 10 * _SMALLEST_MS


def _power_below(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _which(both: Sequence[Certificate], number: int) -> str:
    return "" if len(both) == 1 else (", first", ", second")[number]


def _objectives(certificate: Certificate) -> str:
    missed = [one.sentence() for one in certificate.objectives if not one.met]
    return "".join(f'<p class="bad">{escape(sentence)}</p>' for sentence in missed)


def _table(columns: Sequence[str], rows: list[list[Any]], floors: set[str] | None = None) -> str:
    numeric = [any(isinstance(row[n], int | float) for row in rows) for n in range(len(columns))]
    marks = ['class="n"' if is_number else "" for is_number in numeric]
    head = "".join(f"<th {mark}>{escape(column)}</th>" for column, mark in zip(columns, marks, strict=True))
    body = "".join(_row(row, marks, floor=row[0] in (floors or ())) for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(row: list[Any], marks: Sequence[str], *, floor: bool) -> str:
    cells = "".join(f"<td {mark}>{escape(_cell(value))}</td>" for value, mark in zip(row, marks, strict=True))
    return f'<tr class="floor">{cells}</tr>' if floor else f"<tr>{cells}</tr>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
