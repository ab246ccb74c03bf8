"""What of many payloads was not looked at before: customers repeat, and so do the leaves that tell of them.

Payloads are cut behind every comma that a quote follows, as between the members of a JSON object, and a piece is known
again by 64 bits of hash under a secret number: it is taken for another once in 10^19. What must be found is found in a
piece, or in a payload that isn't cut.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from desensitizers.buffers import unpacked
from desensitizers.proof.lines import Lines

_COMMA, _SPACE, _QUOTE = b', "'
_LONGEST = 512
"""Bytes of the longest piece that is known again: longer ones hardly ever repeat."""
_AT_ONCE = 1 << 14
_ENOUGH = 500
"""Pieces by which it is judged whether those of a place repeat at all."""
_REST = 15
"""How often pieces of a place that don't repeat are not looked up then."""
_FEWEST_SLOTS, _MOST_SLOTS = 1 << 16, 1 << 23
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_ALL = (1 << 64) - 1
_BEGINNING = np.array([(1 << 8 * size) - 1 for size in range(8)] + [_ALL], np.uint64)
"""Masks for the first bytes of a word."""
_CONTROL = np.array([byte < _SPACE and byte not in b"\t\n\r" for byte in range(256)])
_ESCAPED_BYTES = (
    (ord("\\"), re.compile(rb"\\(?:x|[0-3][0-7][0-7]|u\{|U00|u00[01])")),
    (ord("="), re.compile(rb"=[0-9A-Fa-f]{2}=[0-9A-Fa-f]{2}")),
)
"""How bytes are written that need not be text, in a way that leaves commas and quotes as they are."""

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Fresh:
    """Pieces that were not met before."""

    column: Any
    """A binary Arrow array."""
    hashes: Words
    """Of each; 0 when it can't be known again."""
    sources: tuple[tuple[Any, Places, Places], ...]
    """The arrays that they are of, one after the other; where in its bytes the rows of each begin, and the pieces."""
    places: tuple[str, ...]

    @classmethod
    def together(cls, several: Sequence[Fresh]) -> Fresh:
        """Those of several columns as one."""
        import pyarrow as pa

        return cls(
            pa.concat_arrays([one.column for one in several]),
            np.concatenate([one.hashes for one in several]),
            tuple(source for one in several for source in one.sources),
            tuple(place for one in several for place in one.places),
        )

    @cached_property
    def lines(self) -> Lines:
        return Lines.of(self.column)

    def payload(self, piece: int) -> bytes | None:
        """What a piece was cut from."""
        for whole, rows, pieces in self.sources:
            if piece < len(pieces):
                found: bytes | None = whole[int(np.searchsorted(rows, pieces[piece], "right")) - 1].as_py()
                return found
            piece -= len(pieces)
        raise IndexError(piece)


class Repeats:
    """Pieces that were looked at: as many as fit, those met last."""

    def __init__(self) -> None:
        self._seed = np.uint64(secrets.randbits(64))
        self._slots = np.zeros(_FEWEST_SLOTS, np.uint64)
        self._added = 0
        self._met: set[str] = set()
        self._resting: dict[str, int] = {}

    def fresh(self, column: Any, place: str = "") -> Fresh | None:
        """The pieces of a binary Arrow array that weren't remembered; None when it must be looked at as a whole.

        What has the same `place` is alike: where nothing repeats, payloads come whole and won't be remembered.
        """
        import pyarrow as pa

        if self._resting.get(place, 0) > 0:
            self._resting[place] -= 1
            every = np.arange(len(column))
            return Fresh(column, np.zeros(len(column), np.uint64), ((column, every, every),), (place,))
        begins, data = _content(column)
        if not len(data) or _in_one_piece(data):
            return None
        bounds = np.sort(np.concatenate((begins, _cuts(data, begins))))
        sizes = np.diff(bounds)
        hashes = _hashes(data, bounds, self._seed)
        hashes[sizes > _LONGEST] = 0
        new = np.flatnonzero(((self._slots[self._places(hashes)] != hashes) | (hashes == 0)) & (sizes > 0))
        if place in self._met and 8 * len(new) > 7 * len(sizes) > _ENOUGH:
            self._resting[place] = _REST
        pieces = pa.Array.from_buffers(
            pa.binary(), len(sizes), [None, pa.py_buffer(bounds.astype(np.int32)), pa.py_buffer(data)]
        ).take(pa.array(new))
        return Fresh(pieces, hashes[new], ((column, begins, bounds[new]),), (place,))

    def remember(self, looked_at: Fresh, *, but: Collection[int] = ()) -> None:
        """From now on these are no news, `but` some of them."""
        hashes = looked_at.hashes.copy()
        hashes[list(but)] = 0
        hashes = hashes[hashes != 0]
        self._met.update(looked_at.places)
        self._added += len(hashes)
        size = len(self._slots)
        while self._added > size < _MOST_SLOTS:
            size *= 2
        if size > len(self._slots):
            known = self._slots[self._slots != 0]
            self._slots = np.zeros(size, np.uint64)
            self._slots[self._places(known)] = known
        self._slots[self._places(hashes)] = hashes

    def _places(self, hashes: Words) -> Places:
        return (hashes >> np.uint64(65 - len(self._slots).bit_length())).view(np.intp)


def cut(needle: bytes) -> bool:
    """Whether a needle (see `needles`) might stand where payloads are cut, so that no piece has it whole."""
    inner = needle.strip(b"\n")
    return b',"' in inner or b', "' in inner or b"\n" in inner or needle.startswith(b'\n"')


def _content(column: Any) -> tuple[Places, npt.NDArray[np.uint8]]:
    """Where the payloads of a binary Arrow array begin, and where the last one ends; their bytes."""
    if not len(column):
        return np.zeros(1, np.intp), np.empty(0, np.uint8)
    bounds, data = unpacked(column)
    return bounds - bounds[0], data[bounds[0] : bounds[-1]]


def _in_one_piece(data: npt.NDArray[np.uint8]) -> bool:
    """Whether there may be more than text, plain or escaped: what compressed bytes hold can't be read in pieces."""
    if data.min() < _SPACE and _CONTROL[data].any():
        return True
    text = None
    if data.max() > 127:
        text = data.tobytes()
        try:
            text.decode()
        except UnicodeDecodeError:
            return True
    for mark, escaped in _ESCAPED_BYTES:
        if (data == mark).any():
            text = text or data.tobytes()
            if escaped.search(text):
                return True
    return False


def _cuts(data: npt.NDArray[np.uint8], bounds: Places) -> Places:
    """The places behind commas that a quote follows, or a space and a quote, in the same payload."""
    begins = np.zeros(len(data) + 3, np.bool_)
    begins[bounds] = True
    comma = np.flatnonzero(data[:-1] == _COMMA)
    after, then = data[comma + 1], data[np.minimum(comma + 2, len(data) - 1)]
    quoted = (after == _QUOTE) | ((after == _SPACE) & (then == _QUOTE) & ~begins[comma + 2])
    found: Places = comma[quoted & ~begins[comma + 1]] + 1
    return found


def _hashes(data: npt.NDArray[np.uint8], bounds: Places, seed: np.uint64) -> Words:
    """Of pieces that follow each other, so many at a time that their bytes stay in the processor's cache."""
    found = []
    for first in range(0, len(bounds) - 1, _AT_ONCE):
        some = bounds[first : first + _AT_ONCE + 1]
        found.append(_hashes_of_some(data[some[0] : some[-1]], some[:-1] - some[0], np.diff(some), seed))
    return np.concatenate(found)


def _hashes_of_some(data: npt.NDArray[np.uint8], starts: Places, sizes: Places, seed: np.uint64) -> Words:
    """By their length and words, the last of which may overlap; never 0."""
    padded = np.concatenate((data, np.zeros(8, np.uint8)))
    words = np.ndarray((len(data) + 1,), "<u8", padded.data, strides=(1,))
    clipped = np.minimum(sizes, _LONGEST)
    order = np.argsort(clipped.astype(np.uint16), kind="stable")[::-1]
    begin, size = starts[order], clipped[order]
    mixed = size.astype(np.uint64) * _FACTOR ^ seed
    mixed ^= words[begin] & _BEGINNING[np.minimum(size, 8)]
    longer = len(size) - np.searchsorted(size[::-1], np.arange(8, _LONGEST, 8), "right")
    last = begin + size - 8
    for number, count in enumerate(longer.tolist(), 1):
        if not count:
            break
        some = mixed[:count]
        some *= _FACTOR
        some ^= some >> _HALF
        some ^= words[np.minimum(begin[:count] + 8 * number, last[:count])]
    mixed *= _FACTOR
    mixed ^= mixed >> _HALF
    mixed *= _FACTOR
    mixed |= np.uint64(1)
    found = np.empty_like(mixed)
    found[order] = mixed
    return found
