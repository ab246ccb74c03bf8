"""Rules: one small file each, found by name. A rule is imported when a policy names it.

Other packages bring more of them through the entry-point group ``blackbox.rules``.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from importlib import import_module

from desensitizers.plugins import BUILT_IN, RULES, PluginError, installed
from desensitizers.rules.base import Rule

NAMES = (
    "keep", "drop", "null", "replace", "mask", "hash", "token", "fpe", "pseudonym", "fake", "date_shift", "noise",
    "bucket", "time_part", "dict", "regex_replace", "scan", "custom",
)  # fmt: skip
"""Our own."""


def names() -> tuple[str, ...]:
    """The names of all rules, those of plug-ins last."""
    return (*NAMES, *sorted(installed(RULES).keys() - set(NAMES)))


def origin(name: str) -> str:
    """``built in``, or the package that brought the rule."""
    return BUILT_IN if name in NAMES else installed(RULES)[name].package


@lru_cache(maxsize=64)
def rule(name: str) -> Rule:
    """The rule of that name; KeyError when there is none. Raises PluginError for a plug-in that is none."""
    if name in NAMES:
        found: Rule = import_module(f"desensitizers.rules.{name}").RULE
        return found
    plugin = installed(RULES)[name]
    brought = plugin.load(Rule)
    assert isinstance(brought, Rule)
    if brought.effect != "rewrite" or brought.build is None:
        raise PluginError(f"plug-in '{name}' of {plugin.package} must rewrite: it needs effect 'rewrite' and a build.")
    return dataclasses.replace(brought, trusted=False)
