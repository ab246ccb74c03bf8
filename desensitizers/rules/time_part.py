"""time_part: a date or time keeps its larger parts; the others start over. ``born: {rule: time_part, keep: year}``

2026-03-17T14:02:11+02:00 with ``keep: month`` is 2026-03-01T00:00:00+02:00. Numbers since 1970 likewise, in UTC.
"""

from __future__ import annotations

from datetime import date

from desensitizers.domains import Domain
from desensitizers.errors import UnfitError
from desensitizers.rules import moments
from desensitizers.rules.base import Action, Context, Option, Options, Rule, Scalar, each

_KEPT = ("year", "month", "day", "hour", "minute")
_SUPPORTED = frozenset({"string", "integer"})
_EPOCH = date(1970, 1, 1)


def _build(options: Options, _domain: Domain | None, _context: Context) -> Action:
    keep, unit = str(options["keep"]), str(options.get("unit", ""))
    pattern = moments.form_of(options)
    over = moments.PARTS[moments.PARTS.index(keep) + 1 :]

    def part(value: Scalar) -> Scalar:
        if isinstance(value, int):
            return moments.same_width(value, _floor(value, moments.unit_of(value, unit), keep))
        match = moments.read(str(value), pattern)
        moments.later(match, 0)
        present = match.groupdict()
        fresh = {name: "1" if name in ("month", "day") else "0" for name in over if present.get(name)}
        return moments.replaced(match, {name: start.zfill(len(match[name])) for name, start in fresh.items()})

    return Action(each(part), "merges", _SUPPORTED)


def _floor(number: int, unit: str, keep: str) -> int:
    """The begin of the year, month, day, hour or minute that a number since 1970 lies in."""
    per_day = moments.PER_DAY[unit]
    if keep in ("hour", "minute"):
        step = max(1, per_day // (24 if keep == "hour" else 1_440))
        return number - number % step
    days = number // per_day
    if keep != "day":
        try:
            moment = date.fromordinal(_EPOCH.toordinal() + days)
        except (ValueError, OverflowError):
            raise UnfitError("is not a day of the years 1 to 9999") from None
        first = moment.replace(day=1) if keep == "month" else moment.replace(month=1, day=1)
        days = (first - _EPOCH).days
    return days * per_day


RULE = Rule(
    "time_part",
    1,
    "keeps the larger parts of a date or time",
    types=_SUPPORTED,
    options={
        "keep": Option("text", "the smallest part that stays", _KEPT),
        **moments.OPTIONS,
    },
    required=frozenset({"keep"}),
    build=_build,
    check=moments.mistake,
    searched=False,
    example="born: {rule: time_part, keep: year}",
)
