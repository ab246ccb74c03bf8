"""Millions of needles in gigabytes, in bounded memory and without an automaton of them all.

A block of haystack is reduced to a table of the byte windows it contains (six and eight bytes, hashed). A needle can
only be in the block when all its windows are in the table: that throws out nearly all needles, some ten million a
second, streamed from anywhere. The few that remain are searched exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from desensitizers.learned import fold
from desensitizers.proof.needles import stands

SHORT, LONG = 6, 8
BLOCK_BYTES = 8 << 20
"""What a haystack should hold: it takes about five times as much while it is searched."""
_TABLE_BITS = 23
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - _TABLE_BITS)
_MASK = {SHORT: np.uint64((1 << 48) - 1), LONG: np.uint64((1 << 64) - 1)}
_PAD = bytes(8)
_BETWEEN = b"\n"
_STRETCH = 1 << 20
_EXACT_BYTES = 512 << 10
"""Needles (bytes) searched exactly at a time: making an automaton takes about 40 times as much."""

Places = npt.NDArray[np.uint64]
Table = npt.NDArray[np.uint8]


class Needles:
    """Some needles, packed by the width of the windows that they are looked for by."""

    __slots__ = ("_groups", "weight")

    def __init__(self, needles: Sequence[bytes]) -> None:
        lengths = np.fromiter(map(len, needles), np.int64, len(needles))
        self.weight = int(lengths.sum())
        bounds = ((0, lengths < SHORT), (SHORT, (lengths >= SHORT) & (lengths < LONG)), (LONG, lengths >= LONG))
        self._groups = [
            _Group(width, [needles[index] for index in np.flatnonzero(chosen).tolist()], lengths[chosen])
            for width, chosen in bounds
            if chosen.any()
        ]

    def possible(self, table: Callable[[int], Table]) -> Iterator[bytes]:
        """Those whose windows are all in the table of their width; all that are too short to have one."""
        for group in self._groups:
            yield from group.possible(table)


class _Group:
    """Needles that are looked for by windows of one width (0: too short to have one)."""

    __slots__ = ("_data", "_sizes", "_starts", "_width")

    def __init__(self, width: int, needles: list[bytes], sizes: npt.NDArray[np.int64]) -> None:
        self._width = width
        self._data = b"".join(needles) + _PAD
        self._sizes = sizes.astype(np.int32)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def possible(self, table: Callable[[int], Table]) -> Iterator[bytes]:
        starts, sizes = self._starts, self._sizes
        if self._width:
            absent = np.zeros(len(self._data) + 1, np.int32)
            known = table(self._width)
            for offset, places in _windows(self._data, self._width):
                absent[1 + offset : 1 + offset + 8 * len(places) : 8] = known[places] == 0
            np.cumsum(absent, out=absent)
            present = absent[starts + sizes - self._width + 1] == absent[starts]
            starts, sizes = starts[present], sizes[present]
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
            yield self._data[start : start + size]


class Haystack:
    """Pieces of bytes, searched as one, in lower case."""

    def __init__(self, pieces: Iterable[bytes] = ()) -> None:
        self._data = bytearray(_BETWEEN)
        for piece in pieces:
            self.add(piece)

    def __len__(self) -> int:
        return len(self._data)

    def add(self, piece: bytes) -> None:
        self._data += fold(piece)
        self._data += _BETWEEN

    def find(self, needles: Iterable[Needles]) -> set[bytes]:
        """Those of the needles (folded already) that are in the haystack."""
        tables: dict[int, Table] = {}

        def table(width: int) -> Table:
            if width not in tables:
                tables[width] = np.zeros(1 << _TABLE_BITS, np.uint8)
                for start in range(0, len(self._data), _STRETCH):
                    # Windows that begin in this stretch end in the next one, or in the padding.
                    stretch = bytes(self._data[start : start + _STRETCH + 7])
                    for _offset, places in _windows(stretch + _PAD, width):
                        tables[width][places] = 1
            return tables[width]

        found: set[bytes] = set()
        candidates: set[bytes] = set()
        weight = 0
        for block in needles:
            for needle in block.possible(table):
                candidates.add(needle)
                weight += len(needle)
                if weight > _EXACT_BYTES:
                    found |= Exact(candidates).find(bytes(self._data))
                    candidates, weight = set(), 0
        return found | Exact(candidates).find(bytes(self._data)) if candidates else found


class Exact:
    """A few needles (folded), searched at once in any number of texts."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        self._needles = sorted(needles)
        self._automaton: Any = None
        if self._needles:
            from daachorse import DoubleArrayAhoCorasick

            self._automaton = DoubleArrayAhoCorasick(self._needles)

    def find(self, data: bytes) -> set[bytes]:
        """Those that are in `data`, which is folded already."""
        if self._automaton is None:
            return set()
        hits = self._automaton.find_overlapping(data)
        return {self._needles[number] for start, end, number in hits if stands(data, start, end)}

    def any_in(self, pieces: Iterable[bytes]) -> bool:
        """Whether one of them is in one of the pieces, in upper or lower case."""
        return any(self.find(fold(piece)) for piece in pieces)


def _windows(padded: bytes, width: int) -> Iterator[tuple[int, Places]]:
    """(offset, places in a table) of the windows at offset, offset + 8, …; eight offsets cover every window.

    Six-byte windows are read as eight bytes and masked, so the data ends with `_PAD`.
    """
    mask = _MASK[width]
    for offset in range(8):
        values = np.frombuffer(padded, "<u8", count=(len(padded) - offset) // 8, offset=offset)
        values = values & mask
        values *= _FACTOR
        values >>= _SHIFT
        yield offset, values
