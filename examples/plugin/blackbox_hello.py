"""A rule and a detector of one's own.

A rule says what it takes and promises; blackbox holds it to that, and a rule that fails releases no value. A detector
is two patterns, or a function from a text to spans.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from desensitizers.detectors.base import Detector
from desensitizers.domains import Domain
from desensitizers.rules.base import TEXT, Action, Context, Option, Options, Rule, Scalar


def _initials(options: Options, _domain: Domain | None, _context: Context) -> Action:
    dot = str(options.get("dot", "."))

    def rewrite(values: Sequence[Scalar]) -> list[Scalar]:
        return ["".join(word[0] + dot for word in str(value).split()) for value in values]

    return Action(rewrite, "merges", TEXT)


INITIALS = Rule(
    "initials",
    version=1,
    summary="a name becomes its initials",
    types=TEXT,
    options={"dot": Option("text", "what follows each letter (.)")},
    build=_initials,
    example="name: {rule: initials}",
)

_TICKET = re.compile(r"\bTCK-\d{6}\b")

TICKET = Detector(
    name="ticket",
    version=1,
    summary="our support tickets",
    kind="hex",
    prefilter=r"TCK-[0-9]{6}",
    signs="-",
    eager=_TICKET,
    strict=_TICKET,
)
