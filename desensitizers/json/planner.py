"""Plans a shape: visits every leaf of one parsed document, finds its rule, and turns what is dropped, emptied or
constant into constants, so that nothing of this is left to do for the next document of the shape.
"""

from __future__ import annotations

from desensitizers.errors import Refusal, UnfitError
from desensitizers.json.document import Document, Node, ambiguous, parse
from desensitizers.json.shape import Shape, number_patterns
from desensitizers.leaves import Beside, LeafRule, Memo
from desensitizers.pathrules import PathRules, least
from desensitizers.paths import show


def plan(rules: PathRules, parts: list[bytes], bones: bytes) -> Shape:
    """The shape of a document, given as its stretches and skeleton. Raises NotJsonError when a key stands twice."""
    try:
        return _Planner(rules, parse(parts)).shape(parts, exact=ambiguous(bones))
    except Refusal as refusal:
        return Shape.refusing(refusal)


class _Planner:
    """Turns one parsed document into a shape."""

    def __init__(self, rules: PathRules, document: Document) -> None:
        self._rules = rules
        self._nodes = document.nodes
        self._pieces: list[bytes | None] = list(document.pieces)
        self._edits: list[tuple[Node, Memo | Beside]] = []
        self._counts: list[tuple[str, str]] = []
        self._gone: set[int] = set()
        self._restructured = False
        self._notes: list[tuple[Node, Memo | Beside]] = []

    def shape(self, parts: list[bytes], *, exact: bool) -> Shape:
        self._resolve()
        self._cut()
        edited = {id(node) for node, _memo in (*self._edits, *self._notes) if node.kind == "number"}
        exact = exact or self._restructured or bool(edited)
        numbers = tuple(number_patterns(parts)) if exact else ()
        edits = tuple(
            (node.source + (len(parts) if node.kind == "number" else 0), memo, show(node.steps))
            for node, memo in (*self._edits, *self._notes)
        )
        if not self._restructured and not edited:
            return Shape(None, numbers, edits, None, (), tuple(self._counts))
        template, slots = self._template(len(parts))
        return Shape(None, numbers, edits, template, tuple(slots), tuple(self._counts))

    def _resolve(self) -> None:
        """Finds the rule of every leaf; a rule on an object or array that comes first in the policy covers it too."""
        covering: dict[int, int | None] = {}
        uniform: dict[int, int | None] = {}
        for node in self._nodes:
            above = covering.get(id(node.parent)) if node.parent else None
            if node.kind in ("object", "array"):
                own = self._rules.find(node.steps, node.kind)
                covering[id(node)] = least(above, own if self._rules.takes_whole(own) else None)
            else:
                kind = "boolean" if node.kind in ("true", "false") else node.kind
                index = least(above, self._rules.find(node.steps, kind))
                uniform[id(node)] = self._leaf(node, kind, index)
        for node in reversed(self._nodes):
            if node.kind in ("object", "array"):
                index = covering[id(node)]
                same = index is not None and all(uniform[id(child)] == index for child in node.children)
                uniform[id(node)] = index if same else None
                if same and index is not None:
                    self._remove(node, self._rules.effect(index))

    def _leaf(self, node: Node, kind: str, index: int | None) -> int | None:
        path, rule = self._rules.rule(index, node.steps, kind)
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
        if rule is self._rules.unknown and kind != "string":
            self._pieces[node.value] = b"0" if kind == "number" else b"false"
            self._restructured = True
        elif not rule.can(kind):
            raise Refusal(path, f"is a {kind}, which rule '{rule.name}' can't work on; use replace, null or drop")
        elif kind == "boolean":
            try:
                self._pieces[node.value] = rule.boolean(node.kind == "true")
            except UnfitError as error:
                raise error.at(path) from None
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
