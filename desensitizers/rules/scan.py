"""scan: free text stays, what detectors find in it goes. ``note: {rule: scan, detectors: [email, learned]}``

A finding is replaced by the surrogate of the domain it was learned in, or of the domain named like its detector,
so that the address in a note is the address in the customer's field.
"""

from __future__ import annotations

from desensitizers.detectors import LEARNED, detector
from desensitizers.domains import Domain, default_domain
from desensitizers.errors import UnfitError
from desensitizers.rules.base import TEXT, Action, Context, Option, Options, Rule, Scalar, each

Span = tuple[int, int, Domain | None]
REMOVED = "[removed]"
"""Stands for a finding that no domain has a surrogate for."""


def _build(options: Options, _domain: Domain | None, context: Context) -> Action:
    names = options["detectors"]
    assert isinstance(names, tuple)
    detectors = [detector(str(name)) for name in names if name != LEARNED]
    domains = {
        found.name: context.domains.get(found.name) or default_domain(found.kind, context.keyring)
        for found in detectors
    }
    learned = context.find_learned if LEARNED in names else None

    def scan(value: Scalar) -> Scalar:
        text = str(value)
        spans: list[Span] = [(*span, domains[found.name]) for found in detectors for span in found.find(text)]
        if learned is not None:
            spans += [(start, end, context.domains.get(name)) for start, end, name in learned(text)]
        return _replace(text, spans, context) if spans else text

    return Action(each(scan), "merges", TEXT)


def _replace(text: str, spans: list[Span], context: Context) -> str:
    """`text` with the spans replaced from the left; of overlapping ones the longest wins, and covers the rest."""
    out, position = [], 0
    for start, end, domain in _merge(spans):
        original = text[start:end]
        context.found(original, domain.name if domain else "")
        out += [text[position:start], _surrogate(original, domain)]
        position = end
    return "".join(out) + text[position:]


def _merge(spans: list[Span]) -> list[Span]:
    """Overlapping spans become one over all of their ground; it is `REMOVED` unless one of them covers it alone."""
    merged: list[Span] = []
    for start, end, domain in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            first, last, owner = merged[-1]
            if end > last:
                merged[-1] = (first, end, domain if start == first else None)
            elif owner is None and (start, end) == (first, last):
                merged[-1] = (first, last, domain)
        else:
            merged.append((start, end, domain))
    return merged


def _surrogate(original: str, domain: Domain | None) -> str:
    if domain is None:
        return REMOVED
    try:
        return str(domain.surrogate(original))
    except UnfitError:
        return REMOVED


RULE = Rule(
    "scan",
    1,
    "text stays, what detectors find in it goes",
    types=TEXT,
    options={"detectors": Option("detectors", "what is looked for; 'learned': what rules replaced elsewhere")},
    required=frozenset({"detectors"}),
    build=_build,
    example="note: {rule: scan, detectors: [email, phone, learned]}",
)
