"""Paths into a value: ``customer.id``, ``items[*].sku``, ``**.email``, ``{debtor,creditor}.name``, ``['a.b']``.

A concrete place is a tuple of steps (a key, or `EACH` for an element of an array). Patterns become regular
expressions over the joined steps; `Matcher` finds the patterns of a place and remembers the answer, because
the same few places come again with every record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from desensitizers.errors import PolicyError

EACH = "\x1e"
"""The step into an element of an array, whatever its index."""
MAP_KEY = "\x1c"
"""The step from an object or a map to the names of its members, written ``balances.@key``."""
_NAMES = "@key"
HEADER_NAMES = _NAMES
"""Among the patterns of headers: the names themselves."""
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
        elif step == MAP_KEY:
            text += ("." if text else "") + _NAMES
        elif step == "*" or (re.fullmatch(r"[^.\[\]{}*,'\s]+", step) and step != _NAMES):
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


def speaks_of_names(text: str) -> bool:
    """Whether a pattern names the names of an object's members, and no values."""
    return text.split(".")[-1] == _NAMES


def compile_path(text: str) -> re.Pattern[str]:
    """The regular expression of one pattern, over steps that each end with a separator. Raises PolicyError."""
    return re.compile("".join(part for part, _spelled in _parts(text)))


def _spelled(text: str) -> list[str]:
    """For each step of a pattern that is written out: the regular expression of the places that it so spells."""
    parts = _parts(text)
    heads = ("".join(part for part, _spelled in parts[:number]) for number in range(len(parts)))
    return [head + spelled for head, (_part, spelled) in zip(heads, parts, strict=True) if spelled]


def _parts(text: str) -> list[tuple[str, str]]:
    """For each step its regular expression, and that of the names in it which are written out ("" for none)."""
    if text == "$":
        return []
    parts: list[tuple[str, str]] = []
    position, want_step = 0, True
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup if token["quoted"] is None else "quoted"
        if kind == "dot":
            if want_step:
                raise PolicyError(f"path '{text}' has an empty step at character {position + 1}.")
            want_step = True
        elif kind == "each":
            parts.append((re.escape(EACH + _SEP), ""))
            want_step = False
        elif kind == "quoted":
            parts.append((re.escape(token["name"] + _SEP),) * 2)
            want_step = False
        elif kind == "index":
            raise PolicyError(f"path '{text}' names one array element: write [*], which covers all of them.")
        elif kind == "deep":
            parts.append((f"(?:[^{_SEP}{MAP_KEY}]*{_SEP})*", ""))
            want_step = False
        elif kind == "step" and token["step"] == _NAMES:
            if token.end() != len(text):
                raise PolicyError(f"path '{text}': {_NAMES} is the last step; a field called so is ['{_NAMES}'].")
            parts.append((re.escape(MAP_KEY + _SEP), ""))
            want_step = False
        elif kind == "step" and want_step:
            parts.append(_step(token["step"], text))
            want_step = False
        else:
            raise PolicyError(f"path '{text}' can't be read at character {position + 1}.")
        position = token.end()
    if want_step:
        raise PolicyError(f"path '{text}' ends without a step.")
    return parts


def compile_name(text: str) -> re.Pattern[str]:
    """The regular expression of a name (topic, header): ``*`` for anything, ``{a,b}`` for alternatives.

    Between slashes it is a regular expression as it stands. Raises PolicyError.
    """
    if len(text) > 1 and text.startswith("/") and text.endswith("/"):
        try:
            return re.compile(text[1:-1])
        except re.error as error:
            raise PolicyError(f"'{text}' is not a regular expression: {error}.") from None
    return re.compile("".join(_any_glob(choices) for choices in _choices(text)), re.DOTALL)


def compile_spelled(text: str) -> str:
    """The regular expression of those names that such a pattern writes out; "" when there are none."""
    if len(text) > 1 and text.startswith("/") and text.endswith("/"):
        return ""
    literal = [[choice for choice in choices if "*" not in choice] for choices in _choices(text)]
    return "".join(map(_any_glob, literal)) if all(literal) else ""


def _choices(text: str) -> list[list[str]]:
    """The alternatives of each part of a name; a part without braces has one."""
    parts = re.split(r"\{([^{}]*)\}", text)
    if any(brace in part for part in parts for brace in "{}"):
        raise PolicyError(f"'{text}': alternatives are written {{a,b}}, not nested.")
    return [
        [choice.strip() for choice in part.split(",")] if number % 2 else [part.strip()]
        for number, part in enumerate(parts)
    ]


def _any_glob(choices: Sequence[str]) -> str:
    return "(?:" + "|".join(re.escape(choice).replace(r"\*", ".*") for choice in choices) + ")"


def _step(step: str, text: str) -> tuple[str, str]:
    """One key: literal, with ``*`` inside, or alternatives in braces; and those of its names that have no ``*``."""
    choices = [step]
    if step.startswith("{") and step.endswith("}"):
        choices = [choice.strip() for choice in step[1:-1].split(",")]
    elif "{" in step or "}" in step:
        raise PolicyError(f"path '{text}': alternatives are a whole step, as in {{debtor,creditor}}.name")
    return _any_of(choices), _any_of([choice for choice in choices if "*" not in choice])


def _any_of(choices: Sequence[str]) -> str:
    return "(?:" + "|".join(map(_glob, choices)) + ")" + _SEP if choices else ""


def _glob(word: str) -> str:
    if word == "*":
        return f"[^{_SEP}{EACH}{MAP_KEY}]+"
    return "".join(f"[^{_SEP}{EACH}{MAP_KEY}]*" if char == "*" else re.escape(char) for char in word)


class Matcher:
    """Finds which of some patterns cover a place."""

    def __init__(self, patterns: Sequence[str], spelling: Iterable[str] = ()) -> None:
        """`spelling` are further patterns, which only tell names that are written out."""
        self._patterns = [compile_path(text) for text in patterns]
        self._spelled = re.compile("|".join(one for text in (*patterns, *spelling) for one in _spelled(text)) or "(?!)")
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

    def spells(self, steps: Steps) -> bool:
        """Whether one of the patterns writes out the last of these steps, for this place or what is below it."""
        return self._spelled.fullmatch("".join(step + _SEP for step in steps)) is not None
