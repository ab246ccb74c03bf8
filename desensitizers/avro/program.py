"""What to do with a body of one type, step by step: made once of a schema and the rules, run for every record.

A step skips a value, replaces its bytes by a remembered answer, or goes on with the programs of a union's branches or
of the items of an array or map. What stands under no rule is a step that refuses, so a record passes only when every
value that it has was named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from desensitizers.errors import Refusal
from desensitizers.paths import EACH
from desensitizers.resolving import Place, Resolver
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

    def drain(self) -> Iterator[tuple[tuple[str, str], int]]:
        """Counts since the last call."""
        yield from ((leaf, self.uses) for leaf in self.counts if self.uses)
        self.uses = 0


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
    """A map: what a key becomes, and what happens to its value."""

    entry: Callable[[str], tuple[bytes, Items]]
    forget: Callable[[], None]
    known: dict[bytes, tuple[bytes, Items]] = field(default_factory=dict)


class Compiler(Resolver):
    """Makes the programs of one schema."""

    _noting = False
    _made = 0

    def whole(self, kind: Type) -> Program:
        """The program of a body. Raises PolicyError."""
        return self._program(kind, Place(), ())

    def _program(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> Program:
        made = Program(passing=self.passing)
        self.parts.append(made)
        self._add(made, kind, place, open_types)
        return made

    def _add(self, out: Program, kind: Type, place: Place, open_types: tuple[Type, ...]) -> None:
        place = self.covered(kind, place)
        self._made += 1
        if kind.kind == "record":
            if kind in open_types or self._made > STATIC:
                later = Later(lambda: self._program(kind, place, ()))
                out.steps.append((PROGRAM, later, str(place)))
                return
            for member in kind.fields:
                self._add(out, member.type, self.member(kind, member, place), (*open_types, kind))
        elif kind.kind == "union":
            out.steps.append((UNION, self._branches(kind, place, open_types), str(place)))
        elif kind.kind == "array":
            assert kind.items is not None
            out.steps.append((ARRAY, self._items(kind.items, place.down(EACH), open_types), str(place)))
        elif kind.kind == "map":
            out.steps.append((MAP, self._entries(kind, place, open_types), str(place)))
        else:
            self._leaf(out, kind, place)

    def _leaf(self, out: Program, kind: Type, place: Place) -> None:
        try:
            answer = self.answer(kind, place, sized if kind.wire == "sized" else bytes, noting=self._noting)
        except Refusal as refusal:
            out.steps.append((REFUSE, refusal, str(place)))
            return
        out.counts.append((answer.path, answer.what))
        if kind.cell is None:
            return
        if answer.gone is not None and not self._noting and not self.rules.learning:
            self.refuse_removal(answer.gone, place, kind)
        step = _skip(kind) if answer.function is None else _edit(kind, answer.function)
        out.steps.append((*step, str(place)))

    def _branches(
        self, kind: Type, place: Place, open_types: tuple[Type, ...]
    ) -> list[tuple[Program | Later, bytes | None]]:
        """For each branch its program, and what stands for it as a whole: null, when it is dropped and may be null."""
        nulls = [number for number, (_, branch) in enumerate(kind.branches) if branch.kind == "null"]
        made: list[tuple[Program | Later, bytes | None]] = []
        for label, branch in kind.branches:
            below = place.branch(kind, label)
            gone = bool(nulls) and branch.kind != "null" and self._takes(branch, below)
            made.append((self._inner(branch, below, open_types, gone), write(zigzag(nulls[0])) if gone else None))
        return made

    def _takes(self, kind: Type, place: Place, open_types: tuple[Type, ...] = ()) -> bool:
        return not self._noting and self.removes(kind, place, open_types) is not None

    def _inner(self, kind: Type, place: Place, open_types: tuple[Type, ...], gone: bool) -> Program | Later:
        if not gone:
            return self._program(kind, place, open_types)
        noting = self.another(passing=self.passing)
        noting._noting = True
        return noting._program(kind, place, open_types)

    def _items(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> Items:
        gone = self._takes(kind, place, open_types)
        return Items(self._inner(kind, place, open_types, gone), gone)

    def _entries(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> Entries:
        assert kind.items is not None
        items = kind.items
        passing = self.another(passing=True)
        passing._noting = self._noting

        def entry(name: str, *, asked: bool = True) -> tuple[bytes, Items]:
            below = place.down(name, shown="*")
            found = passing._items(items, below, open_types)
            new: str | None = name
            if asked and (found.gone or self._noting):
                self.going(name, below)
            elif asked:
                new = self.map_key(name, below)
            if new is None:
                found = Items(passing._inner(items, below, open_types, gone=True), gone=True)
            return (new or "").encode(), found

        entry("*", asked=False)  # what is under a wildcard must fit, as far as that can be known now
        return Entries(entry, self.forget)


def sized(content: bytes) -> bytes:
    """Content after its length, as Avro has it."""
    return write(len(content) << 1) + content


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
