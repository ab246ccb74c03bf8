"""mask: letters and digits become ``*``; length and punctuation stay. ``iban: {rule: mask, keep_last: 4}``"""

from __future__ import annotations

from desensitizers.domains import Domain
from desensitizers.rules.base import TEXT, Action, Context, Option, Options, Rule, Scalar, each


def _build(options: Options, _domain: Domain | None, _context: Context) -> Action:
    char = str(options.get("char", "*"))
    first, last = int(str(options.get("keep_first", 0))), int(str(options.get("keep_last", 0)))

    def mask(value: Scalar) -> Scalar:
        text = str(value)
        shown = first + last if len(text) > first + last else 0  # a short value would be shown whole
        head, tail = (first, last) if shown else (0, 0)
        end = len(text) - tail
        return text[:head] + "".join(char if c.isalnum() else c for c in text[head:end]) + text[end:]

    return Action(each(mask), "merges", TEXT)


def _check(options: Options) -> str:
    return "" if len(str(options.get("char", "*"))) == 1 else "'char' is one character."


RULE = Rule(
    "mask",
    1,
    "letters and digits become *",
    types=TEXT,
    options={
        "char": Option("text", "what stands for a letter or digit (*)"),
        "keep_first": Option("count", "how many characters stay at the start (0)"),
        "keep_last": Option("count", "how many characters stay at the end (0)"),
    },
    build=_build,
    check=_check,
    example="iban: {rule: mask, keep_last: 4}",
)
