"""Holds foreign rules to what they declare: as many values as they got, of the same types, the same ones each time.

Uniqueness is verified over the whole run like that of our own. Whatever foreign code raises becomes a sentence that
names the rule and the kind of error, never the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from desensitizers.errors import FOREIGN, ForeignError, UnfitError, spare_interrupt
from desensitizers.rules.base import Action, Options, Rewrite, RewriteBy, Rule, Scalar

_CHECKED_ALL = 200
_CHECKED_EVERY = 64
"""The first values of a place are computed twice, later ones now and then: a rule that isn't deterministic shows."""


def held(rule: Rule, action: Action, options: Options) -> Action:
    """The action, checked at every batch. Where what it gives isn't right, ForeignError is raised."""
    if rule.trusted:
        return action
    by = action.rewrite_by
    what = f"rule '{rule.name}'"
    if rule.name == "custom":
        what += f" ({options['function']})"
    return replace(
        action,
        rewrite=_checked(rule, what, action.rewrite),
        rewrite_by=_checked(rule, what, by) if by is not None else None,
    )


def _checked(rule: Rule, what: str, function: Rewrite | RewriteBy) -> Any:
    calls = 0

    def rewrite(values: Sequence[Scalar], *others: Sequence[str]) -> list[Scalar]:
        nonlocal calls
        calls += 1
        results = _call(what, function, values, others)
        if rule.deterministic and (calls <= _CHECKED_ALL or calls % _CHECKED_EVERY == 0):
            again = _call(what, function, values, others)
            if again != results:
                raise ForeignError(f"{what} gave different results for equal values")
        return results

    return rewrite


def _call(
    what: str, function: Callable[..., Any], values: Sequence[Scalar], others: tuple[Sequence[str], ...]
) -> list[Scalar]:
    try:
        results = list(function(list(values), *(list(other) for other in others)))
    except UnfitError:
        raise ForeignError(f"{what} can't work on it") from None  # its own words might quote the value
    except FOREIGN as error:  # a rule that fails must not release a value, nor name it
        spare_interrupt(error)
        raise ForeignError(f"{what} failed ({type(error).__name__})") from None
    if len(results) != len(values):
        raise ForeignError(f"{what} gave {len(results)} values for {len(values)}")
    for before, after in zip(values, results, strict=True):
        if not _same_type(before, after):
            raise ForeignError(f"{what} gave another type than it got")
        if isinstance(after, str) and not _is_unicode(after):
            raise ForeignError(f"{what} gave a text with half a character (a lone surrogate)")
    return results


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _same_type(before: Scalar, after: object) -> bool:
    if isinstance(before, bool) or isinstance(after, bool):
        return isinstance(before, bool) and isinstance(after, bool)
    if isinstance(before, Decimal):
        return isinstance(after, Decimal | int) and Decimal(after).is_finite()
    return isinstance(after, type(before))
