"""The rules of one payload by path and by schema tag: which one has the word at a place, whatever the format.

A drop or null on a whole object, record, array or map covers all that is below it, but for what an earlier rule named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from copy import copy
from typing import Protocol

from desensitizers.errors import Refusal
from desensitizers.leaves import LeafRule
from desensitizers.paths import EACH, Matcher, Steps, is_wild, show

_STEP_MARKS = (EACH, "\x1f")
NO_TAGS: frozenset[str] = frozenset()


class Explain(Protocol):
    """Is told of places and their rules."""

    keep: LeafRule
    """What stands in for a rule where there is none."""

    def tell(self, steps: Steps, kind: str, path: str, rule: LeafRule | None, file: str) -> None: ...


class PathRules:
    """The rules of one payload in policy order, and what happens to leaves that none of them names."""

    def __init__(
        self,
        rules: Iterable[tuple[str, LeafRule]],
        unknown: LeafRule | None,
        hint: str,
        *,
        learning: bool = False,
        tags: Mapping[str, LeafRule] | None = None,
        file: str = "",
        explain: Explain | None = None,
    ) -> None:
        """`unknown` None refuses what no path names, with `hint` as the end of the cure.

        `learning` rules only look: the payloads stay as they are. `tags` are rules by schema tag; `file` is the
        policy's, for errors. With `explain` it tells of every place it is asked about, and lets those without a
        rule stay, so that all of them are found at once: never for a copy.
        """
        self._explain = explain
        self.learning = learning
        self.file = file
        rules = list(rules)
        self._paths = [path for path, _rule in rules]
        self._rules = [rule for _path, rule in rules]
        self._wild = [is_wild(path) for path in self._paths]
        self._matcher = Matcher(self._paths)
        self._tagged = {name: len(rules) + number for number, name in enumerate(tags or {})}
        for name, rule in (tags or {}).items():
            self._paths.append(f"tag {name}")
            self._rules.append(rule)
        self.unknown = unknown
        self._hint = hint
        self._tags_at: Callable[[Steps], Set[str]] | None = None

    def tagged(self, tags_at: Callable[[Steps], Set[str]]) -> PathRules:
        """The same rules where a schema tells the tags of each place."""
        made = copy(self)
        made._tags_at = tags_at
        return made

    def find(self, steps: Steps, kind: str, labelled: Steps | None = None, tags: Set[str] = NO_TAGS) -> int | None:
        """The rule for a leaf of this kind, or None: the first path in policy order that covers exactly this place.

        A schema tag has the word before a path with a wildcard and after one that names the place. `labelled` is the
        same place with the names of union branches as steps.
        """
        if any(mark in step and step != EACH for step in steps for mark in _STEP_MARKS):
            return None
        places = self._matcher.all(steps)
        if labelled is not None and labelled != steps:
            places = tuple(sorted({*places, *self._matcher.all(labelled)}))
        found = next((index for index in places if self._rules[index].accepts(kind)), None)
        if self._tags_at is not None and self._tagged:
            tags = self._tags_at(steps)
        if tags and (found is None or self._wild[found]):
            named = (self._tagged[tag] for tag in sorted(tags & self._tagged.keys()))
            found = next((index for index in named if self._rules[index].accepts(kind)), found)
        return found

    def rule(self, index: int | None, steps: Steps, kind: str) -> tuple[str, LeafRule]:
        """(policy path, rule) for a leaf of a kind (string, number, boolean, null, bytes). Raises Refusal."""
        if self._explain is not None:
            return self._explained(self._explain, index, steps, kind)
        if index is not None:
            return self._paths[index], self._rules[index]
        if self.unknown is not None:
            return "(unknown)", self.unknown
        path = show(steps)
        reason = f'{kind} is not named by the policy; add "{path}: drop" (or keep, mask …) {self._hint}'
        raise Refusal(path, reason, cause="unknown_field")

    def _explained(self, explain: Explain, index: int | None, steps: Steps, kind: str) -> tuple[str, LeafRule]:
        path, rule = ("(unknown)", self.unknown) if index is None else (self._paths[index], self._rules[index])
        if kind not in ("object", "array"):
            explain.tell(steps, kind, path, rule, self.file)
        return path, rule or explain.keep

    def takes_whole(self, index: int | None) -> bool:
        """Whether the rule, standing at an object or array, speaks for all that is in it."""
        return index is not None and self._rules[index].effect in ("drop", "null")

    def effect(self, index: int) -> str:
        return self._rules[index].effect


def least(*indexes: int | None) -> int | None:
    """The first in policy order of those that there are."""
    known = [index for index in indexes if index is not None]
    return min(known) if known else None
