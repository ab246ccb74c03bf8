"""Rules: one small file each, found by name. A rule is imported when a policy names it."""

from __future__ import annotations

from importlib import import_module

from desensitizers.rules.base import Rule

NAMES = ("keep", "drop", "null", "replace", "mask", "hash", "pseudonym", "token", "scan")


def rule(name: str) -> Rule:
    """The rule of that name; KeyError when there is none."""
    if name not in NAMES:
        raise KeyError(name)
    found: Rule = import_module(f"desensitizers.rules.{name}").RULE
    return found
