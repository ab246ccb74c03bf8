"""What each place of a capture meets in a policy, told while a plan works: path, type, rule, and the policy's line.

Nothing here is a value. Keys of objects that look like data (an address, a number) are shown as ``*``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from desensitizers.leaves import LeafRule
from desensitizers.paths import EACH, MAP_KEY, Steps, show
from desensitizers.spec import RuleSpec

_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_$-]{0,63}")
_DATA = re.compile(r"[0-9]{5}|[0-9a-fA-F]{16}")


@dataclass(frozen=True, slots=True)
class Told:
    """A place and its rule; `rule` is empty where the policy names none."""

    topic: str
    place: str
    path: str
    type: str
    rule: str
    policy_path: str
    file: str
    line: int


@dataclass(slots=True)
class Explanation:
    """Collects what a plan tells; `topic` is the one at hand."""

    topic: str = ""
    told: dict[tuple[str, str, str, str, str], Told] = field(default_factory=dict)

    def tell(
        self,
        place: str,
        steps: Steps,
        kind: str,
        policy_path: str,
        rule: LeafRule | None,
        file: str,
        unnamed: str = "",
    ) -> None:
        """`rule` None: there is none for a leaf of this kind here, and `unnamed` happens to its record."""
        path = seen(steps)
        name = rule.name if rule is not None else unnamed
        spec = rule.spec if rule is not None else None
        if isinstance(spec, RuleSpec) and spec.domain:
            name += f" {spec.domain}"
        where = (spec.file or file, spec.line) if spec is not None else ("", 0)
        key = (self.topic, place, path, kind, policy_path)
        self.told.setdefault(key, Told(self.topic, place, path, kind, name, policy_path, *where))


def seen(steps: Steps) -> str:
    """The path as anybody may see it."""
    return show(tuple(step if step in (EACH, MAP_KEY) or _is_name(step) else "*" for step in steps))


def seen_name(name: str) -> str:
    """The name of a header as anybody may see it: like a path, with dots in it."""
    return name if all(map(_is_name, name.split("."))) else "*"


def _is_name(step: str) -> bool:
    return _NAME.fullmatch(step) is not None and _DATA.search(step) is None
