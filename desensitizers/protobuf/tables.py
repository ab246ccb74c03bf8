"""What to do with each field of a message by the tag that stands before it: made once of a schema and the rules.

A field that the schema does not know (unknown fields, extensions) is refused, or goes when the policy drops or masks
what it does not name. A field that is not there is no leaf: what a message does not say stays unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from desensitizers.errors import Refusal
from desensitizers.resolving import Answer, Constant, Place, Resolver
from desensitizers.types import Field, Type
from desensitizers.varint import sized

STATIC = 20_000
"""Fields that are looked at ahead; what a schema has beyond is when it is met."""
EDIT_SIZED, KEEP_SIZED, KEEP_VARINT, EDIT_VARINT, MESSAGE, KEEP_FIXED, EDIT_FIXED, PACKED, MAP, REFUSE = range(10)
VARINT, WIDE, SIZED, NARROW = 0, 1, 2, 5
"""Wire types."""


@dataclass(slots=True, eq=False)
class Handler:
    """What happens to a field: `step` is op, argument, and whether it is taken out after that look."""

    step: tuple[int, Any, bool]
    where: str
    counted: tuple[str, str] | None
    uses: int = 0
    passing: bool = False

    def drain(self) -> Iterator[tuple[tuple[str, str], int]]:
        """Counts since the last call."""
        if self.uses and self.counted is not None:
            yield self.counted, self.uses
        self.uses = 0


@dataclass(slots=True, eq=False)
class Message:
    """The handlers of a message's fields by tag (number and wire type)."""

    where: str
    handlers: dict[int, Handler] = field(default_factory=dict)
    drops_unknown: bool = False
    make: Callable[[], dict[int, Handler]] | None = None
    """Fills `handlers` when the message is first met."""


@dataclass(slots=True, eq=False)
class Entries:
    """A map's field: the message that each entry is, by its key's bytes."""

    key: Type
    entry: Callable[[str, bytes], tuple[Message, bytes, bool]]
    """Key as text and bytes -> (what the entry is, its key afterwards, whether it goes)."""
    forget: Callable[[], None]
    known: dict[bytes, tuple[Message, bytes, bool]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Packed:
    """Numbers one after the other; size 0 for varints."""

    size: int
    function: Any


class Tables(Resolver):
    """Makes the messages of one schema."""

    noting = False
    passes_unknown = False
    _made = 0

    def whole(self, kind: Type) -> Message:
        """The message of a body. Raises PolicyError."""
        return self._message(kind, Place(), ())

    def _message(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> Message:
        place = self.covered(kind, place)
        made = self._empty(place)
        self._made += len(kind.fields)
        if kind in open_types or self._made > STATIC:
            made.make = lambda: self._handlers(kind, place, (kind,))
        else:
            made.handlers = self._handlers(kind, place, (*open_types, kind))
        return made

    def _empty(self, place: Place) -> Message:
        return Message(str(place), drops_unknown=self.rules.unknown is not None or self.noting or self.passes_unknown)

    def _handlers(self, kind: Type, place: Place, open_types: tuple[Type, ...]) -> dict[int, Handler]:
        found: dict[int, Handler] = {}
        for member in kind.fields:
            below = self.member(kind, member, place)
            if member.map_key is not None:
                entries = self._entries(member, below, open_types)
                found[_tag(member, SIZED)] = self._made_of(MAP, entries, below, None)
            elif member.type.kind == "record":
                found[_tag(member, SIZED)] = self._inner(member, below, open_types)
            elif member.type.kind == "null":
                found[_tag(member, VARINT)] = self._null(member, below)
            else:
                found |= self._scalar(member, below)
        return found

    def _inner(self, member: Field, place: Place, open_types: tuple[Type, ...]) -> Handler:
        gone = self._takes(member, place, open_types)
        message = (self._noter() if gone else self)._message(member.type, place, open_types)
        return self._made_of(MESSAGE, message, place, None, gone=gone)

    def _null(self, member: Field, place: Place) -> Handler:
        try:
            answer = self.answer(member.type, place, bytes)
        except Refusal as refusal:
            return self._made_of(REFUSE, refusal, place, None)
        return self._made_of(KEEP_VARINT, None, place, answer)

    def _scalar(self, member: Field, place: Place) -> dict[int, Handler]:
        kind = member.type
        wire = {"sized": SIZED, "varint": VARINT, "fixed": WIDE if kind.size == 8 else NARROW}[kind.wire]
        try:
            answer = self.answer(kind, place, sized if wire == SIZED else bytes, noting=self.noting)
        except Refusal as refusal:
            tags = {wire, SIZED} if member.repeated else {wire}
            return {_tag(member, one): self._made_of(REFUSE, refusal, place, None) for one in tags}
        if answer.gone is not None and member.required and not self.noting and not self.rules.learning:
            self.refuse_removal(answer.gone, place, kind)
        found = {_tag(member, wire): self._plain(kind, wire, answer, place)}
        if member.repeated and wire != SIZED:
            packed = Packed(kind.size if wire != VARINT else 0, answer.function)
            found[_tag(member, SIZED)] = self._made_of(PACKED, packed, place, answer, gone=answer.gone is not None)
        return found

    def _plain(self, kind: Type, wire: int, answer: Answer, place: Place) -> Handler:
        function = answer.function
        if wire == SIZED:
            # What is a message by itself (a time) is looked into even when it stays.
            argument = function if function is not None or kind.cell is None else kind.cell.check
            op = KEEP_SIZED if function is None else EDIT_SIZED
        elif wire == VARINT:
            op, argument = (KEEP_VARINT if function is None else EDIT_VARINT), function
        else:
            op = KEEP_FIXED if function is None else EDIT_FIXED
            argument = kind.size if function is None else (kind.size, function)
        return self._made_of(op, argument, place, answer, gone=answer.gone is not None)

    def _made_of(self, op: int, argument: Any, place: Place, answer: Answer | None, *, gone: bool = False) -> Handler:
        counted = (answer.path, answer.what) if answer is not None else None
        made = Handler((op, argument, gone), str(place), counted, passing=self.passing)
        self.parts.append(made)
        return made

    def _takes(self, member: Field, place: Place, open_types: tuple[Type, ...]) -> bool:
        if self.noting:
            return False
        rule = self.removes(member.type, place, open_types)
        if rule is not None and member.required and not self.rules.learning:
            self.refuse_removal(rule, place, member.type)
        return rule is not None

    def _noter(self, *, passing: bool = False) -> Self:
        made = self.another(passing=self.passing or passing)
        made.noting = True
        return made

    def _entries(self, member: Field, place: Place, open_types: tuple[Type, ...]) -> Entries:
        assert member.map_key is not None
        key = member.map_key
        value = Field("value", member.type, member.tags, number=2)
        passing = self.another(passing=True)
        passing.noting = self.noting

        def entry(name: str, raw: bytes) -> tuple[Message, bytes, bool]:
            below = place.down(name, shown="*")
            gone = passing._takes(value, below, open_types)
            new: str | None = name
            if gone or self.noting:
                self.going(name, below)
            else:
                new = self.map_key(name, below)
            if new is None:
                new, gone = name, True
            spelled = raw if new == name else key_bytes(key, new)
            message = Message(
                str(below), drops_unknown=self.rules.unknown is not None or self.noting or self.passes_unknown
            )
            tag, framed = _key(key)
            message.handlers[tag] = framed(spelled)
            made = self._noter(passing=True) if gone else passing
            holder = Type("record", bare=True, fields=[value])
            message.handlers |= made._handlers(holder, below, open_types)
            return message, spelled, gone

        def ahead() -> None:
            """What is under a wildcard must fit, as far as that can be known now."""
            below = place.down("*")
            if not passing._takes(value, below, open_types):
                passing._handlers(Type("record", bare=True, fields=[value]), below, open_types)

        ahead()
        return Entries(key, entry, self.forget)


def key_bytes(kind: Type, text: str) -> bytes:
    """A map's key as its type has it. Raises UnfitError."""
    assert kind.cell is not None
    if kind.cell.kind == "string":
        return kind.cell.write(text)
    return kind.cell.write(text == "true" if kind.cell.kind == "boolean" else _whole(text))


def _whole(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        return text


def _key(kind: Type) -> tuple[int, Callable[[bytes], Handler]]:
    """(tag, handler) of an entry's key that becomes other bytes."""
    if kind.wire == "sized":
        return 1 << 3 | SIZED, lambda raw: Handler((EDIT_SIZED, Constant(sized(raw)), False), "", None)
    if kind.wire == "varint":
        return 1 << 3 | VARINT, lambda raw: Handler((EDIT_VARINT, Constant(raw), False), "", None)
    wire = WIDE if kind.size == 8 else NARROW
    return 1 << 3 | wire, lambda raw: Handler((EDIT_FIXED, (kind.size, Constant(raw)), False), "", None)


def _tag(member: Field, wire: int) -> int:
    return member.number << 3 | wire
