"""Rewrites JSON documents shape by shape: the first of a shape is parsed and planned, the rest only filled in.

Planning visits every leaf, finds its rule, and turns what is dropped or emptied into constants; after that a
record costs one split, two dictionary look-ups and one remembered answer per changed leaf. A document in which
nothing changes keeps its exact bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from re import Pattern, compile, escape

from desensitizers.errors import UnfitError
from desensitizers.json.document import (
    Document,
    Node,
    NotJsonError,
    ambiguous,
    key_places,
    parse,
    skeleton,
    split,
)
from desensitizers.leaves import LeafRule, Memo
from desensitizers.paths import EACH, Matcher, show
from desensitizers.sink import Sink

SHAPES = 4_096
SHAPES_BYTES = 16 << 20
"""Shapes, and bytes of documents they were made from, that are kept before all are forgotten: documents whose keys
are data would fill the memory otherwise."""
_NUMBER = rb"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
_NUMBER_RX = compile(_NUMBER)
_STEP_MARKS = (EACH, "\x1f")


class Refusal(Exception):  # noqa: N818  (it is an answer to one record, not a failure of the run)
    """This document may not pass: the path and the reason."""

    def __init__(self, path: str, reason: str, *, undecodable: bool = False) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason
        self.undecodable = undecodable


@dataclass(slots=True)
class _Shape:
    """What to do with every document of one shape."""

    refusal: Refusal | None
    numbers: tuple[tuple[int, Pattern[bytes]], ...]
    """Stretches outside of quotes that hold numbers, when the numbers are needed."""
    edits: tuple[tuple[int, Memo, str], ...]
    """Index into stretches + numbers, function, path."""
    template: bytes | None
    """%-format of the result; None when only strings change, so that joining the stretches is enough."""
    slots: Callable[[list[bytes]], tuple[bytes, ...]]
    counts: tuple[tuple[str, str], ...]
    uses: int = 0


class JsonRewriter:
    """Applies rules by path to documents of one payload of one topic."""

    def __init__(
        self,
        place: str,
        rules: Iterable[tuple[str, LeafRule]],
        unknown: LeafRule | None,
        hint: str,
        sink: Sink,
    ) -> None:
        """`unknown` is what happens to leaves that no path names; None refuses them, with `hint` as the cure."""
        rules = list(rules)
        self._place = place
        self._paths = [path for path, _rule in rules]
        self._rules = [rule for _path, rule in rules]
        self._matcher = Matcher(self._paths)
        self._unknown = unknown
        self._hint = hint
        self._sink = sink
        self._keys: dict[bytes, Callable[[list[bytes]], object]] = {}
        self._shapes: dict[tuple[bytes, object], list[_Shape]] = {}
        self._weight = 0

    def rewrite(self, document: bytes) -> bytes:
        """The clean document. Raises Refusal."""
        try:
            parts = split(document)
        except NotJsonError:
            raise Refusal("", "is not valid JSON", undecodable=True) from None
        bones = skeleton(parts)
        keys = self._keys.get(bones)
        if keys is None:
            keys = self._keys[bones] = _getter(key_places(parts))
        shape, values = self._shape((bones, keys(parts)), parts)
        shape.uses += 1
        if shape.refusal is not None:
            raise shape.refusal
        try:
            for index, memo, path in shape.edits:  # noqa: B007  (the handler names the path)
                values[index] = memo[values[index]]
        except UnfitError as error:
            raise Refusal(path, str(error)) from None
        if shape.template is None:
            del values[len(parts) :]
            return b'"'.join(values)
        return shape.template % shape.slots(values)

    def flush_counts(self) -> None:
        """Adds what was done since the last call to the sink's counts."""
        for shapes in self._shapes.values():
            for shape in shapes:
                if shape.uses:
                    for path, what in shape.counts:
                        self._sink.counts[self._place, path, what] += shape.uses
                    shape.uses = 0

    def _shape(self, key: tuple[bytes, object], parts: list[bytes]) -> tuple[_Shape, list[bytes]]:
        known = self._shapes.get(key)
        if known is None:
            self._weight += sum(map(len, parts))
            if len(self._shapes) >= SHAPES or self._weight > SHAPES_BYTES:
                self.flush_counts()
                self._shapes.clear()
                self._keys.clear()
                self._weight = 0
            known = self._shapes[key] = []
        for shape in known:
            values = _values(shape, parts)
            if values is not None:
                return shape, values
        shape = self._plan(key[0], parts)
        known.append(shape)
        values = _values(shape, parts)
        assert values is not None  # the shape was made from these very parts
        return shape, values

    def _plan(self, bones: bytes, parts: list[bytes]) -> _Shape:
        try:
            document = parse(parts)
        except NotJsonError:
            return _refuse(Refusal("", "has a key twice in one object", undecodable=True))
        try:
            return _Planner(self, document).shape(parts, exact=ambiguous(bones))
        except Refusal as refusal:
            return _refuse(refusal)

    def find(self, node: Node, kind: str) -> int | None:
        """The first rule in policy order that covers exactly this place and takes this kind of leaf."""
        if any(mark in step and step != EACH for step in node.steps for mark in _STEP_MARKS):
            return None
        return next((index for index in self._matcher.all(node.steps) if self._rules[index].accepts(kind)), None)

    def rule(self, index: int | None, node: Node, kind: str) -> tuple[str, LeafRule]:
        """(policy path, rule) for a leaf of a JSON kind (string, number, boolean, null). Raises Refusal."""
        if index is not None:
            return self._paths[index], self._rules[index]
        if self._unknown is not None:
            return "(unknown)", self._unknown
        path = show(node.steps)
        raise Refusal(path, f'{kind} is not named by the policy; add "{path}: drop" (or keep, mask …) {self._hint}')

    def takes_whole(self, index: int | None) -> bool:
        """Whether the rule, standing at an object or array, speaks for all that is in it."""
        return index is not None and self._rules[index].effect in ("drop", "null")

    def effect(self, index: int) -> str:
        return self._rules[index].effect


class _Planner:
    """Turns one parsed document into a shape."""

    def __init__(self, rewriter: JsonRewriter, document: Document) -> None:
        self._of = rewriter
        self._nodes = document.nodes
        self._pieces: list[bytes | None] = list(document.pieces)
        self._edits: list[tuple[Node, Memo]] = []
        self._counts: list[tuple[str, str]] = []
        self._gone: set[int] = set()
        self._restructured = False
        self._notes: list[tuple[Node, Memo]] = []

    def shape(self, parts: list[bytes], *, exact: bool) -> _Shape:
        self._resolve()
        self._cut()
        edited = {id(node) for node, _memo in (*self._edits, *self._notes) if node.kind == "number"}
        exact = exact or self._restructured or bool(edited)
        numbers = tuple(_number_patterns(parts)) if exact else ()
        edits = tuple(
            (node.source + (len(parts) if node.kind == "number" else 0), memo, show(node.steps))
            for node, memo in (*self._edits, *self._notes)
        )
        if not self._restructured and not edited:
            return _Shape(None, numbers, edits, None, _tuple_getter([]), tuple(self._counts))
        template, slots = self._template(len(parts))
        return _Shape(None, numbers, edits, template, _tuple_getter(slots), tuple(self._counts))

    def _resolve(self) -> None:
        """Finds the rule of every leaf; a rule on an object or array that comes first in the policy covers it too."""
        covering: dict[int, int | None] = {}
        uniform: dict[int, int | None] = {}
        for node in self._nodes:
            above = covering.get(id(node.parent)) if node.parent else None
            if node.kind in ("object", "array"):
                own = self._of.find(node, node.kind)
                covering[id(node)] = _least(above, own if self._of.takes_whole(own) else None)
            else:
                kind = "boolean" if node.kind in ("true", "false") else node.kind
                index = _least(above, self._of.find(node, kind))
                uniform[id(node)] = self._leaf(node, kind, index)
        for node in reversed(self._nodes):
            if node.kind in ("object", "array"):
                index = covering[id(node)]
                same = index is not None and all(uniform[id(child)] == index for child in node.children)
                uniform[id(node)] = index if same else None
                if same and index is not None:
                    self._remove(node, self._of.effect(index))

    def _leaf(self, node: Node, kind: str, index: int | None) -> int | None:
        path, rule = self._of.rule(index, node, kind)
        self._counts.append((path, rule.name if kind != "null" or rule.effect == "drop" else "null stays"))
        if rule.effect in ("drop", "null"):
            if rule.learns and kind in ("string", "number"):
                self._notes.append((node, rule.note_string if kind == "string" else rule.note_number))
            self._remove(node, rule.effect)
        elif kind != "null" and rule.effect == "rewrite":
            self._edit(node, kind, rule)
        return index

    def _edit(self, node: Node, kind: str, rule: LeafRule) -> None:
        path = show(node.steps)
        if rule is self._of._unknown and kind != "string":
            self._pieces[node.value] = b"0" if kind == "number" else b"false"
            self._restructured = True
        elif not rule.can(kind):
            raise Refusal(path, f"is a {kind}, which rule '{rule.name}' can't work on; use replace, null or drop")
        elif kind == "boolean":
            try:
                self._pieces[node.value] = rule.boolean(node.kind == "true")
            except UnfitError as error:
                raise Refusal(path, str(error)) from None
            self._restructured = True
        else:
            self._edits.append((node, rule.json_string if kind == "string" else rule.json_number))

    def _remove(self, node: Node, effect: str) -> None:
        if effect == "null" or node.parent is None:
            if node.kind != "null":
                self._restructured = True
            for piece in range(node.value, node.end):
                self._pieces[piece] = None
            self._pieces[node.value] = b"null"
        else:
            self._gone.add(id(node))
            self._restructured = True

    def _cut(self) -> None:
        """Takes dropped members out, and the commas that would be left over."""
        for node in self._nodes:
            kept = False
            for child in node.children:
                gone = id(child) in self._gone
                if gone:
                    first = child.start if child.comma is None else child.comma + 1  # the space before it goes too
                    for piece in range(first, child.end):
                        self._pieces[piece] = None
                if child.comma is not None and (gone or not kept):
                    self._pieces[child.comma] = None
                kept = kept or not gone

    def _template(self, stretches: int) -> tuple[bytes, list[int]]:
        places: dict[int, int] = {}
        for node in self._nodes:
            if node.kind == "string":
                places[node.value + 1] = node.source
            elif node.kind == "number" and self._pieces[node.value] == b"":
                places[node.value] = node.source + stretches
        out, slots = [], []
        for number, piece in enumerate(self._pieces):
            if piece is None:
                continue
            if number in places and piece == b"":
                out.append(b"%b")
                slots.append(places[number])
            else:
                out.append(piece.replace(b"%", b"%%"))
        return b"".join(out), slots


def _least(*indexes: int | None) -> int | None:
    known = [index for index in indexes if index is not None]
    return min(known) if known else None


def _refuse(refusal: Refusal) -> _Shape:
    return _Shape(refusal, (), (), None, _tuple_getter([]), ())


def _getter(places: list[int]) -> Callable[[list[bytes]], object]:
    return itemgetter(*places) if places else lambda _parts: ()


def _tuple_getter(places: list[int]) -> Callable[[list[bytes]], tuple[bytes, ...]]:
    if len(places) == 1:
        only = places[0]
        return lambda values: (values[only],)
    return itemgetter(*places) if places else lambda _values: ()


def _number_patterns(parts: list[bytes]) -> Iterable[tuple[int, Pattern[bytes]]]:
    """For each stretch outside of quotes with numbers in it: everything else literally, the numbers as groups.

    Stretches without a number are listed too when they could hold one (an empty array).
    """
    for index in range(0, len(parts), 2):
        part = parts[index]
        between = _NUMBER_RX.split(part)[::2]
        if len(between) > 1 or b"[" in part:
            yield index, compile(_NUMBER.join(escape(text) for text in between))


def _values(shape: _Shape, parts: list[bytes]) -> list[bytes] | None:
    """Stretches followed by numbers; None when the numbers stand elsewhere than in this shape."""
    if not shape.numbers:
        return parts
    values = parts.copy()
    for index, pattern in shape.numbers:
        match = pattern.fullmatch(parts[index])
        if match is None:
            return None
        values += match.groups()
    return values
