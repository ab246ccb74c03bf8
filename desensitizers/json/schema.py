"""What a JSON Schema adds to JSON: the tags of each place, and rules that can't fit a type, known before any record."""

from __future__ import annotations

from collections.abc import Callable

from desensitizers.errors import Refusal
from desensitizers.pathrules import PathRules
from desensitizers.paths import EACH, Steps
from desensitizers.resolving import Place, Resolver
from desensitizers.types import Type


def tags_of(root: Type) -> Callable[[Steps], frozenset[str]]:
    """The tags that a schema gives a place, with those of all that holds it."""

    def tags(steps: Steps) -> frozenset[str]:
        return _walk(root, steps)[0]

    return tags


def names_of(root: Type) -> Callable[[Steps], bool]:
    """Whether a place's name is one that the schema itself has, and no data."""

    def names(steps: Steps) -> bool:
        return _walk(root, steps)[1]

    return names


def _walk(root: Type, steps: Steps) -> tuple[frozenset[str], bool]:
    """(tags on the way to a place, whether the schema has the last of its steps)."""
    found: set[str] = set()
    here, own = [root], False
    for step in (*steps, None):
        here = _alternatives(here)
        found.update(tag for kind in here for tag in kind.tags)
        if step is None:
            break
        below: list[Type] = []
        own = False
        for kind in here:
            if step == EACH and kind.kind == "array" and kind.items is not None:
                below.append(kind.items)
            for field in kind.fields if step != EACH else ():
                if field.name == step:
                    found |= field.tags
                    below.append(field.type)
                    own = True
            if kind.kind == "map" and kind.items is not None and step != EACH:
                below.append(kind.items)
        here = below
    return frozenset(found), own


def check(rules: PathRules, root: Type, schema: str) -> None:
    """PolicyError when a rule can't work on the one type that the schema gives its place."""
    _Check(rules, schema).visit(root, Place(), ())


class _Check(Resolver):
    def visit(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> None:
        if kind in open_types:
            return
        inside = (*open_types, kind)
        place = self.covered(kind, place)
        for field in kind.fields:
            self.visit(field.type, self.member(kind, field, place), inside)
        for label, branch in kind.branches:
            self.visit(branch, place.branch(kind, label), inside)
        if kind.kind == "array" and kind.items is not None:
            self.visit(kind.items, place.down(EACH), inside)
        if kind.kind == "scalar":
            try:
                self.answer(kind, place, bytes)
            except Refusal:
                return  # a document that has the field is refused


def _alternatives(kinds: list[Type]) -> list[Type]:
    found: list[Type] = []
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.append(kind)
            waiting += [branch for _label, branch in kind.branches]
    return found
