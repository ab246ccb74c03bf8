"""What a rule is: declared facts that the compiler checks, and a function over a batch of originals.

A rule never sees a record. It gets scalars of the types it declares and returns as many scalars of the same types;
the core decodes, encodes, checks the declarations and decides what happens when a value doesn't fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from desensitizers.domains import Domain
from desensitizers.keys import Keyring
from desensitizers.surrogates.kinds import Uniqueness

Scalar = str | int | Decimal | bool
OptionValue = str | int | Decimal | float | bool | tuple[object, ...] | None
Options = Mapping[str, OptionValue]
Effect = Literal["keep", "drop", "null", "rewrite"]
Rewrite = Callable[[Sequence[Scalar]], list[Scalar]]
RewriteBy = Callable[[Sequence[Scalar], Sequence[str]], list[Scalar]]

TEXT = frozenset({"string"})
NUMBERS = frozenset({"integer", "number"})
ANY = frozenset({"string", "integer", "number", "boolean"})
KEEPS_FORM = "form:"
"""Begins `Action.noted_as` of a rule whose results look like other originals of the same place."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a rule: how it is written, and what it does."""

    kind: Literal["text", "count", "number", "flag", "scalar", "detectors", "numbers", "map", "file", "path"]
    """text; count: a whole number from 0 on; number: from 0 on; scalar: text, number or true/false; detectors: a list;
    numbers: a rising list; map: name to scalar; file: a CSV of two columns beside the policy; path: another field."""
    summary: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may be built from: the keys, the policy's domains, and what this capture taught us."""

    keyring: Keyring
    domains: Mapping[str, Domain]
    find_learned: Callable[[Sequence[str]], Iterable[tuple[int, int, int, str]]]
    """Texts -> (which, start, end, domain name or "") of originals replaced elsewhere in the same capture."""
    found: Callable[[str, str], None]
    """Called by a rule with every original it finds inside a text, and the domain that replaces it."""
    shared: dict[type, Any] = field(default_factory=dict)
    """What rules of all topics remember together, by what it is."""


@dataclass(frozen=True, slots=True)
class Action:
    """A rule made ready for one place of one policy."""

    rewrite: Rewrite
    uniqueness: Uniqueness
    types: frozenset[str]
    same_each_time: bool = True
    """False when equal originals may become different values, so that nothing may be remembered."""
    rewrite_by: RewriteBy | None = None
    """For a rule with the option ``by``: originals, and beside each the text of the field that ``by`` names."""
    least: Decimal | int | None = None
    """The least and the greatest number it gives; None when its numbers need no more room than what they replace:
    what fits 32 or 64 bits stays within."""
    greatest: Decimal | int | None = None
    noted_as: str = ""
    """The domain that its originals are noted under, when that is not the rule's own."""


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
    options: Mapping[str, Option] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    domain: Literal["none", "optional", "required"] = "none"
    build: Callable[[Options, Domain | None, Context], Action] | None = None
    check: Callable[[Options], str] | None = None
    """What is wrong with options that are right one by one, as a sentence; "" when nothing is."""
    searched: bool = True
    """Whether its originals are searched in the copy. Not where one record's result may be another's original."""
    trusted: bool = True
    """False when the core checks every batch against the declaration: foreign code, named by a policy."""
    example: str = ""
    """How a policy writes it."""


def each(function: Callable[[Scalar], Scalar]) -> Rewrite:
    """A batch function out of one for a single value."""
    return lambda values: [function(value) for value in values]
