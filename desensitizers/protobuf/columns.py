"""Protobuf bodies rewritten as columns: the cursors of many move together, field by field, in the order of numbers.

That is how writers write them: singular fields in ascending order, each once at most. A body that has anything else
(a field that the schema lacks, one that repeats, a map, what is refused) is left to the walk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from desensitizers.columnwise import FEW, Block, Bools, Done, Ints, answers, join, pieces
from desensitizers.errors import Refusal, UnfitError
from desensitizers.protobuf.tables import (
    EDIT_FIXED,
    EDIT_SIZED,
    EDIT_VARINT,
    KEEP_FIXED,
    KEEP_SIZED,
    KEEP_VARINT,
    MESSAGE,
    Handler,
    Message,
)
from desensitizers.varint import write

_Kind = TypeVar("_Kind", np.int64, np.bool_)
_LONGEST_VARINT = 10
_LONGEST_SIZE = 5
_PADDING = bytes(16)


@dataclass(frozen=True, slots=True)
class Member:
    """A field that may be there once: its tag's bytes, and the members within when it is a message."""

    tag: bytes
    handler: Handler
    members: tuple[Member, ...] = ()


_EDITS = (EDIT_SIZED, EDIT_VARINT, EDIT_FIXED)
_KEEPS = (KEEP_SIZED, KEEP_VARINT, KEEP_FIXED)


def members(message: Message) -> tuple[Member, ...]:
    """What columns know of a message, in the order of numbers; the fields they don't know are left to the walk."""
    found = []
    for tag, handler in sorted(message.handlers.items()):
        op, argument, gone = handler.step
        if op in _EDITS or (op in _KEEPS and not (op == KEEP_SIZED and argument is not None)):
            found.append(Member(write(tag), handler))
        elif op == MESSAGE and argument.make is None and not gone:
            found.append(Member(write(tag), handler, members(argument)))
    return tuple(found)


def rewritten(known: Sequence[Member], block: Block, rows: Ints, *, learning: bool) -> Iterator[Done]:
    """Bodies of a block that could be done."""
    if not len(rows):
        return
    walk = _Walk(block, rows)
    walk.through(known)
    walk.ok &= walk.at == walk.limit
    chosen = np.flatnonzero(walk.ok)
    if len(chosen) < FEW:
        return
    try:
        clean = _Edits(block, walk, chosen).joined(learning=learning)
    except (Refusal, UnfitError, UnicodeDecodeError):
        return  # the walk finds the one record, and says so
    for handler, there in walk.met:
        handler.uses += int(there[chosen].sum())
    yield rows[chosen], clean


@dataclass(frozen=True, slots=True)
class _Span:
    """What one edit takes out of each body, and what it knows about it; empty where the field is not there."""

    member: Member
    there: Bools
    start: Ints
    content: Ints
    end: Ints
    size: Ints | None = None
    """For the length of a message: that length, and how many of the spans after this one are within."""
    within: int = 0


class _Walk:
    """The cursors of some bodies; `ok` says which are still as expected."""

    def __init__(self, block: Block, rows: Ints) -> None:
        self.low = int(block.starts[rows[0]])
        data = block.data[self.low : int(block.ends[rows[-1]])]
        self._data = np.concatenate([data, np.frombuffer(_PADDING, np.uint8)])
        self.at = block.starts[rows] - self.low
        self.limit = block.ends[rows] - self.low
        self.begin = self.at.copy()
        self.ok = np.ones(len(rows), np.bool_)
        self.spans: list[_Span] = []
        self.met: list[tuple[Handler, Bools]] = []

    def through(self, known: Sequence[Member]) -> None:
        for member in known:
            start = self.at
            there = self._stands(member.tag)
            if not there.any():
                continue
            self.met.append((member.handler, there))
            self._move(there, len(member.tag))
            self._value(member, there, start)

    def _value(self, member: Member, there: Bools, tag: Ints) -> None:
        op, argument, gone = member.handler.step
        start = self.at
        if op in (KEEP_SIZED, EDIT_SIZED, MESSAGE):
            size = self._size(there)
        elif op in (KEEP_FIXED, EDIT_FIXED):
            size = np.where(there, argument if op == KEEP_FIXED else argument[0], 0)
        else:
            size = np.zeros_like(start)
            self._varint(there)
        content = self.at if op not in (KEEP_VARINT, EDIT_VARINT) else start
        if op == MESSAGE:
            self._inside(member, there, start, content, size)
            return
        self._move(there, size)
        if op in _EDITS or gone:
            self.spans.append(_Span(member, there, tag if gone else start, content, self.at))

    def _inside(self, member: Member, there: Bools, start: Ints, content: Ints, size: Ints) -> None:
        outer = self.limit
        self.limit = np.minimum(content + size, outer)
        self.ok &= content + size <= outer
        place = len(self.spans)
        self.through(member.members)
        self.ok &= self.at == self.limit
        self.at, self.limit = np.where(there, self.limit, self.at), outer
        if len(self.spans) > place:
            self.spans.insert(place, _Span(member, there, start, content, content, size, len(self.spans) - place))

    def _stands(self, tag: bytes) -> Bools:
        there: Bools = self.at < self.limit
        for place, byte in enumerate(tag):
            there &= self._data[self.at + place] == byte
        return there

    def _move(self, there: Bools, size: Ints | int) -> None:
        """On by `size` bytes; what would go beyond its end stays there and is not ok."""
        after = self.at + np.where(there, size, 0)
        short = after > self.limit
        if short.any():
            self.ok &= ~short
            after = np.minimum(after, self.limit)
        self.at = after

    def _size(self, there: Bools) -> Ints:
        start = self.at
        self._varint(there, _LONGEST_SIZE)
        size = np.where(there, self._data[start] & 0x7F, 0).astype(np.int64)
        for place in range(1, _LONGEST_SIZE):
            more = self.at - start > place
            if not more.any():
                break
            size[more] |= (self._data[start[more] + place] & 0x7F).astype(np.int64) << (7 * place)
        return size

    def _varint(self, there: Bools, longest: int = _LONGEST_VARINT) -> None:
        """Behind a number."""
        start, going = self.at, there
        for place in range(longest):
            more = going & (self._data[start + place] > 0x7F)
            self._move(going, 1)
            if not more.any():
                return
            going = more
        self.ok &= ~going


class _Edits:
    """What becomes of the bodies that are as expected."""

    def __init__(self, block: Block, walk: _Walk, chosen: Ints) -> None:
        self._spans = walk.spans
        self._block = block
        self._low = walk.low
        self._all = len(chosen) == len(walk.ok)
        self._chosen = chosen
        self._bounds = np.empty((len(chosen), 2 * len(self._spans) + 2), np.int64)
        self._bounds[:, 0] = self._of(walk.begin)
        self._bounds[:, -1] = self._of(walk.at)
        for place, span in enumerate(self._spans):
            self._bounds[:, 2 * place + 1] = self._of(span.start)
            self._bounds[:, 2 * place + 2] = self._of(span.end)
        self._bounds += self._low

    def joined(self, *, learning: bool) -> pa.Array | None:
        """The clean bodies; None when nothing changes. Raises UnfitError and UnicodeDecodeError."""
        new: list[pa.Array | None] = [self._answered(span) for span in self._spans]
        if learning or not self._spans:
            return None
        columns = pieces(self._block, self._bounds)
        for place in range(len(self._spans) - 1, -1, -1):
            if new[place] is None:
                new[place] = self._sizes(place, columns[2 * place + 1], new)
        result: list[pa.Array | bytes] = [columns[0]]
        for place, column in enumerate(new):
            assert column is not None
            result += [column, columns[2 * place + 2]]
        return join(result)

    def _of(self, values: npt.NDArray[_Kind]) -> npt.NDArray[_Kind]:
        return values if self._all else values[self._chosen]

    def _answered(self, span: _Span) -> pa.Array | None:
        """What stands in the place of a span afterwards, nothing where it is not there; None for a length."""
        if span.size is not None:
            return None
        op, argument, gone = span.member.handler.step
        there = self._of(span.there)
        rows = np.flatnonzero(there)
        found = pa.array([], pa.binary())
        if len(rows) and op in _EDITS:
            bounds = np.stack([self._of(span.content)[rows], self._of(span.end)[rows]], 1) + self._low
            found = answers(argument[1] if op == EDIT_FIXED else argument, pieces(self._block, bounds)[0])
        if gone:
            return _spread(found[:0], np.zeros_like(there))
        return found if len(rows) == len(there) else _spread(found, there)

    def _sizes(self, place: int, before: pa.Array, new: Sequence[pa.Array | None]) -> pa.Array:
        """Lengths of messages in which something was edited; as they are where nothing was."""
        span = self._spans[place]
        assert span.size is not None
        size = self._of(span.size).copy()
        edited = np.zeros(len(size), np.bool_)
        for inner in range(place + 1, place + 1 + span.within):
            column = new[inner]
            assert column is not None
            size += _lengths(column) - (self._bounds[:, 2 * inner + 2] - self._bounds[:, 2 * inner + 1])
            if self._spans[inner].size is None:
                edited |= self._of(self._spans[inner].there)
        different, places = np.unique(size, return_inverse=True)
        after = pa.array([write(one) for one in different.tolist()], pa.binary()).take(pa.array(places))
        if edited.all():
            return after
        rows = np.arange(len(size))
        return pa.concat_arrays([after, before]).take(pa.array(np.where(edited, rows, len(size) + rows)))


def _lengths(column: pa.Array) -> Ints:
    block = Block.of(column)
    return block.ends - block.starts


def _spread(found: pa.Array, there: Bools) -> pa.Array:
    """`found` where something is there, in order; nothing elsewhere."""
    places = np.where(there, np.cumsum(there) - 1, len(found))
    return pa.concat_arrays([found, pa.array([b""], pa.binary())]).take(pa.array(places))
