"""replace: the same constant for everybody. ``city: {rule: replace, with: Springfield}``"""

from __future__ import annotations

from collections.abc import Mapping

from desensitizers.domains import Domain
from desensitizers.rules.base import Action, Context, OptionValue, Rule, Scalar

_TYPES: dict[type, frozenset[str]] = {
    str: frozenset({"string"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
}


def _build(options: Mapping[str, OptionValue], _domain: Domain | None, _context: Context) -> Action:
    constant = options["with"]
    value: Scalar = constant  # type: ignore[assignment]  # checked at load: a scalar
    return Action(lambda values: [value] * len(values), "merges", _TYPES[type(constant)])


RULE = Rule("replace", 1, "becomes a constant", options={"with": object}, required=frozenset({"with"}), build=_build)
