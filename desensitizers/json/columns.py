"""JSON documents of one shape rewritten as columns: cut at their quotes, checked to be of the shape, filled in.

What stands between two string values (keys, marks, numbers) must be, byte for byte, what stands there in the document
that the shape was made from; only numbers may differ. So nothing has to be parsed to know that a document is valid:
without a backslash, a control character inside a string or broken UTF-8 nothing else is left that could be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitizers.columnwise import FEW, Block, Bools, Done, Ints, join, pieces
from desensitizers.errors import Refusal, UnfitError
from desensitizers.json.document import key_places
from desensitizers.json.shape import NUMBER, Shape

_TRIES = 8
"""Shapes that are looked for among documents with as many quotes."""
_WORTH = 0.2
"""Share of documents that must fit a shape, or looking for more shapes is given up."""
_SLOT = re.compile(rb"%(b|%)")
_SPLIT = re.compile(NUMBER)
_NUMBER = NUMBER.decode()[1:-1]  # without its group


@dataclass(frozen=True, slots=True)
class Glue:
    """What stands between two string values: the very bytes, or a pattern (RE2) with a group for each number."""

    literal: bytes
    pattern: str = ""

    def fits(self, column: pa.Array) -> pa.Array:
        if self.pattern:
            return pc.match_substring_regex(column, self.pattern)
        return pc.equal(column, pa.scalar(self.literal, pa.binary()))


@dataclass(frozen=True, slots=True)
class Columns:
    """A shape, ready for columns. Sources are indexes into stretches + numbers, as the shape has them."""

    shape: Shape
    quotes: int
    strings: tuple[int, ...]
    """Stretches that are string values."""
    glues: tuple[Glue, ...]
    """Before, between and after them."""
    numbers: dict[int, tuple[int, int]]
    """By source: in which glue a number stands, and as which group."""
    out: tuple[bytes | int, ...] | None
    """The result: bytes and sources; None when it is glue and strings in turn."""

    def cut(self, block: Block, rows: Ints, quotes: Ints) -> tuple[Bools, list[pa.Array]]:
        """Which of the documents (`quotes`: the places of theirs) are of the shape, and the columns of these."""
        bounds = np.empty((len(rows), 2 * len(self.strings) + 2), np.int64)
        bounds[:, 0], bounds[:, -1] = block.starts[rows], block.ends[rows]
        for place, stretch in enumerate(self.strings):
            bounds[:, 2 * place + 1] = quotes[:, stretch - 1] + 1
            bounds[:, 2 * place + 2] = quotes[:, stretch]
        fits = np.ones(len(rows), np.bool_)
        for place, glue in enumerate(self.glues):
            if not glue.pattern:
                fits &= bounds[:, 2 * place + 1] - bounds[:, 2 * place] == len(glue.literal)
        if not fits.any():
            return fits, []
        columns = pieces(block, bounds if fits.all() else bounds[fits])
        right = np.ones(len(columns[0]), np.bool_)
        for glue, column in zip(self.glues, columns[::2], strict=True):
            right &= glue.fits(column).to_numpy(zero_copy_only=False)
        if not right.all():
            columns = [column.filter(pa.array(right)) for column in columns]
            fits[fits] = right
        return fits, columns

    def fill(self, columns: list[pa.Array], *, learning: bool) -> pa.Array | None:
        """The documents rewritten; None when nothing in them changes, or shall. Raises what a rule raises."""
        shape = self.shape
        values = dict(zip(self.strings, columns[1::2], strict=True))
        wanted = {source for source, _memo, _path in shape.edits} | {one for one in self.out or () if type(one) is int}
        for number in {self.numbers[source][0] for source in wanted & self.numbers.keys()}:
            groups = pc.extract_regex(columns[2 * number], self.glues[number].pattern)
            for source, (owner, group) in self.numbers.items():
                if owner == number:
                    values[source] = groups.field(group)
        for source, memo, _path in shape.edits:
            values[source] = memo.column(values[source], wanted=not learning)
        if learning:
            return None
        if self.out is not None:
            return join([one if isinstance(one, bytes) else values[one] for one in self.out])
        if not shape.edits:
            return None
        result: list[pa.Array | bytes] = []
        for place, glue in enumerate(self.glues):
            result.append(columns[2 * place] if glue.pattern else glue.literal)
            if place < len(self.strings):
                result.append(values[self.strings[place]])
        return join(result)


def compiled(shape: Shape, parts: list[bytes]) -> Columns | None:
    """A shape's columns, made from the stretches of one of its documents; None when it has none."""
    keys = set(key_places(parts))
    glues: list[Glue] = []
    strings: list[int] = []
    numbers: dict[int, tuple[int, int]] = {}
    literal, pattern, groups = b"", "", 0
    for index, part in enumerate(parts):
        if index % 2 == 0:
            literal += part
            for place, text in enumerate(_SPLIT.split(part)[::2]):
                if place:
                    pattern += f"(?P<n{groups}>{_NUMBER})"
                    numbers[len(parts) + len(numbers)] = len(glues), groups
                    groups += 1
                pattern += re.escape(text.decode("latin-1"))
        elif index in keys:
            literal += b'"' + part + b'"'
            pattern += re.escape('"' + part.decode("latin-1") + '"')
        else:
            strings.append(index)
            glues.append(Glue(literal + b'"', rf'\A{pattern}"\z' if groups else ""))
            literal, pattern, groups = b'"', '"', 0
    glues.append(Glue(literal, rf"\A{pattern}\z" if groups else ""))
    if any(glue.pattern and not glue.literal.isascii() for glue in glues):
        return None
    out = None if shape.template is None else _template(shape.template, shape.slots)
    if out is not None and all(isinstance(one, bytes) for one in out):
        return None
    return Columns(shape, len(parts) - 1, tuple(strings), tuple(glues), numbers, out)


def _template(template: bytes, sources: tuple[int, ...]) -> tuple[bytes | int, ...]:
    out: list[bytes | int] = []
    left = iter(sources)
    for place, text in enumerate(_SLOT.split(template)):
        if place % 2 == 0:
            out.append(text)
        else:
            out.append(b"%" if text == b"%" else next(left))
    return tuple(out)


def by_shape(find: Callable[[bytes], Columns | None], block: Block, rows: Ints, *, learning: bool) -> Iterator[Done]:
    """Documents of a block that could be done; `find` gives the columns of a document's shape."""
    places = _Places(block, rows)
    for count, group in places.plain():
        left, quotes = group, places.quotes(group, count)
        for _ in range(_TRIES):
            if len(left) < FEW:
                break
            columns = find(block.body(int(left[0])))
            if columns is None or columns.quotes != count:
                break
            alike = places.controls[left] == places.controls[left[0]]
            fits, cut = columns.cut(block, left[alike], quotes[alike])
            alike[alike] = fits
            if cut and len(cut[0]):
                yield from _filled(columns, cut, left[alike], learning=learning)
            if alike.sum() < _WORTH * len(left):
                break
            left, quotes = left[~alike], quotes[~alike]


def _filled(columns: Columns, cut: list[pa.Array], rows: Ints, *, learning: bool) -> Iterator[Done]:
    try:
        result = columns.fill(cut, learning=learning)
    except (Refusal, UnfitError, UnicodeDecodeError):
        return  # the walk finds the one record, and says so
    columns.shape.uses += len(rows)
    yield rows, result


class _Places:
    """Where the quotes of a block are, and in which of its documents nothing but quotes says where strings end."""

    def __init__(self, block: Block, rows: Ints) -> None:
        low, high = int(block.starts[rows[0]]), int(block.ends[rows[-1]])
        data = block.data[low:high]
        starts, ends = block.starts - low, block.ends - low
        found = np.flatnonzero(data == ord('"'))
        self._places = found + low
        self._first = np.searchsorted(found, starts)
        self._count = np.searchsorted(found, ends) - self._first
        self.controls = _within(np.flatnonzero(data < ord(" ")), starts, ends)
        """By row of the block: bytes that may stand between values, but not in a string."""
        slashes = _within(np.flatnonzero(data == ord("\\")), starts, ends)
        plain = rows[slashes[rows] == 0]
        self._plain = plain if len(plain) and _are_text(block, plain) else plain[:0]

    def plain(self) -> Iterator[tuple[int, Ints]]:
        """(number of quotes, rows that have as many)."""
        counts = self._count[self._plain]
        for count in np.unique(counts).tolist():
            yield count, self._plain[counts == count]

    def quotes(self, rows: Ints, count: int) -> Ints:
        """Places in the block's bytes: (rows, count)."""
        found: Ints = self._places[self._first[rows, None] + np.arange(count)]
        return found


def _within(places: Ints, starts: Ints, ends: Ints) -> Ints:
    """How many of the ascending places are in each span."""
    found: Ints = np.searchsorted(places, ends) - np.searchsorted(places, starts)
    return found


def _are_text(block: Block, rows: Ints) -> bool:
    (bodies,) = pieces(block, np.stack([block.starts[rows], block.ends[rows]], 1))
    try:
        bodies.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True
