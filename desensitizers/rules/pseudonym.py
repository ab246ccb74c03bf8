"""pseudonym: the domain's surrogate, the same for the same person everywhere. ``customer.id: {domain: customer}``"""

from __future__ import annotations

from collections.abc import Sequence

from desensitizers.domains import Domain
from desensitizers.rules.base import Action, Context, Options, Rule, Scalar

_VERSION = 1


def _build(_options: Options, domain: Domain | None, _context: Context) -> Action:
    assert domain is not None  # required by the declaration, checked at load
    surrogate, surrogates = domain.surrogate, domain.surrogates

    def rewrite(values: Sequence[Scalar]) -> list[Scalar]:
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) == len(values) > 1:
            return list(surrogates(texts))
        return [surrogate(value) for value in values]  # type: ignore[arg-type]

    return Action(rewrite, domain.kind.uniqueness, domain.kind.types, greatest=domain.kind.greatest)


RULE = Rule(
    "pseudonym",
    _VERSION,
    "becomes its domain's surrogate",
    uniqueness="collision-resistant",
    types=frozenset({"string", "integer"}),
    domain="required",
    build=_build,
    example="customer.id: {rule: pseudonym, domain: customer}",
)
