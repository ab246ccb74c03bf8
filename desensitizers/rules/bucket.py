"""bucket: a number becomes the lower end of its range. ``age: {rule: bucket, size: 10}``, or ``edges: [0, 18, 65]``

With `edges` a number below the first becomes the first, and one above the last becomes the last.
"""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal

from desensitizers.domains import Domain
from desensitizers.rules.base import Action, Context, Option, Options, Rule, each
from desensitizers.rules.figures import EXACT, SUPPORTED, on_figures


def _build(options: Options, _domain: Domain | None, _context: Context) -> Action:
    edges = options.get("edges")
    if isinstance(edges, tuple):
        ends = [Decimal(str(edge)) for edge in edges]
        found = each(on_figures(lambda number: ends[max(0, bisect_right(ends, number) - 1)]))
        return Action(found, "merges", SUPPORTED, least=ends[0], greatest=ends[-1])
    size = Decimal(str(options["size"]))
    floor = each(on_figures(lambda number: EXACT.multiply((number / size).__floor__(), size)))
    return Action(floor, "merges", SUPPORTED)


def _check(options: Options) -> str:
    if ("size" in options) == ("edges" in options):
        return "rule 'bucket' needs either 'size' or 'edges'."
    return "'size' must be greater than 0." if options.get("size", 1) == 0 else ""


RULE = Rule(
    "bucket",
    1,
    "becomes the lower end of its range",
    types=SUPPORTED,
    options={
        "size": Option("number", "the width of all ranges"),
        "edges": Option("numbers", "where ranges begin, rising"),
    },
    build=_build,
    check=_check,
    searched=False,
    example="age: {rule: bucket, size: 10}",
)
