"""The frame of our HTML pages: one file that stands alone, in light and dark, and neither fetches nor runs anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--faint:#5b6570;--paper:#fff;--rule:#d9dee4;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--faint:#9aa5b1;--paper:#14171b;--rule:#323a43;--bad:#ff8a80}}
body{background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif;max-width:920px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.45rem;margin:0 0 .3rem}h2{font-size:1.05rem;margin:2rem 0 .4rem}p{max-width:46rem}
.bad{color:var(--bad);font-weight:600}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .9rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
td.n,th.n{text-align:right}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:0}dt{color:var(--faint)}
dd{margin:0;overflow-wrap:anywhere}
"""


def document(title: str, style: str, parts: Iterable[str]) -> str:
    """A page of HTML `parts`, of which empty ones are left out; `style` is CSS beyond what all pages have."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head><body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def facts(named: Mapping[str, str]) -> str:
    """A list of names and what is so called."""
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in named.items()) + "</dl>"
