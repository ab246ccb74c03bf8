"""date_shift: some days earlier or later; form, time of day and zone stay.

``birthday: {rule: date_shift, days: 30, by: customer.id, domain: customer}``: all dates of one customer move by the
same number of days, so that the time between them stays; other customers move by other numbers. Without `by`, all
dates move alike. No shift is zero. Numbers are seconds, ms, µs or ns since 1970 by their size, or in `unit`.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from desensitizers.domains import Domain, default_domain
from desensitizers.errors import UnfitError
from desensitizers.rules import moments
from desensitizers.rules.base import Action, Context, Option, Options, Rule, Scalar

_VERSION = 1
_DAYS = 30
_MOST_DAYS = 36_525
"""A hundred years."""
_SUPPORTED = frozenset({"string", "integer"})


def _build(options: Options, domain: Domain | None, context: Context) -> Action:
    domain = domain or default_domain("hex", context.keyring, "default:date_shift")
    key = domain.key("date_shift", _VERSION)
    most = int(str(options.get("days", _DAYS)))
    unit = str(options.get("unit", ""))
    pattern = moments.form_of(options)

    def days(entity: str) -> int:
        digest = hmac.digest(key, entity.encode("utf-8", "surrogatepass"), "sha256")
        step = int.from_bytes(digest[:16], "big") % (2 * most)
        return step - most if step < most else step - most + 1  # every shift but none at all

    def shift(value: Scalar, by: int) -> Scalar:
        if isinstance(value, int):
            return moments.same_width(value, value + by * moments.PER_DAY[moments.unit_of(value, unit)])
        return moments.later(moments.read(str(value), pattern), by)

    def alike(values: Sequence[Scalar]) -> list[Scalar]:
        return [shift(value, days("")) for value in values]

    def by_entity(values: Sequence[Scalar], entities: Sequence[str]) -> list[Scalar]:
        if not all(entities):
            raise UnfitError(f"has no '{options['by']}' beside it, by which its dates move")
        return [shift(value, days(domain.canonical(entity))) for value, entity in zip(values, entities, strict=True)]

    return Action(alike, "merges", _SUPPORTED, rewrite_by=by_entity if "by" in options else None)


def _check(options: Options) -> str:
    if not 1 <= int(str(options.get("days", _DAYS))) <= _MOST_DAYS:
        return f"'days' must be 1 to {_MOST_DAYS}."
    return moments.mistake(options)


RULE = Rule(
    "date_shift",
    _VERSION,
    "moves by some days, the same for all dates of one person",
    types=_SUPPORTED,
    options={
        "days": Option("count", "the most days that it moves, either way (30)"),
        "by": Option("path", "the field of the record that names the person"),
        **moments.OPTIONS,
    },
    domain="optional",
    build=_build,
    check=_check,
    searched=False,
    example="birthday: {rule: date_shift, days: 30, by: customer.id, domain: customer}",
)
