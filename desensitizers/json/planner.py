"""Plans a shape: visits every leaf of one parsed document, finds its rule, and turns what is dropped, emptied or
constant into constants, so that nothing of this is left to do for the next document of the shape.
"""

from __future__ import annotations

from desensitizers.errors import Refusal, UnfitError
from desensitizers.explaining import seen
from desensitizers.json.document import Document, Node, ambiguous, parse, unquote
from desensitizers.json.shape import Shape, number_patterns
from desensitizers.leaves import LeafRule
from desensitizers.memos import Beside, Memo
from desensitizers.pathrules import PathRules, least
from desensitizers.paths import MAP_KEY


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
        self._emptied: set[int] = set()
        self._told: set[int] = set()
        """What an explanation says is unknown: the line that names it has its name too."""
        self._restructured = False
        self._notes: list[tuple[Node, Memo | Beside]] = []

    def shape(self, parts: list[bytes], *, exact: bool) -> Shape:
        self._resolve()
        self._names()
        self._cut()
        edited = {id(node) for node, _memo in (*self._edits, *self._notes) if node.kind == "number"}
        exact = exact or self._restructured or bool(edited)
        numbers = tuple(number_patterns(parts)) if exact else ()
        edits = tuple(
            (node.source + (len(parts) if node.kind == "number" else 0), memo, seen(node.steps))
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
                if index is None and self._rules.explaining:
                    self._told.add(id(node))
        for node in reversed(self._nodes):
            if node.kind in ("object", "array"):
                index = covering[id(node)]
                same = index is not None and all(uniform[id(child)] == index for child in node.children)
                uniform[id(node)] = index if same else None
                if node.children and self._told.issuperset(map(id, node.children)):
                    self._told.add(id(node))
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
        path = seen(node.steps)
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
            self._emptied.add(id(node))
        else:
            self._gone.add(id(node))
            self._restructured = True

    def _names(self) -> None:
        """Renames members, and takes out those whose name may not pass; what goes anyway is not asked for its name."""
        within: set[int] = set()
        taken: set[tuple[int, str]] = set()
        for node in self._nodes:
            parent = node.parent
            if parent is None:
                continue
            if {id(parent), id(node)} & self._gone or id(parent) in self._emptied or id(parent) in within:
                within.add(id(node))
                continue
            if node.start == node.value or id(node) in self._told:
                continue
            name = node.steps[-1]
            found = self._rules.name(node.steps)
            if found is not None:
                path, rule = found
                self._counts.append((path, rule.name))
                if rule.effect == "drop":
                    self._gone.add(id(node))
                    within.add(id(node))
                    self._restructured = True
                    continue
                name = self._renamed(node, rule)
            if (id(parent), name) in taken:
                place = seen((*parent.steps, MAP_KEY))
                raise Refusal(place, "two names of an object became one; use a rule that keeps them apart")
            taken.add((id(parent), name))

    def _renamed(self, node: Node, rule: LeafRule) -> str:
        before = self._pieces[node.start]
        assert before is not None
        try:
            after = b'"' + rule.json_string[before[1:-1]] + b'"' if rule.effect == "rewrite" else before
        except UnfitError as error:
            raise Refusal(seen((*node.steps[:-1], MAP_KEY)), str(error)) from None
        if after != before:
            self._pieces[node.start] = after
            self._restructured = True
        return unquote(after[1:-1])

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
