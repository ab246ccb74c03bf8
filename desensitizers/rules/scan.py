"""scan: free text stays, what detectors find in it goes. ``note: {rule: scan, detectors: [email, learned]}``

A finding is replaced by the surrogate of the domain it was learned in, or of the domain named like its detector,
so that the address in a note is the address in the customer's field. Texts are searched many at a time, and what is
found in all of them becomes surrogates together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from desensitizers.detectors import LEARNED, detector
from desensitizers.domains import Domain, default_domain
from desensitizers.encoded import encoded
from desensitizers.errors import UnfitError
from desensitizers.rules.base import TEXT, Action, Context, Option, Options, Rule, Scalar
from desensitizers.spelling import tidy

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

    def scan(values: Sequence[Scalar]) -> list[Scalar]:
        texts = list(map(str, values))
        found: dict[int, list[Span]] = {}
        for one in detectors:
            for row, start, end in one.find_all(texts):
                found.setdefault(row, []).append((start, end, domains[one.name]))
        for row, start, end, name in learned(texts) if learned is not None else ():
            found.setdefault(row, []).append((start, end, context.domains.get(name)))
        for row, start, end in encoded(texts, found, detectors, learned):
            found.setdefault(row, []).append((start, end, None))
        clean: list[Scalar] = list(texts)
        for row, text in _replaced(texts, found, context):
            clean[row] = text
        return clean

    return Action(scan, "merges", TEXT)


def _replaced(texts: list[str], found: Mapping[int, list[Span]], context: Context) -> Iterator[tuple[int, str]]:
    """Texts with their spans replaced from the left; of overlapping ones the longest wins, and covers the rest."""
    merged = {row: _merge(spans) for row, spans in found.items()}
    wanted: dict[Domain | None, dict[str, str]] = {}
    for row, spans in merged.items():
        for start, end, domain in spans:
            wanted.setdefault(domain, {})[texts[row][start:end]] = REMOVED
    for domain, surrogates in wanted.items():
        for original in surrogates:
            context.found(original, domain.name if domain else "")
        if domain is not None:
            surrogates.update(zip(surrogates, _surrogates(domain, list(surrogates)), strict=True))
    for row, spans in merged.items():
        text, out, position = texts[row], [], 0
        for start, end, domain in spans:
            out += [text[position:start], wanted[domain][text[start:end]]]
            position = end
        yield row, "".join(out) + text[position:]


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


def _surrogates(domain: Domain, originals: list[str]) -> list[str]:
    try:
        return domain.surrogates(originals)
    except UnfitError:
        return [_surrogate(domain, original) for original in originals]


def _surrogate(domain: Domain, original: str) -> str:
    for spelling in dict.fromkeys((original, tidy(original))):
        with suppress(UnfitError):
            return str(domain.surrogate(spelling))
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
