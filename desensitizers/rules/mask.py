"""mask: letters and digits become ``*``; length and punctuation stay. ``iban: {rule: mask, keep_last: 4}``"""

from __future__ import annotations

from collections.abc import Mapping

from desensitizers.domains import Domain
from desensitizers.rules.base import TEXT, Action, Context, OptionValue, Rule, Scalar, each


def _build(options: Mapping[str, OptionValue], _domain: Domain | None, _context: Context) -> Action:
    char = str(options.get("char", "*"))
    first, last = int(str(options.get("keep_first", 0))), int(str(options.get("keep_last", 0)))

    def mask(value: Scalar) -> Scalar:
        text = str(value)
        shown = first + last if len(text) > first + last else 0  # a short value would be shown whole
        head, tail = (first, last) if shown else (0, 0)
        end = len(text) - tail
        return text[:head] + "".join(char if c.isalnum() else c for c in text[head:end]) + text[end:]

    return Action(each(mask), "merges", TEXT)


RULE = Rule(
    "mask",
    1,
    "letters and digits become *",
    types=TEXT,
    options={"char": str, "keep_first": int, "keep_last": int},
    build=_build,
)
