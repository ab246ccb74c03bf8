"""custom: a function of your own. ``ref: {rule: custom, function: "company.scrubbing:blur"}``

It gets a list of values and returns as many, each of the type it got. It must give equal values equal results, and
must not depend on what else is in the list; this is checked. ``unique: true`` promises that no two values become one,
which is verified over the whole run and allows the rule on a key. When it fails, the copy fails.

So it does when it ends its process, as `os._exit` or a crash of compiled code can: the command runs it in a worker
process, always. Importing it does not count: what a module does then, it does to the command.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from desensitizers.domains import Domain
from desensitizers.errors import FOREIGN, spare_interrupt
from desensitizers.rules.base import ANY, Action, Context, Option, Options, Rule

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def _build(options: Options, _domain: Domain | None, _context: Context) -> Action:
    function = _load(str(options["function"]))
    return Action(function, "collision-resistant" if options.get("unique") else "merges", ANY)


def _load(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def _check(options: Options) -> str:
    reference = str(options["function"])
    if not _REFERENCE.fullmatch(reference):
        return "'function' is written module:name."
    try:
        function = _load(reference)
    except FOREIGN as error:  # whatever it raises, the policy can't be used
        spare_interrupt(error)
        return f"'{reference}' can't be loaded ({type(error).__name__}: {error}); is it on PYTHONPATH?"
    return "" if callable(function) else f"'{reference}' is not a function."


RULE = Rule(
    "custom",
    1,
    "a function of your own: lists in, lists out",
    options={
        "function": Option("text", "module:name"),
        "unique": Option("flag", "promises that no two values become one"),
    },
    required=frozenset({"function"}),
    build=_build,
    check=_check,
    trusted=False,
    example='ref: {rule: custom, function: "company.scrubbing:blur"}',
)
