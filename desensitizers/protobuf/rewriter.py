"""Runs tables over Protobuf bodies: one pass, no message object; what no rule changes keeps its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from desensitizers.errors import Refusal, UnfitError
from desensitizers.pathrules import PathRules
from desensitizers.protobuf.tables import (
    EDIT_FIXED,
    EDIT_SIZED,
    EDIT_VARINT,
    KEEP_FIXED,
    KEEP_SIZED,
    KEEP_VARINT,
    MAP,
    MESSAGE,
    PACKED,
    Entries,
    Message,
    Packed,
    Tables,
)
from desensitizers.sink import Sink
from desensitizers.types import Type
from desensitizers.varint import Edit, malformed, read, splice, write

if TYPE_CHECKING:
    from desensitizers.columnwise import Block, Done, Ints
    from desensitizers.protobuf.columns import Member

_KEYS = 20_000
_DEPTH = 100
"""Messages within messages: as many as Protobuf's own parsers allow."""


class ProtobufRewriter:
    """Applies rules to bodies of one message type at one place of one topic."""

    def __init__(self, place: str, rules: PathRules, sink: Sink, kind: Type, schema: str) -> None:
        """Raises PolicyError when a rule can't work on the type at its place."""
        self._place = place
        self._sink = sink
        self._tables = Tables(rules, schema)
        self._message = self._tables.whole(kind)
        self._learning = rules.learning
        self._members: tuple[Member, ...] | None = None

    def rewrite(self, body: bytes) -> bytes:
        """The clean body. Raises Refusal."""
        edits = run_protobuf(self._message, body)
        return body if self._learning or not edits else splice(body, edits)

    def columns(self, block: Block, rows: Ints) -> Iterator[Done]:
        """The clean bodies of those rows that are as most writers write them and have nothing to refuse."""
        from desensitizers.protobuf.columns import members, rewritten

        if self._members is None:
            self._members = members(self._message)
        return rewritten(self._members, block, rows, learning=self._learning)

    def flush_counts(self) -> None:
        """Adds what was done since the last call to the sink's counts."""
        for (path, what), number in self._tables.counts().items():
            self._sink.counts[self._place, path, what] += number


def run_protobuf(message: Message, body: bytes) -> list[Edit]:
    """What tables change in a body. Raises Refusal."""
    edits: list[Edit] = []
    try:
        _run(message, body, 0, len(body), edits, 0)
    except IndexError:
        raise malformed("it ends too early") from None
    return edits


def _run(message: Message, data: bytes, at: int, end: int, edits: list[Edit], depth: int) -> None:
    """Goes through a message; what changes in it is added to `edits`. Raises Refusal and IndexError."""
    if message.make is not None:
        message.handlers, message.make = message.make(), None
    handlers = message.handlers
    keys: set[tuple[int, bytes]] | None = None
    while at < end:
        start = at
        tag = data[at]
        at += 1
        if tag > 0x7F:
            tag, at = read(data, start)
        handler = handlers.get(tag)
        if handler is None:
            at = _unknown(message, tag, data, at, end)
            edits.append((start, at, b""))
            continue
        handler.uses += 1
        op, argument, gone = handler.step
        found = [] if gone else edits
        try:
            if op <= KEEP_SIZED:
                begin = at
                size = data[at]
                at += 1
                if size > 0x7F:
                    size, at = read(data, begin)
                content = at
                at += size
                if at > end:
                    raise malformed("it ends too early")
                if op == EDIT_SIZED:
                    found.append((begin, at, argument[data[content:at]]))
                elif argument is not None:
                    argument(data[content:at])
            elif op == KEEP_VARINT:
                while data[at] > 0x7F:
                    at += 1
                at += 1
            elif op == EDIT_VARINT:
                begin = at
                while data[at] > 0x7F:
                    at += 1
                at += 1
                found.append((begin, at, argument[data[begin:at]]))
            elif op == MESSAGE:
                at = _inside(argument, data, at, end, found, depth)
            elif op == KEEP_FIXED:
                at += argument
            elif op == EDIT_FIXED:
                size, function = argument
                found.append((at, at + size, function[data[at : at + size]]))
                at += size
            elif op == PACKED:
                at = _packed(argument, data, at, end, found)
            elif op == MAP:
                at, key, goes = _map(argument, data, at, end, found, depth)
                keys = set() if keys is None else keys
                if goes:
                    edits.append((start, at, b""))
                elif (tag, key) in keys:
                    raise UnfitError("two keys of the map became one, or one stood twice; keep them apart")
                else:
                    keys.add((tag, key))
            else:
                raise argument.again()
        except UnfitError as error:
            raise error.at(handler.where) from None
        except UnicodeDecodeError:
            raise Refusal(handler.where, "is not valid UTF-8", undecodable=True) from None
        if at > end:
            raise malformed("it ends too early")
        if gone:
            edits.append((start, at, b""))


def _content(data: bytes, at: int, end: int) -> tuple[int, int]:
    """(begin, end) of what stands after a length."""
    size, at = read(data, at)
    if size > end - at:
        raise malformed("it ends too early")
    return at, at + size


def _inside(message: Message, data: bytes, at: int, end: int, edits: list[Edit], depth: int) -> int:
    """A message within: its length changes with what is in it."""
    if depth > _DEPTH:
        raise malformed("it is nested too deep")
    begin, stop = _content(data, at, end)
    inner: list[Edit] = []
    _run(message, data, begin, stop, inner, depth + 1)
    _add(edits, inner, at, begin, stop)
    return stop


def _add(edits: list[Edit], inner: list[Edit], at: int, begin: int, stop: int) -> None:
    """Adds edits of what begins at `begin`, and one of the length that stands at `at`."""
    if inner:
        size = stop - begin
        for first, last, new in inner:
            size += len(new) - last + first
        edits.append((at, begin, write(size)))
        edits += inner


def _packed(packed: Packed, data: bytes, at: int, end: int, edits: list[Edit]) -> int:
    begin, stop = _content(data, at, end)
    inner: list[Edit] = []
    place = begin
    while place < stop:
        first = place
        if packed.size:
            place += packed.size
        else:
            while data[place] > 0x7F:
                place += 1
            place += 1
        if packed.function is not None:
            inner.append((first, place, packed.function[data[first:place]]))
    if place != stop:
        raise malformed("it ends too early")
    _add(edits, inner, at, begin, stop)
    return stop


def _map(entries: Entries, data: bytes, at: int, end: int, edits: list[Edit], depth: int) -> tuple[int, bytes, bool]:
    """(place after an entry, its key afterwards, whether it goes)."""
    begin, stop = _content(data, at, end)
    raw = _key_in(entries, data, begin, stop)
    known = entries.known.get(raw)
    if known is None:
        if len(entries.known) >= _KEYS:
            entries.known.clear()
            entries.forget()
        assert entries.key.cell is not None
        value = entries.key.cell.read(raw)
        name = ("true" if value else "false") if isinstance(value, bool) else str(value)
        known = entries.known[raw] = entries.entry(name, raw)
    message, key, gone = known
    inner: list[Edit] = []
    _run(message, data, begin, stop, inner, depth + 1)
    if not gone:
        _add(edits, inner, at, begin, stop)
    return stop, key, gone


def _key_in(entries: Entries, data: bytes, at: int, end: int) -> bytes:
    """The bytes of an entry's key, its type's default where it is left out."""
    kind = entries.key
    found = b"" if kind.wire == "sized" else b"\0" * (kind.size or 1)
    while at < end:
        tag, at = read(data, at)
        begin, at = _value(tag, data, at, end)
        if tag >> 3 == 1:
            found = data[begin:at]
    return found


def _unknown(message: Message, tag: int, data: bytes, at: int, end: int) -> int:
    """The place after a field that the schema does not know, when the policy lets it go."""
    if not message.drops_unknown:
        raise Refusal(
            message.where,
            f"has a field {tag >> 3} that its schema does not know (an unknown field or extension), which no path can "
            "name; unknown_field: drop lets it go",
            cause="unknown_field",
        )
    return _value(tag, data, at, end)[1]


def _value(tag: int, data: bytes, at: int, end: int) -> tuple[int, int]:
    """(begin, end) of any value by its wire type."""
    wire = tag & 7
    if tag >> 3 == 0:
        raise malformed("a field 0")
    if wire == 0:
        begin = at
        _, at = read(data, at)
        return begin, at
    if wire == 2:
        return _content(data, at, end)
    if wire not in (1, 5):
        raise malformed("a group, which only very old schemas have" if wire in (3, 4) else f"a wire type {wire}")
    begin, at = at, at + (8 if wire == 1 else 4)
    if at > end:
        raise malformed("it ends too early")
    return begin, at
