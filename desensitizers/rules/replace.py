"""replace: the same constant for everybody. ``city: {rule: replace, with: Springfield}``"""

from __future__ import annotations

from desensitizers.domains import Domain
from desensitizers.rules.base import Action, Context, Option, Options, Rule, Scalar

_TYPES: dict[type, frozenset[str]] = {
    str: frozenset({"string"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
}


def _build(options: Options, _domain: Domain | None, _context: Context) -> Action:
    constant = options["with"]
    value: Scalar = constant  # type: ignore[assignment]  # checked at load: a scalar
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    return Action(lambda values: [value] * len(values), "merges", _TYPES[type(constant)], least=number, greatest=number)


RULE = Rule(
    "replace",
    1,
    "becomes a constant",
    options={"with": Option("scalar", "the constant")},
    required=frozenset({"with"}),
    build=_build,
    example="city: {rule: replace, with: Springfield}",
)
