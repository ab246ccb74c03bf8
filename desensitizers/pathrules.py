"""The rules of one payload by path and by schema tag: which one has the word at a place, whatever the format.

A drop or null on a whole object, record, array or map covers all that is below it, but for what an earlier rule named.
Names of members are data too: one passes when a path writes it out, a schema has it, or a rule for ``@key`` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from copy import copy
from typing import Protocol

from desensitizers.errors import Refusal
from desensitizers.explaining import seen
from desensitizers.leaves import LeafRule
from desensitizers.paths import EACH, MAP_KEY, Matcher, Steps, is_wild

_STEP_MARKS = (EACH, MAP_KEY, "\x1f")
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
        unknown_names: LeafRule | None = None,
        fixed: Callable[[Steps], bool] | None = None,
        spelling: Iterable[str] = (),
    ) -> None:
        """`unknown` None refuses what no path names, with `hint` as the end of the cure; `unknown_names` likewise for
        names of members, and `fixed` tells those that are no data, as paths do, those of `spelling` among them.

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
        self._matcher = Matcher(self._paths, spelling)
        self._tagged = {name: len(rules) + number for number, name in enumerate(tags or {})}
        for name, rule in (tags or {}).items():
            self._paths.append(f"tag {name}")
            self._rules.append(rule)
        self.unknown = unknown
        self._unknown_names = unknown_names
        self._hint = hint
        self._fixed = fixed
        self._tags_at: Callable[[Steps], Set[str]] | None = None

    def described(self, tags_at: Callable[[Steps], Set[str]], fixed: Callable[[Steps], bool]) -> PathRules:
        """The same rules where a schema tells the tags of each place, and which names are its own."""
        made = copy(self)
        made._tags_at, made._fixed = tags_at, fixed
        return made

    @property
    def explaining(self) -> bool:
        """Whether these rules only tell of themselves."""
        return self._explain is not None

    def find(self, steps: Steps, kind: str, labelled: Steps | None = None, tags: Set[str] = NO_TAGS) -> int | None:
        """The rule for a leaf of this kind, or None: the first path in policy order that covers exactly this place.

        A schema tag has the word before a path with a wildcard and after one that names the place. `labelled` is the
        same place with the names of union branches as steps.
        """
        if _marked(steps):
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
        path = seen(steps)
        reason = f'{kind} is not named by the policy; add "{path}: drop" (or keep, mask …) {self._hint}'
        raise Refusal(path, reason, cause="unknown_field")

    def name(self, steps: Steps, labelled: Steps | None = None) -> tuple[str, LeafRule] | None:
        """(policy path, rule) for the name of a member, which ends `steps`; None when it stays. Raises Refusal.

        The rule keeps it, rewrites it, or (for names that nothing speaks of) drops the member.
        """
        if self._fixed is not None and self._fixed(steps):
            return None
        if not _marked(steps) and (self._matcher.spells(steps) or (labelled and self._matcher.spells(labelled))):
            return None
        place = (*steps[:-1], MAP_KEY)
        places = () if _marked(steps[:-1]) else self._matcher.all(place)
        if labelled is not None and labelled != steps:
            places = tuple(sorted({*places, *self._matcher.all((*labelled[:-1], MAP_KEY))}))
        path, rule = (self._paths[places[0]], self._rules[places[0]]) if places else ("(unknown)", self._unknown_names)
        if self._explain is not None:
            self._explain.tell(place, "name", path, rule, self.file)
        elif rule is None:
            shown = seen(place)
            cure = f'add "{shown}: keep" (or a domain, hash …), or a path with that name, {self._hint}'
            raise Refusal(shown, f"a name is not written out by any path; {cure}", cause="unknown_field")
        return (path, rule) if rule is not None else None

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


def _marked(steps: Steps) -> bool:
    """Whether a step holds one of the marks that stand between steps: then no path can speak of it."""
    return any(mark in step and step != EACH for step in steps for mark in _STEP_MARKS)


def least(*indexes: int | None) -> int | None:
    """The first in policy order of those that there are."""
    known = [index for index in indexes if index is not None]
    return min(known) if known else None
