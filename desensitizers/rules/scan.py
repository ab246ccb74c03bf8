"""scan: free text stays, what detectors find in it goes. ``note: {rule: scan, detectors: [email, learned]}``

A finding is replaced by the surrogate of the domain it was learned in, or of the domain named like its detector,
so that the address in a note is the address in the customer's field. Texts are searched many at a time; what is found
in all of them becomes surrogates together, and these are remembered for the next texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from desensitizers.detectors import LEARNED, detector
from desensitizers.detectors.base import FEW, ascii_column
from desensitizers.domains import Domain, default_domain
from desensitizers.encoded import encoded
from desensitizers.errors import UnfitError
from desensitizers.keys import Keyring
from desensitizers.memos import Budget, ManyBytes, Memo
from desensitizers.rules.base import TEXT, Action, Context, Option, Options, Rule, Scalar
from desensitizers.spelling import tidy

Span = tuple[int, int, int, int, str]
"""Which text, start, the end below zero (of those with one start the longest comes first), which detector, and for what
was learned the domain's name."""
Piece = tuple[int, int, int, Domain | None]
"""Which text, start, end, and the domain of what replaces it."""
REMOVED = "[removed]"
"""Stands for a finding that no domain has a surrogate for."""
_REMEMBERED = 250_000
"""Surrogates, at least; they take at most 64 MB."""


def _build(options: Options, _domain: Domain | None, context: Context) -> Action:
    names = options["detectors"]
    assert isinstance(names, tuple)
    detectors = [detector(str(name)) for name in names if name != LEARNED]
    surrogates: _Surrogates = context.shared.setdefault(_Surrogates, _Surrogates(context.keyring))
    domains = [context.domains.get(found.name) or surrogates.default(found.kind) for found in detectors]
    learned = context.find_learned if LEARNED in names else None
    of_learned = len(detectors)
    of_nobody = of_learned + 1

    def spans(texts: list[str]) -> list[Span]:
        column = ascii_column(texts)
        found: list[Span] = []
        for number, one in enumerate(detectors):
            found += [(row, start, -end, number, "") for row, start, end in one.find_all(texts, column)]
        if learned is not None:
            found += [(row, start, -end, of_learned, name) for row, start, end, name in learned(texts)]
        known = [(row, start, -end) for row, start, end, _number, _name in found]
        found += [(row, start, -end, of_nobody, "") for row, start, end in encoded(texts, known, detectors, learned)]
        found.sort()
        return found

    def owner(number: int, name: str) -> Domain | None:
        if number < of_learned:
            return domains[number]
        return context.domains.get(name) if number == of_learned else None

    def scan(values: Sequence[Scalar]) -> list[Scalar]:
        texts = list(map(str, values))
        found = ((row, start, -end, owner(number, name)) for row, start, end, number, name in spans(texts))
        clean: list[Scalar] = list(texts)
        for row, text in _replaced(texts, _merged(found), surrogates, context):
            clean[row] = text
        return clean

    return Action(scan, "merges", TEXT)


def _replaced(
    texts: list[str], pieces: list[Piece], surrogates: _Surrogates, context: Context
) -> Iterator[tuple[int, str]]:
    """Texts in which something is replaced."""
    wanted: dict[Domain | None, dict[str, str]] = {}
    for row, start, end, domain in pieces:
        wanted.setdefault(domain, {})[texts[row][start:end]] = REMOVED
    for domain, found in wanted.items():
        for original in found:
            context.found(original, domain.name if domain else "")
        if domain is not None:
            found.update(zip(found, surrogates.of(domain, list(found), remember=len(texts) >= FEW), strict=True))
    out: list[str] = []
    last = position = 0
    for row, start, end, domain in pieces:
        if row != last:
            if out:
                yield last, "".join(out) + texts[last][position:]
            out, last, position = [], row, 0
        text = texts[row]
        out += (text[position:start], wanted[domain][text[start:end]])
        position = end
    if out:
        yield last, "".join(out) + texts[last][position:]


def _merged(found: Iterable[Piece]) -> list[Piece]:
    """Overlapping pieces (sorted) become one over all of their ground: of those that cover it alone the first, else
    what is `REMOVED`.
    """
    merged: list[Piece] = []
    last, until = -1, 0
    for piece in found:
        row, start, end, domain = piece
        if row != last or start >= until:
            merged.append(piece)
            last, until = row, end
            continue
        _row, first, until, owner = merged[-1]
        if end > until:
            merged[-1] = (row, first, end, domain if start == first else None)
            until = end
        elif owner is None and (start, end) == (first, until):
            merged[-1] = piece
    return merged


class _Surrogates:
    """What replaces originals, by domain: the same for all topics of a plan, and for all segments of these."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._budget = Budget(_REMEMBERED)
        self._memos: dict[Domain, Memo] = {}
        self._defaults: dict[str, Domain] = {}

    def default(self, kind: str) -> Domain:
        """The domain of what a detector finds when the policy has none of its name."""
        if kind not in self._defaults:
            self._defaults[kind] = default_domain(kind, self._keyring)
        return self._defaults[kind]

    def of(self, domain: Domain, originals: list[str], *, remember: bool) -> list[str]:
        """For originals that differ. A text by itself may be a rule's trial, of which nothing is to be remembered."""
        if not remember:
            return _surrogates(domain, originals)
        import pyarrow as pa

        if domain not in self._memos:
            many = _of_bytes(domain)
            self._memos[domain] = self._budget.memo(lambda token: many([token])[0], many)
        tokens = pa.array([original.encode("utf-8", "surrogatepass") for original in originals], pa.binary())
        return [found.decode("utf-8", "surrogatepass") for found in self._memos[domain].column(tokens).to_pylist()]


def _of_bytes(domain: Domain) -> ManyBytes:
    def many(tokens: list[bytes]) -> list[bytes]:
        found = _surrogates(domain, [token.decode("utf-8", "surrogatepass") for token in tokens])
        return [surrogate.encode("utf-8", "surrogatepass") for surrogate in found]

    return many


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
