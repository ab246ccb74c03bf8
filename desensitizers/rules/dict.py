"""dict: what a table says. ``city: {rule: dict, map: {Kiel: Northport, Ulm: Southfield}, default: Elsewhere}``

The table stands in the policy (`map`) or in a CSV of two columns beside it (`file`). A value that it doesn't hold
fails, unless `default` says what it becomes. Case and surrounding space count.
"""

from __future__ import annotations

from collections.abc import Sequence

from desensitizers.domains import Domain
from desensitizers.errors import UnfitError
from desensitizers.rules.base import Action, Context, Option, Options, Rule, Scalar

_UNKNOWN = "is not in the table of rule 'dict'; add it there, or a default"


def _build(options: Options, _domain: Domain | None, _context: Context) -> Action:
    table: dict[str, object] = dict(_table(options))
    default = options.get("default")
    one_to_one = default is None and len({str(value) for value in table.values()}) == len(table)

    def look_up(value: Scalar) -> Scalar:
        found = table.get(str(value), default)
        if found is None:
            raise UnfitError(_UNKNOWN)
        if isinstance(value, str):
            return str(found)
        try:
            return int(str(found))
        except ValueError:
            raise UnfitError("is a number, for which the table of rule 'dict' has a text") from None

    def rewrite(values: Sequence[Scalar]) -> list[Scalar]:
        return [look_up(value) for value in values]

    numbers = [_whole(value) for value in (*table.values(), *([] if default is None else [default]))]
    whole = [number for number in numbers if number is not None]
    types = frozenset({"string", "integer"} if len(whole) == len(numbers) else {"string"})
    return Action(
        rewrite,
        "injective" if one_to_one else "merges",
        types,
        least=min(whole, default=None),
        greatest=max(whole, default=None),
    )


def _whole(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _table(options: Options) -> tuple[tuple[str, object], ...]:
    return options.get("map") or options.get("file") or ()  # type: ignore[return-value]  # as read by their kinds


def _check(options: Options) -> str:
    if ("map" in options) == ("file" in options):
        return "rule 'dict' needs either 'map' or 'file'."
    return "" if _table(options) else "the table of rule 'dict' is empty."


RULE = Rule(
    "dict",
    1,
    "becomes what a table says",
    types=frozenset({"string", "integer"}),
    options={
        "map": Option("map", "original: replacement"),
        "file": Option("file", "a CSV file of originals and replacements, beside the policy"),
        "default": Option("scalar", "for what the table doesn't hold; without it such a value fails"),
    },
    build=_build,
    check=_check,
    example="city: {rule: dict, map: {Kiel: Northport}, default: Elsewhere}",
)
