"""Conditions of rules (``when:``) on other fields of the same record: every one is asked of the record as it came.

A condition looks at all values that stand at its path: one that fits is enough; for `not_in` none may be among them.
Values are compared as text, whatever their type, as a customer's number is the same in every format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from desensitizers.rules.base import Scalar

Found = Mapping[str, Sequence[str]]
"""Path -> the texts of what stands there; a null is nothing."""
Test = Literal["in", "not_in", "matches", "exists"]
TESTS: tuple[Test, ...] = ("in", "not_in", "matches", "exists")


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of one path."""

    path: str
    test: Test
    values: tuple[str, ...] = ()
    """Texts; for `matches` one pattern, for `exists` "true" or "false"."""


def holds(conditions: Sequence[Condition]) -> Callable[[Found], bool]:
    """Whether all of the conditions hold, as a function of what was found."""
    tests = [(condition.path, _test(condition)) for condition in conditions]
    return lambda found: all(test(found.get(path, ())) for path, test in tests)


def _test(condition: Condition) -> Callable[[Sequence[str]], bool]:
    values = frozenset(condition.values)
    if condition.test == "in":
        return lambda texts: any(text in values for text in texts)
    if condition.test == "not_in":
        return lambda texts: not any(text in values for text in texts)
    if condition.test == "exists":
        wanted = condition.values == ("true",)
        return lambda texts: bool(texts) == wanted
    pattern = re.compile(condition.values[0])
    return lambda texts: any(pattern.fullmatch(text) for text in texts)


def as_text(value: Scalar | float) -> str:
    """One text for one value: ``1``, ``1.0`` and ``"1"`` are the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return format(Decimal(str(value)).normalize(), "f")
    return str(value)
