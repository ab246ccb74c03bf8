"""Paths into a value: ``customer.id``, ``items[*].sku``, ``**.email``, ``{debtor,creditor}.name``, ``['a.b']``.

A concrete place is a tuple of steps (a key, or `EACH` for an element of an array). Patterns become regular
expressions over the joined steps; `Matcher` finds the patterns of a place and remembers the answer, because
the same few places come again with every record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from desensitizers.errors import PolicyError

EACH = "\x1e"
"""The step into an element of an array, whatever its index."""
MAP_KEY = "@key"
"""The step from a map to its keys: ``balances.@key``."""
_SEP = "\x1f"
_REMEMBERED = 50_000
_TOKEN = re.compile(
    r"""(?P<dot>\.)|(?P<each>\[\*\])|(?P<quoted>\['(?P<name>[^']*)'\])|(?P<index>\[\d+\])"""
    r"""|(?P<deep>\*\*)|(?P<step>[^.\[\]]+)|(?P<bad>.)"""
)

Steps = tuple[str, ...]


def show(steps: Steps) -> str:
    """The path as a policy would write it; the root of a value is ``$``."""
    text = ""
    for step in steps:
        if step == EACH:
            text += "[*]"
        elif step == "*" or re.fullmatch(r"[^.\[\]{}*,'\s]+", step):
            text += ("." if text else "") + step
        else:
            text += f"['{step}']"
    return text or "$"


def is_wild(text: str) -> bool:
    """Whether a pattern names no key, but any: a ``*`` anywhere beside ``[*]``."""
    return "*" in text.replace("[*]", "")


def literal(text: str) -> Steps | None:
    """The keys of a path that names nothing but keys, else None."""
    steps = []
    for token in _TOKEN.finditer(text):
        if token["quoted"] is not None:
            steps.append(token["name"])
        elif token.lastgroup == "step" and not set("*{}") & set(token["step"]):
            steps.append(token["step"])
        elif token.lastgroup != "dot":
            return None
    return tuple(steps) if text != "$" else ()


def compile_path(text: str) -> re.Pattern[str]:
    """The regular expression of one pattern, over steps that each end with a separator. Raises PolicyError."""
    if text == "$":
        return re.compile("")
    parts: list[str] = []
    position, want_step = 0, True
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup if token["quoted"] is None else "quoted"
        if kind == "dot":
            if want_step:
                raise PolicyError(f"path '{text}' has an empty step at character {position + 1}.")
            want_step = True
        elif kind == "each":
            parts.append(re.escape(EACH + _SEP))
            want_step = False
        elif kind == "quoted":
            parts.append(re.escape(token["name"] + _SEP))
            want_step = False
        elif kind == "index":
            raise PolicyError(f"path '{text}' names one array element: write [*], which covers all of them.")
        elif kind == "deep":
            parts.append(f"(?:[^{_SEP}]*{_SEP})*")
            want_step = False
        elif kind == "step" and want_step:
            parts.append(_step(token["step"], text))
            want_step = False
        else:
            raise PolicyError(f"path '{text}' can't be read at character {position + 1}.")
        position = token.end()
    if want_step:
        raise PolicyError(f"path '{text}' ends without a step.")
    return re.compile("".join(parts))


def compile_name(text: str) -> re.Pattern[str]:
    """The regular expression of a name (topic, header): ``*`` for anything, ``{a,b}`` for alternatives.

    Between slashes it is a regular expression as it stands. Raises PolicyError.
    """
    if len(text) > 1 and text.startswith("/") and text.endswith("/"):
        try:
            return re.compile(text[1:-1])
        except re.error as error:
            raise PolicyError(f"'{text}' is not a regular expression: {error}.") from None
    parts = re.split(r"\{([^{}]*)\}", text)
    if any(brace in part for part in parts for brace in "{}"):
        raise PolicyError(f"'{text}': alternatives are written {{a,b}}, not nested.")
    out = []
    for number, part in enumerate(parts):
        choices = part.split(",") if number % 2 else [part]
        out.append("(?:" + "|".join(re.escape(choice.strip()).replace(r"\*", ".*") for choice in choices) + ")")
    return re.compile("".join(out), re.DOTALL)


def _step(step: str, text: str) -> str:
    """One key: literal, with ``*`` inside, or alternatives in braces."""
    if step.startswith("{") and step.endswith("}"):
        return "(?:" + "|".join(_glob(choice.strip()) for choice in step[1:-1].split(",")) + ")" + _SEP
    if "{" in step or "}" in step:
        raise PolicyError(f"path '{text}': alternatives are a whole step, as in {{debtor,creditor}}.name")
    return _glob(step) + _SEP


def _glob(word: str) -> str:
    if word == "*":
        return f"[^{_SEP}{EACH}]+"
    return "".join(f"[^{_SEP}{EACH}]*" if char == "*" else re.escape(char) for char in word)


class Matcher:
    """Finds which of some patterns cover a place."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [compile_path(text) for text in patterns]
        self._known: dict[Steps, tuple[int, ...]] = {}

    def all(self, steps: Steps) -> tuple[int, ...]:
        """Indexes of the patterns that cover exactly this place, in their order."""
        found = self._known.get(steps)
        if found is None:
            joined = "".join(step + _SEP for step in steps)
            found = tuple(index for index, rx in enumerate(self._patterns) if rx.fullmatch(joined))
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[steps] = found
        return found
