"""What to do with a body of one type, step by step: made once of a schema and the rules, run for every record.

A step skips a value, replaces its bytes by a remembered answer, or goes on with the programs of a union's branches or
of the items of an array or map. What stands under no rule is a step that refuses, so a record passes only when every
value that it has was named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from desensitizers import cells
from desensitizers.errors import PolicyError, Refusal
from desensitizers.leaves import LeafRule
from desensitizers.pathrules import NO_TAGS, PathRules, least
from desensitizers.paths import EACH, MAP_KEY, Steps, show
from desensitizers.types import Type
from desensitizers.varint import write, zigzag

STATIC = 20_000
"""Steps that are made ahead; what a schema has beyond is made when it is met."""


SKIP_SIZED, EDIT_SIZED, SKIP_VARINT, EDIT_VARINT, SKIP_FIXED, EDIT_FIXED = range(6)
UNION, ARRAY, MAP, PROGRAM, REFUSE = range(6, 11)
CHOICE = 11
"""An enum or boolean that stays: its number must be one."""

Step = tuple[int, Any, str]
"""Op, argument, path."""


@dataclass(slots=True, eq=False)
class Program:
    """Steps in the order of the bytes; `counts` are the leaves that each run goes through."""

    steps: list[Step] = field(default_factory=list)
    counts: list[tuple[str, str]] = field(default_factory=list)
    uses: int = 0
    passing: bool = False
    """Made for one key of a map, and forgotten with it."""


@dataclass(slots=True, eq=False)
class Later:
    """A program that is made when it is first needed: of a type within itself, or of a map's entry by its key."""

    make: Callable[[], Program]
    made: Program | None = None

    def get(self) -> Program:
        if self.made is None:
            self.made = self.make()
        return self.made


@dataclass(slots=True, eq=False)
class Items:
    """An array: what happens to each item; `gone` takes it out after a look."""

    program: Program | Later
    gone: bool


@dataclass(slots=True, eq=False)
class Entries:
    """A map: what happens to keys, and to each value by its key."""

    key: Callable[[str], bytes]
    entry: Callable[[str], Items]
    forget: Callable[[], None]
    known: dict[bytes, tuple[bytes, Items]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a value: its steps, the same with union branches, the same as people may see them (a map's keys are
    data), the rule above, and the tags gathered on the way."""

    steps: Steps = ()
    labelled: Steps = ()
    shown: Steps = ()
    above: int | None = None
    tags: frozenset[str] = NO_TAGS

    def down(self, step: str, tags: frozenset[str] = NO_TAGS, shown: str = "") -> Place:
        steps, labelled, seen = (*self.steps, step), (*self.labelled, step), (*self.shown, shown or step)
        return Place(steps, labelled, seen, self.above, self.tags | tags)


class Compiler:
    """Makes the programs of one schema.

    Raises PolicyError for a rule that can't work on the type at its place, as far as the schema tells.
    """

    def __init__(self, rules: PathRules, schema: str, above: Compiler | None = None, *, passing: bool = False) -> None:
        """`above` is the one whose counts these programs add to."""
        self._rules = rules
        self._schema = schema
        self._made = 0
        self._passing = passing
        self._programs: list[Program] = above._programs if above else []
        self._counts: Counter[tuple[str, str]] = above._counts if above else Counter()

    def counts(self) -> Counter[tuple[str, str]]:
        """(policy path, what was done) -> leaves, since the last call."""
        for program in self._programs:
            for leaf in program.counts if program.uses else ():
                self._counts[leaf] += program.uses
            program.uses = 0
        found = Counter(self._counts)
        self._counts.clear()
        return found

    def whole(self, kind: Type) -> Program:
        """The program of a body."""
        return self._program(kind, Place(), ())

    def _program(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> Program:
        made = Program(passing=self._passing)
        self._programs.append(made)
        self._add(made, kind, place, open_types)
        return made

    def _add(self, out: Program, kind: Type, place: Place, open_types: tuple[Type, ...]) -> None:
        place = self._covered(kind, place)
        self._made += 1
        if kind.kind == "record":
            if kind in open_types or self._made > STATIC:
                later = Later(lambda: self._program(kind, place, ()))
                out.steps.append((PROGRAM, later, show(place.shown)))
                return
            for member in kind.fields:
                inner = place.down(member.name, member.tags)
                self._add(out, member.type, inner, (*open_types, kind))
        elif kind.kind == "union":
            out.steps.append((UNION, self._branches(kind, place, open_types), show(place.shown)))
        elif kind.kind == "array":
            assert kind.items is not None
            out.steps.append((ARRAY, self._items(kind.items, place.down(EACH), open_types), show(place.shown)))
        elif kind.kind == "map":
            out.steps.append((MAP, self._entries(kind, place, open_types), show(place.shown)))
        else:
            self._leaf(out, kind, place)

    def _covered(self, kind: Type, place: Place) -> Place:
        """The place with the tags of its type, and with a rule that drops or empties all that is in it."""
        tags = place.tags | kind.tags
        above = place.above
        if kind.kind in ("record", "array", "map"):
            own = self._rules.find(place.steps, "array" if kind.kind == "array" else "object", place.labelled, tags)
            above = least(above, own if self._rules.takes_whole(own) else None)
        return replace(place, above=above, tags=tags)

    def _choose(self, kind: Type, place: Place) -> tuple[str, LeafRule, int | None]:
        """(policy path, rule, index) of a leaf. Raises Refusal."""
        name = "null" if kind.cell is None else kind.cell.kind
        index = least(place.above, self._rules.find(place.steps, name, place.labelled, place.tags))
        return *self._rules.rule(index, place.shown, name), index

    def _leaf(self, out: Program, kind: Type, place: Place) -> None:
        where = show(place.shown)
        try:
            path, rule, _index = self._choose(kind, place)
        except Refusal as refusal:
            out.steps.append((REFUSE, refusal, where))
            return
        cell = kind.cell
        if cell is None:
            out.counts.append((path, "null stays" if rule.effect != "drop" else rule.name))
            return
        out.counts.append((path, rule.name))
        if rule.effect == "keep":
            out.steps.append((*_skip(kind), where))
            return
        unknown = rule is self._rules.unknown
        if rule.effect != "rewrite":
            if not self._rules.learning:
                self._refuse_removal(rule, place, kind)
            function: Any = cells.noted(rule, cell)
        elif unknown and (cell.kind != "string" or cell.samples):
            function = _Constant(_framing(kind)(cell.blank))
        else:
            cells.check(rule, cell, place.shown, self._schema, self._rules.file)
            function = cells.edited(rule, cell, _framing(kind))
        out.steps.append((*_edit(kind, function), where))

    def _refuse_removal(self, rule: LeafRule, place: Place, kind: Type) -> None:
        raise PolicyError(
            f"rule '{rule.name}' can't take {show(place.shown)} out, which every record of {self._schema} must have "
            f"({kind.cell.type if kind.cell else 'null'}): use replace, mask or a domain, or drop what holds it.",
            file=self._rules.file,
            line=rule.spec.line,
        )

    def _removes(self, kind: Type, place: Place, open_types: tuple[Type, ...] = ()) -> LeafRule | None:
        """The rule that drops or empties this whole value, when one and the same speaks for every leaf in it."""
        found = self._same(kind, place, open_types)
        if found is None:
            return None
        return found if found.effect in ("drop", "null") else None

    def _same(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> LeafRule | None:
        place = self._covered(kind, place)
        above = self._rules.rule(place.above, place.shown, "object")[1] if place.above is not None else None
        if kind in open_types:
            return above
        if kind.kind in ("null", "scalar"):
            try:
                return self._choose(kind, place)[1]
            except Refusal:
                return None
        inside = [
            self._same(inner, below, (*open_types, kind))
            for inner, below in self._below(kind, place)
            if inner.kind != "null" or kind.kind != "union"
        ]
        if not inside:
            return above
        return inside[0] if all(one is inside[0] for one in inside) else None

    def _below(self, kind: Type, place: Place) -> list[tuple[Type, Place]]:
        if kind.kind == "record":
            return [(member.type, place.down(member.name, member.tags)) for member in kind.fields]
        if kind.kind == "union":
            return [(branch, _labelled(kind, label, place)) for label, branch in kind.branches]
        assert kind.items is not None
        return [(kind.items, place.down(EACH if kind.kind == "array" else "*"))]

    def _branches(
        self, kind: Type, place: Place, open_types: tuple[Type, ...]
    ) -> list[tuple[Program | Later, bytes | None]]:
        """For each branch its program, and what stands for it as a whole: null, when it is dropped and may be null."""
        nulls = [number for number, (_, branch) in enumerate(kind.branches) if branch.kind == "null"]
        made: list[tuple[Program | Later, bytes | None]] = []
        for label, branch in kind.branches:
            below = _labelled(kind, label, place)
            gone = bool(nulls) and branch.kind != "null" and self._removes(branch, below) is not None
            made.append((self._inner(branch, below, open_types, gone), write(zigzag(nulls[0])) if gone else None))
        return made

    def _inner(self, kind: Type, place: Place, open_types: tuple[Type, ...], gone: bool) -> Program | Later:
        if not gone:
            return self._program(kind, place, open_types)
        return _Noting(self._rules, self._schema, self, passing=self._passing)._program(kind, place, open_types)

    def _items(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> Items:
        gone = self._removes(kind, place, open_types) is not None
        return Items(self._inner(kind, place, open_types, gone), gone and not self._rules.learning)

    def _entries(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> Entries:
        assert kind.items is not None
        items = kind.items

        def key(name: str) -> bytes:
            return self._map_key(name, place)

        passing = type(self)(self._rules, self._schema, self, passing=True)

        def entry(name: str) -> Items:
            return passing._items(items, place.down(name, shown="*"), open_types)

        def forget() -> None:
            self._counts.update(self.counts())
            self._programs[:] = [program for program in self._programs if not program.passing]

        entry("*")  # what is under a wildcard must fit, as far as that can be known now
        return Entries(key, entry, forget)

    def _map_key(self, name: str, place: Place) -> bytes:
        below = place.down(MAP_KEY)
        index = least(place.above, self._rules.find(below.steps, "string", below.labelled, below.tags))
        _path, rule = self._rules.rule(index, below.shown, "string")
        if rule.effect == "rewrite":
            name = rule.text(name)
        elif rule.effect != "keep":
            rule.note(name)
        return name.encode()


class _Noting(Compiler):
    """Programs of what is taken out as a whole: every original is told, and nothing has to fit anywhere."""

    def _refuse_removal(self, rule: LeafRule, place: Place, kind: Type) -> None:
        """Nothing stays that would have to have it."""

    def _removes(self, kind: Type, place: Place, open_types: tuple[Type, ...] = ()) -> LeafRule | None:
        return None


class _Constant:
    """The same bytes for all."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __getitem__(self, _raw: bytes) -> bytes:
        return self._value


def _framing(kind: Type) -> Callable[[bytes], bytes]:
    """How a scalar's content becomes its bytes."""
    return sized if kind.wire == "sized" else bytes


def sized(content: bytes) -> bytes:
    """Content after its length, as Avro has it."""
    return write(len(content) << 1) + content


def _labelled(kind: Type, label: str, place: Place) -> Place:
    several = sum(branch.kind != "null" for _, branch in kind.branches) > 1
    return replace(place, labelled=(*place.labelled, label)) if several else place


def _skip(kind: Type) -> tuple[int, Any]:
    if kind.choices:
        return CHOICE, kind.choices
    if kind.wire == "fixed":
        return SKIP_FIXED, kind.size
    return (SKIP_SIZED if kind.wire == "sized" else SKIP_VARINT), None


def _edit(kind: Type, function: Any) -> tuple[int, Any]:
    if kind.wire == "fixed":
        return EDIT_FIXED, (kind.size, function)
    return (EDIT_SIZED if kind.wire == "sized" else EDIT_VARINT), function
