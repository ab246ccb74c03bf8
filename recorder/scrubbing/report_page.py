"""The report as one HTML page for whoever has to decide: it stands alone, prints well, and fetches or runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

from recorder.html_page import document, facts
from recorder.scrubbing.anonymity import K, Kept
from recorder.window import format_time

if TYPE_CHECKING:
    from recorder.scrubbing.report import Report

_STYLE = """
:root{--good:#1f7a3a}
@media (prefers-color-scheme:dark){:root{--good:#7fd087}}
.good{color:var(--good);font-weight:600}.faint{color:var(--faint)}td,th{overflow-wrap:anywhere}code{font-size:.85em}
@media print{:root{--ink:#000;--faint:#444;--paper:#fff;--rule:#bbb;--good:#000;--bad:#000}
body{margin:0;max-width:none;font-size:10pt}h2{break-after:avoid}tr{break-inside:avoid}.wide{overflow:visible}}
"""

_PROVEN = "Every check below passed on the finished bytes; without that there would be no copy."
_DESCENDED = (
    "Cut or merged from clean copies, records unchanged: what was proven there holds here; it was not repeated."
)


def page(report: Report) -> str:
    """HTML of a report whose files are not yet listed; the signature and the hashes are in `report.json`."""
    title = f"Clean copy {report.capture_id}"
    signed = (
        f"<p>Signed with the key <code>{escape(report.signing_key_id)}</code>. The signature is in report.json; "
        "<code>blackbox verify-clean CAPTURE --public-key FILE</code> checks it, and that no file was added, removed "
        "or altered.</p>"
        if report.signing_key_id
        else '<p class="bad">Not signed: nobody vouches for this report. Whoever can write the copy could have '
        "written it.</p>"
    )
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="good">{_PROVEN if report.ledger else _DESCENDED}</p>',
        signed,
        facts(_about(report)),
        "<h2>What was proven</h2>",
        _table(("check", "result"), ((one.check, one.result) for one in report.proofs)),
        "<h2>What became of each payload</h2>",
        "<p>Counted on the columns before and after, and again on the finished files: "
        "seen = kept + masked + dropped + quarantined.</p>",
        _table(
            ("topic", "", "seen", "kept", "masked", "dropped", "quarantined"),
            ((o.topic, o.kind, o.seen, o.kept, o.masked, o.dropped, o.quarantined) for o in report.ledger),
        ),
        *_quarantine(report),
        "<h2>What each rule did</h2>",
        "<p>Paths are those of the policy. Keys that repeat are counted once.</p>",
        _table(
            ("topic", "place", "path", "rule", "leaves"),
            ((one.topic, one.place, one.path, one.rule, one.leaves) for one in report.counts),
        ),
        "<h2>One person, one surrogate</h2>",
        "<p>In every domain, and among the keys of every topic, there are as many results as originals: nobody became "
        "two, and no two became one.</p>",
        _table(
            ("domain or keys", "originals", "results", "pairs"),
            ((one.space, one.originals, one.results, one.pairs) for one in report.spaces),
        ),
        "<h2>What was kept, and how far it tells records apart</h2>",
        *(_kept(one) for one in report.kept),
        "<h2>Records of each partition</h2>",
        _table(
            ("topic", "records", "state before the window"),
            ((o.topic, _list(o.records), _list(o.prologue) if any(o.prologue) else "") for o in report.partitions),
        ),
    ]
    return document(title, _STYLE, parts)


def _about(report: Report) -> dict[str, str]:
    return {
        "made": format_time(report.made_at_ms),
        "made from capture": report.parent_id or "",
        "records": f"{report.records:,}"
        + (f", and {report.prologue_records:,} of the state before the window" if report.prologue_records else ""),
        "originals removed": f"{report.originals:,} different ones",
        "policy (SHA-256)": report.policy_sha256,
        "secret (its id, from which it can't be found)": report.secret_key_id,
        "detectors": ", ".join(report.detectors) or "none",
        "versions": ", ".join(f"{name} {version}" for name, version in report.versions.items()),
    }


def _quarantine(report: Report) -> list[str]:
    held = report.quarantine
    if isinstance(held, msgspec.UnsetType):
        return []
    return [
        "<h2>What is not in this copy: the quarantine</h2>",
        f"<p>{held.records:,} records that the policy could not answer for are in a file of their own, encrypted for "
        f"the key <code>{escape(held.recipient)}</code> (SHA-256 of the file: <code>{held.sha256}</code>). Their "
        "offsets are gaps of the reason quarantined.</p>",
        _table(
            ("topic", "place", "cause", "records"),
            ((one.topic, one.place, one.cause, one.records) for one in held.lines),
        ),
    ]


def _kept(kept: Kept) -> str:
    head = f"<p><b>{escape(kept.topic)}</b>: judged by {kept.sampled:,} of {kept.records:,} records. "
    if kept.together:
        head += (
            f"Fields that repeat, taken together: every record agrees with at least k = {kept.k:,} (itself included); "
            f"{kept.below:,} records are in groups below {K}."
        )
    else:
        head += "No kept field repeats enough to form groups."
    rows = (
        (one.path, one.records, one.distinct, one.smallest_group, one.alone, "yes" if one.path in kept.together else "")
        for one in kept.fields
    )
    columns = ("kept field", "records", "different values", "smallest group", "alone with their value", "in k")
    return head + "</p>" + _table(columns, rows)


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    body = [list(row) for row in rows]
    if not body:
        return '<p class="faint">None.</p>'
    marks = [' class="n"' if isinstance(cell, int) else "" for cell in body[0]]
    head = "".join(f"<th{mark}>{escape(column)}</th>" for column, mark in zip(columns, marks, strict=True))
    lines = "".join(
        "<tr>"
        + "".join(f"<td{mark}>{escape(_cell(cell))}</td>" for cell, mark in zip(row, marks, strict=True))
        + "</tr>"
        for row in body
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
