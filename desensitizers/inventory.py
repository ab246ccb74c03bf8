"""What a policy can name: every rule and detector with the facts it declares and the package it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from desensitizers import detectors, rules
from desensitizers.plugins import PluginError


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule or detector; `broken` says why a plug-in can't be used, and then only name and origin are known."""

    kind: str
    """``rule`` or ``detector``."""
    name: str
    origin: str
    version: int | None = None
    deterministic: bool | None = None
    uniqueness: str = ""
    types: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    summary: str = ""
    example: str = ""
    broken: str = ""


def inventory() -> list[Entry]:
    """Rules, then detectors, ours first."""
    found = [_rule(name) for name in rules.names()]
    learned = Entry(
        "detector",
        detectors.LEARNED,
        "built in",
        1,
        True,
        summary="what rules replaced elsewhere in the capture",
    )
    return [*found, *(_detector(name) for name in detectors.names()), learned]


def _rule(name: str) -> Entry:
    origin = rules.origin(name)
    try:
        rule = rules.rule(name)
    except PluginError as error:
        return Entry("rule", name, origin, broken=str(error))
    options = tuple(f"{option}{'' if option in rule.required else '?'}" for option in rule.options)
    if rule.domain != "none":
        options += ("domain" if rule.domain == "required" else "domain?",)
    return Entry(
        "rule",
        name,
        origin,
        rule.version,
        rule.deterministic,
        rule.uniqueness if rule.effect != "drop" else "",
        tuple(sorted(rule.types)),
        options,
        rule.summary,
        rule.example,
    )


def _detector(name: str) -> Entry:
    origin = detectors.origin(name)
    try:
        one = detectors.detector(name)
    except PluginError as error:
        return Entry("detector", name, origin, broken=str(error))
    return Entry("detector", name, origin, one.version, True, types=("string",), summary=one.summary)
