"""Numbers as records hold them: whole, decimal, or text that spells one; results keep form, scale and width."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal

from desensitizers.errors import UnfitError
from desensitizers.rules.base import Scalar

SUPPORTED = frozenset({"string", "integer", "number"})
EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?")


def figure(value: Scalar) -> Decimal:
    """The number that a value is or spells. Raises UnfitError."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise UnfitError("is not a number")
        return Decimal(value)
    if isinstance(value, Decimal) and not value.is_finite():
        raise UnfitError("is not a finite number")
    return Decimal(value)


def like(original: Scalar, number: Decimal) -> Scalar:
    """`number` in the original's type, scale and width; what fits 32 or 64 bits is held within."""
    if isinstance(original, int):
        return _held(original, int(number.to_integral_value(context=EXACT)))
    before = figure(original)
    exponent = before.as_tuple().exponent
    assert isinstance(exponent, int)  # finite, checked above
    result = number.quantize(Decimal((0, (1,), min(exponent, 0))), context=EXACT)
    return f"{result:f}" if isinstance(original, str) else result


def _held(original: int, number: int) -> int:
    for bits in (31, 63):
        least, greatest = -(1 << bits), (1 << bits) - 1
        if least <= original <= greatest:
            return min(max(number, least), greatest)
    return number


def on_figures(function: Callable[[Decimal], Decimal]) -> Callable[[Scalar], Scalar]:
    """A function of scalars out of one of numbers."""
    return lambda value: like(value, function(figure(value)))
