"""Which rule has the word at each place of a schema, and what it does to the bytes there: the same for all formats.

Asked ahead, of the schema alone. What is dropped or emptied as a whole is so only when one rule speaks for all in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from desensitizers import cells
from desensitizers.errors import PolicyError, Refusal
from desensitizers.leaves import LeafRule
from desensitizers.pathrules import NO_TAGS, PathRules, least
from desensitizers.paths import EACH, Steps, show
from desensitizers.types import Field, Type


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a value: its steps, the same with union branches, the same as people may see them (a map's keys are
    data), the rule above, and the tags gathered on the way."""

    steps: Steps = ()
    labelled: Steps = ()
    shown: Steps = ()
    above: int | None = None
    tags: frozenset[str] = NO_TAGS
    either: bool = False
    """Whether values of other types may stand here too: then a rule that can't work on this one is no mistake yet."""

    def down(self, step: str, tags: frozenset[str] = NO_TAGS, shown: str = "") -> Place:
        steps, labelled, seen = (*self.steps, step), (*self.labelled, step), (*self.shown, shown or step)
        return Place(steps, labelled, seen, self.above, self.tags | tags, self.either)

    def branch(self, kind: Type, label: str) -> Place:
        """The place of a union's branch, which has a label where there are several."""
        several = sum(branch.kind != "null" for _, branch in kind.branches) > 1
        return replace(self, labelled=(*self.labelled, label), either=True) if several else self

    def __str__(self) -> str:
        return show(self.shown)


@dataclass(frozen=True, slots=True)
class Answer:
    """What happens to a leaf: `path` and `what` are counted; `function` (bytes to bytes) is None for what stays."""

    path: str
    what: str
    function: Any = None
    gone: LeafRule | None = None
    """The rule that takes it out; then `function` only tells the original."""


class Counting(Protocol):
    """A part of a program, for its counts."""

    passing: bool
    """Made for one key of a map, and forgotten with it."""

    def drain(self) -> Iterable[tuple[tuple[str, str], int]]:
        """((policy path, what was done), leaves) since the last call."""
        ...


class Resolver:
    """Asks the rules of one payload about the places of one schema.

    Raises PolicyError for a rule that can't work on the type at its place, as far as the schema tells.
    """

    def __init__(self, rules: PathRules, schema: str, above: Resolver | None = None, *, passing: bool = False) -> None:
        """`above` is the one whose counts the parts of this one add to."""
        self.rules = rules
        self.schema = schema
        self.passing = passing
        self.parts: list[Any] = above.parts if above else []
        self._counts: Counter[tuple[str, str]] = above._counts if above else Counter()

    def another(self, *, passing: bool) -> Self:
        """One more for the same rules and schema, whose counts are this one's: for keys of maps, or to look only."""
        return type(self)(self.rules, self.schema, self, passing=passing)

    def counts(self) -> Counter[tuple[str, str]]:
        """(policy path, what was done) -> leaves, since the last call."""
        for part in self.parts:
            for leaf, uses in part.drain():
                self._counts[leaf] += uses
        found = Counter(self._counts)
        self._counts.clear()
        return found

    def forget(self) -> None:
        """Keeps the counts and lets go of what was made for keys of maps."""
        self._counts.update(self.counts())
        self.parts[:] = [part for part in self.parts if not part.passing]

    def covered(self, kind: Type, place: Place) -> Place:
        """The place with the tags of its type, and with a rule that drops or empties all that is in it."""
        tags = place.tags | kind.tags
        above = place.above
        if kind.kind in ("record", "array", "map"):
            own = self.rules.find(place.steps, "array" if kind.kind == "array" else "object", place.labelled, tags)
            above = least(above, own if self.rules.takes_whole(own) else None)
        return replace(place, above=above, tags=tags)

    def member(self, kind: Type, field: Field, place: Place) -> Place:
        """The place of a record's field, or of the elements of one that repeats."""
        below = place.down(field.name, field.tags)
        if kind.bare:
            below = replace(place, either=place.either or len(kind.fields) > 1)
        if not field.repeated:
            return below
        own = self.rules.find(below.steps, "array" if field.map_key is None else "object", below.labelled, below.tags)
        below = replace(below, above=least(below.above, own if self.rules.takes_whole(own) else None))
        return below.down(EACH) if field.map_key is None else below

    def answer(self, kind: Type, place: Place, frame: Callable[[bytes], bytes], *, noting: bool = False) -> Answer:
        """What happens to a leaf; `frame` puts a length before its content, or the like. Raises Refusal."""
        path, rule = self._choose(kind, place)
        cell = kind.cell
        if cell is None:
            return Answer(path, rule.name if rule.effect == "drop" else "null stays", None)
        if rule.effect == "keep":
            return Answer(path, rule.name)
        if rule.effect != "rewrite" or noting:
            return Answer(path, rule.name, cells.noted(rule, cell), rule)
        if rule is self.rules.unknown and (cell.kind != "string" or cell.samples):
            return Answer(path, rule.name, Constant(frame(cell.blank)))
        try:
            cells.check(rule, cell, place.shown, self.schema, self.rules.file)
        except PolicyError as error:
            if place.either:
                raise Refusal(str(place), str(error)) from None
            raise
        return Answer(path, rule.name, cells.edited(rule, cell, frame))

    def map_key(self, name: str, entry: Place) -> str | None:
        """A map's key as it shall be, for the place of its entry; None when the entry goes with it.

        Raises Refusal and UnfitError.
        """
        found = self.rules.name(entry.steps, entry.labelled)
        if found is None:
            return name
        path, rule = found
        self._counts[path, rule.name] += 1
        if rule.effect == "drop":
            return None
        return rule.text(name) if rule.effect == "rewrite" else name

    def going(self, name: str, entry: Place) -> None:
        """Tells a map's key that goes with its entry, or with all that holds it."""
        if entry.above is not None:
            self.rules.rule(entry.above, entry.shown, "string")[1].note(name)

    def removes(self, kind: Type, place: Place, open_types: tuple[Type, ...] = ()) -> LeafRule | None:
        """The rule that drops or empties this whole value, when one and the same speaks for every leaf in it."""
        found = self._same(kind, place, open_types)
        return found if found is not None and found.effect in ("drop", "null") else None

    def refuse_removal(self, rule: LeafRule, place: Place, kind: Type) -> None:
        """Raises PolicyError: there must be a value."""
        raise PolicyError(
            f"rule '{rule.name}' can't take {place} out, which every record of {self.schema} must have "
            f"({kind.cell.type if kind.cell else kind.kind}): use replace, mask or a domain, or drop what holds it.",
            file=rule.spec.file or self.rules.file,
            line=rule.spec.line,
        )

    def _choose(self, kind: Type, place: Place) -> tuple[str, LeafRule]:
        name = "null" if kind.cell is None else kind.cell.kind
        index = least(place.above, self.rules.find(place.steps, name, place.labelled, place.tags))
        return self.rules.rule(index, place.shown, name)

    def _same(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> LeafRule | None:
        place = self.covered(kind, place)
        above = self.rules.rule(place.above, place.shown, "object")[1] if place.above is not None else None
        if kind in open_types:
            return above
        if kind.kind in ("null", "scalar"):
            try:
                return self._choose(kind, place)[1]
            except Refusal:
                return None
        inside = [self._same(inner, below, (*open_types, kind)) for inner, below in self._below(kind, place)]
        if not inside:
            return above
        return inside[0] if all(one is inside[0] for one in inside) else None

    def _below(self, kind: Type, place: Place) -> Iterable[tuple[Type, Place]]:
        if kind.kind == "record":
            for field in kind.fields:
                below = self.member(kind, field, place)
                yield field.type, below.down("*") if field.map_key is not None else below
        elif kind.kind == "union":
            yield from ((inner, place.branch(kind, label)) for label, inner in kind.branches if inner.kind != "null")
        elif kind.items is not None:
            yield kind.items, place.down(EACH if kind.kind == "array" else "*")


class Constant:
    """The same bytes for all."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __getitem__(self, _raw: bytes) -> bytes:
        return self._value
