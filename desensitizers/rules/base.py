"""What a rule is: declared facts that the compiler checks, and a function over a batch of originals.

A rule never sees a record. It gets scalars of the types it declares and returns as many scalars of the same types;
the core decodes, encodes, checks the declarations and decides what happens when a value doesn't fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from desensitizers.domains import Domain
from desensitizers.keys import Keyring
from desensitizers.surrogates.kinds import Uniqueness

Scalar = str | int | Decimal | bool
OptionValue = str | int | float | bool | tuple[str, ...] | None
Effect = Literal["keep", "drop", "null", "rewrite"]
Rewrite = Callable[[Sequence[Scalar]], list[Scalar]]

TEXT = frozenset({"string"})
ANY = frozenset({"string", "integer", "number", "boolean"})


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may be built from: the keys, the policy's domains, and what this capture taught us."""

    keyring: Keyring
    domains: Mapping[str, Domain]
    find_learned: Callable[[str], list[tuple[int, int, str]]]
    """Text -> (start, end, domain name or "") of originals replaced elsewhere in the same capture."""
    found: Callable[[str, str], None]
    """Called by a rule with every original it finds inside a text, and the domain that replaces it."""


@dataclass(frozen=True, slots=True)
class Action:
    """A rule made ready for one place of one policy."""

    rewrite: Rewrite
    uniqueness: Uniqueness
    types: frozenset[str]
    same_each_time: bool = True
    """False when equal originals may become different values, so that nothing may be remembered."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's declaration."""

    name: str
    version: int
    summary: str
    effect: Effect = "rewrite"
    deterministic: bool = True
    uniqueness: Uniqueness = "merges"
    types: frozenset[str] = ANY
    options: Mapping[str, type] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    domain: Literal["none", "optional", "required"] = "none"
    build: Callable[[Mapping[str, OptionValue], Domain | None, Context], Action] | None = None


def each(function: Callable[[Scalar], Scalar]) -> Rewrite:
    """A batch function out of one for a single value."""
    return lambda values: [function(value) for value in values]
