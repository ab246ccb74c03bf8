"""Rewrites JSON documents shape by shape: the first of a shape is parsed and planned, the rest only filled in.

After that a record costs one split, two dictionary look-ups and one remembered answer per changed leaf. A document
in which nothing changes keeps its exact bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from desensitizers.errors import Refusal, UnfitError
from desensitizers.json.document import NotJsonError, key_places, skeleton, split
from desensitizers.json.planner import plan
from desensitizers.json.shape import Shape, getter
from desensitizers.pathrules import PathRules
from desensitizers.sink import Sink

if TYPE_CHECKING:
    from desensitizers.columnwise import Block, Done, Ints

SHAPES = 4_096
SHAPES_BYTES = 16 << 20
"""Shapes, and bytes of documents they were made from, that are kept before all are forgotten: documents whose keys
are data would fill the memory otherwise."""


class JsonRewriter:
    """Applies rules by path to documents of one payload of one topic."""

    def __init__(self, place: str, rules: PathRules, sink: Sink) -> None:
        self._place = place
        self._rules = rules
        self._sink = sink
        self._keys: dict[bytes, Callable[[list[bytes]], object]] = {}
        self._shapes: dict[tuple[bytes, object], list[Shape]] = {}
        self._weight = 0

    def rewrite(self, document: bytes) -> bytes:
        """The clean document. Raises Refusal."""
        try:
            parts = split(document)
        except NotJsonError:
            raise Refusal("", "is not valid JSON", undecodable=True) from None
        shape, values = self._find(parts)
        shape.uses += 1
        if shape.refusal is not None:
            raise shape.refusal.again()
        try:
            for index, memo, path in shape.edits:  # noqa: B007  (the handler names the path)
                values[index] = memo[values[index]]
        except UnfitError as error:
            raise error.at(path) from None
        if self._rules.learning:
            return document
        if shape.template is None:
            del values[len(parts) :]
            return b'"'.join(values)
        return shape.template % shape.filled(values)

    def columns(self, block: Block, rows: Ints) -> Iterator[Done]:
        """The clean documents of those rows that have a shape in common with others and nothing to refuse."""
        from desensitizers.json.columns import Columns, by_shape, compiled

        def find(document: bytes) -> Columns | None:
            try:
                parts = split(document)
            except NotJsonError:
                return None
            shape, _values = self._find(parts)
            if shape.columns is None:
                shape.columns = (compiled(shape, parts) if shape.refusal is None else None) or False
            return shape.columns or None

        return by_shape(find, block, rows, learning=self._rules.learning)

    def flush_counts(self) -> None:
        """Adds what was done since the last call to the sink's counts."""
        for shapes in self._shapes.values():
            for shape in shapes:
                if shape.uses:
                    for path, what in shape.counts:
                        self._sink.counts[self._place, path, what] += shape.uses
                    shape.uses = 0

    def _find(self, parts: list[bytes]) -> tuple[Shape, list[bytes]]:
        """The shape of a document, and its stretches and numbers (which may be `parts` itself)."""
        bones = skeleton(parts)
        keys = self._keys.get(bones)
        if keys is None:
            keys = self._keys[bones] = getter(key_places(parts))
        return self._shape((bones, keys(parts)), parts)

    def _shape(self, key: tuple[bytes, object], parts: list[bytes]) -> tuple[Shape, list[bytes]]:
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
            values = shape.values(parts)
            if values is not None:
                return shape, values
        try:
            shape = plan(self._rules, parts, key[0])
        except NotJsonError:
            shape = Shape.refusing(Refusal("", "has a key twice in one object", undecodable=True))
        known.append(shape)
        values = shape.values(parts)
        assert values is not None  # the shape was made from these very parts
        return shape, values
