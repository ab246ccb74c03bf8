"""Runs a program over Avro bodies: one pass over the bytes, no tree; what no step changes keeps its bytes."""

from __future__ import annotations

from desensitizers.avro.program import (
    ARRAY,
    CHOICE,
    EDIT_FIXED,
    EDIT_SIZED,
    EDIT_VARINT,
    MAP,
    PROGRAM,
    REFUSE,
    SKIP_FIXED,
    SKIP_VARINT,
    UNION,
    Compiler,
    Entries,
    Items,
    Later,
    Program,
    sized,
)
from desensitizers.errors import Refusal, UnfitError
from desensitizers.pathrules import PathRules
from desensitizers.sink import Sink
from desensitizers.types import Type
from desensitizers.varint import Edit, malformed, read, splice, unzigzag, write, zigzag

EMPTY_ITEMS = 100_000
"""Items of no bytes that an array may claim: a few bytes must not take hours."""
_KEYS = 20_000


class AvroRewriter:
    """Applies rules to bodies of one schema at one place of one topic."""

    def __init__(self, place: str, rules: PathRules, sink: Sink, kind: Type, schema: str) -> None:
        """Raises PolicyError when a rule can't work on the type at its place."""
        self._place = place
        self._sink = sink
        self._compiler = Compiler(rules, schema)
        self._program = self._compiler.whole(kind)
        self._learning = rules.learning

    def rewrite(self, body: bytes) -> bytes:
        """The clean body. Raises Refusal."""
        edits = run_avro(self._program, body)
        return body if self._learning or not edits else splice(body, edits)

    def flush_counts(self) -> None:
        """Adds what was done since the last call to the sink's counts."""
        for (path, what), number in self._compiler.counts().items():
            self._sink.counts[self._place, path, what] += number


def run_avro(program: Program, body: bytes) -> list[Edit]:
    """What a program changes in a body. Raises Refusal."""
    edits: list[Edit] = []
    try:
        at = _run(program, body, 0, edits)
    except IndexError:
        raise malformed("it ends too early") from None
    except RecursionError:
        raise malformed("it is nested too deep") from None
    if at != len(body):
        raise malformed("it ends too early" if at > len(body) else f"{len(body) - at} bytes follow its end")
    return edits


def _run(program: Program | Later, data: bytes, at: int, edits: list[Edit]) -> int:
    """The place after a value; what changes in it is added to `edits`. Raises Refusal and IndexError."""
    if isinstance(program, Later):
        program = program.get()
    program.uses += 1
    for op, argument, path in program.steps:
        try:
            if op <= EDIT_SIZED:
                start = at
                size = data[at]
                at += 1
                if size & 0x81:
                    size, at = _size(data, start)
                else:
                    size >>= 1
                begin = at
                at += size
                if op == EDIT_SIZED:
                    edits.append((start, at, argument[data[begin:at]]))
            elif op == SKIP_VARINT:
                while data[at] > 0x7F:
                    at += 1
                at += 1
            elif op == UNION:
                at = _union(argument, data, at, edits)
            elif op == EDIT_VARINT:
                start = at
                while data[at] > 0x7F:
                    at += 1
                at += 1
                edits.append((start, at, argument[data[start:at]]))
            elif op == SKIP_FIXED:
                at += argument
            elif op == EDIT_FIXED:
                size, function = argument
                edits.append((at, at + size, function[data[at : at + size]]))
                at += size
            elif op == CHOICE:
                choice, at = read(data, at)
                if choice & 1 or choice >> 1 >= argument:
                    raise malformed(f"choice {choice} of {argument}")
            elif op == ARRAY:
                at = _array(argument, data, at, edits)
            elif op == MAP:
                at = _map(argument, data, at, edits)
            elif op == PROGRAM:
                at = _run(argument, data, at, edits)
            else:
                assert op == REFUSE
                raise argument.again()
        except UnfitError as error:
            raise error.at(path) from None
        except UnicodeDecodeError:
            raise Refusal(path, "is not valid UTF-8", undecodable=True) from None
    return at


def _size(data: bytes, at: int) -> tuple[int, int]:
    size, at = read(data, at)
    size = unzigzag(size)
    if size < 0 or size > len(data) - at:
        raise malformed(f"a length of {size} bytes where {len(data) - at} are left")
    return size, at


def _union(branches: list[tuple[Program | Later, bytes | None]], data: bytes, at: int, edits: list[Edit]) -> int:
    start = at
    choice = data[at]
    if choice < 0x80:
        at += 1
    else:
        choice, at = read(data, at)
    if choice & 1 or choice >> 1 >= len(branches):
        raise malformed("a union's branch that its schema does not have")
    program, instead = branches[choice >> 1]
    if instead is None:
        return _run(program, data, at, edits)
    at = _run(program, data, at, [])
    edits.append((start, at, instead))
    return at


def _block(data: bytes, at: int) -> tuple[int, int]:
    """(items of the block at hand, place after its head)."""
    count, at = read(data, at)
    count = unzigzag(count)
    if count < 0:
        _, at = _size(data, at)
    return abs(count), at


def _array(items: Items, data: bytes, at: int, edits: list[Edit]) -> int:
    empty = 0
    while True:
        head = at
        count, at = _block(data, at)
        if not count:
            return at
        slot = len(edits)
        found: list[Edit] = [] if items.gone else edits
        edits.append((head, at, data[head:at]))
        for _ in range(count):
            start = at
            at = _run(items.program, data, at, found)
            if at == start:
                empty += 1
                if empty > EMPTY_ITEMS:
                    raise malformed(f"more than {EMPTY_ITEMS:,} items of no bytes")
        if items.gone:
            edits[slot] = (head, at, b"")
        else:
            _rewrite_head(data, edits, slot, count)


def _rewrite_head(data: bytes, edits: list[Edit], slot: int, count: int) -> None:
    """A block that says its size says it no more when anything in it changed; one without items goes."""
    head, end, before = edits[slot]
    after = write(zigzag(count)) if count else b""
    same = all(data[start:stop] == new for start, stop, new in edits[slot + 1 :]) if before != after else True
    edits[slot] = (head, end, before if same and count else after)


def _map(entries: Entries, data: bytes, at: int, edits: list[Edit]) -> int:
    names: set[bytes] = set()
    seen: set[bytes] = set()
    while True:
        head = at
        count, at = _block(data, at)
        if not count:
            return at
        slot = len(edits)
        edits.append((head, at, data[head:at]))
        left = count
        for _ in range(count):
            start = at
            size, at = _size(data, at)
            name = data[at : at + size]
            at += size
            if at > len(data):
                raise malformed("it ends too early")
            end = at
            new, items = _entry(entries, name)
            if name in seen:
                raise malformed("a map has a key twice")
            seen.add(name)
            if items.gone:
                at = _run(items.program, data, at, [])
                edits.append((start, at, b""))
                left -= 1
                continue
            if new in names:
                raise UnfitError("two keys of the map became one; use a rule that keeps them apart")
            names.add(new)
            if new != name:
                edits.append((start, end, sized(new)))
            at = _run(items.program, data, at, edits)
        if left != count:
            edits[slot] = (head, edits[slot][1], write(zigzag(left)) if left else b"")
        else:
            _rewrite_head(data, edits, slot, count)


def _entry(entries: Entries, name: bytes) -> tuple[bytes, Items]:
    """(the key afterwards, what happens to the value); remembered by key, within bounds."""
    known = entries.known.get(name)
    if known is None:
        text = name.decode()
        if len(entries.known) >= _KEYS:
            entries.known.clear()
            entries.forget()
        known = entries.known[name] = entries.entry(text)
    return known
