"""Millions of needles in gigabytes, in bounded memory and without an automaton of them all.

A block of haystack is reduced to a table of the byte windows it contains (six and eight bytes, hashed). A needle can
only be in the block when all its windows are in the table: that throws out nearly all needles, some ten million a
second, streamed from anywhere. The few that remain are searched exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from desensitizers.learned import fold
from desensitizers.proof.needles import stands

SHORT, LONG = 6, 8
BLOCK_BYTES = 12 << 20
"""What a haystack should hold: it takes about ten times as much while it is searched."""
_TABLE_BITS = 24
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - _TABLE_BITS)
_MASK = {SHORT: np.uint64((1 << 48) - 1), LONG: None}
_EXACT_BYTES = 2 << 20
"""Needles (bytes) searched exactly at a time: an automaton takes about 40 times as much."""

Places = npt.NDArray[np.uint64]
Table = npt.NDArray[np.uint8]


class Needles:
    """Some needles, packed: their bytes, and for each width the places of their windows in a table."""

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

    __slots__ = ("_data", "_places", "_sizes", "_starts", "_width")

    def __init__(self, width: int, needles: list[bytes], sizes: npt.NDArray[np.int64]) -> None:
        self._width = width
        self._data = b"".join(needles)
        self._sizes = sizes
        self._starts = np.cumsum(sizes) - sizes
        self._places = np.zeros(len(self._data), np.uint32)
        if width:
            for offset, places in _windows(self._data, width):
                self._places[offset : offset + 8 * len(places) : 8] = places

    def possible(self, table: Callable[[int], Table]) -> Iterator[bytes]:
        starts, sizes = self._starts, self._sizes
        if self._width:
            absent = np.zeros(len(self._data) + 1, np.int32)
            np.cumsum(table(self._width)[self._places] == 0, out=absent[1:])
            present = absent[starts + sizes - self._width + 1] == absent[starts]
            starts, sizes = starts[present], sizes[present]
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
            yield self._data[start : start + size]


class Haystack:
    """Some blocks of bytes, searched as one, in lower case."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._data = b"\n".join((b"", *map(fold, pieces), b""))
        self._tables: dict[int, Table] = {}

    def find(self, needles: Iterable[Needles]) -> set[bytes]:
        """Those of the needles (folded already) that are in the haystack."""
        found: set[bytes] = set()
        candidates: set[bytes] = set()
        weight = 0
        for block in needles:
            for needle in block.possible(self._table):
                candidates.add(needle)
                weight += len(needle)
            if weight > _EXACT_BYTES:
                found |= self._exact(candidates)
                candidates, weight = set(), 0
        return found | self._exact(candidates)

    def _table(self, width: int) -> Table:
        table = self._tables.get(width)
        if table is None:
            table = self._tables[width] = np.zeros(1 << _TABLE_BITS, np.uint8)
            for _offset, places in _windows(self._data, width):
                table[places] = 1
        return table

    def _exact(self, needles: set[bytes]) -> set[bytes]:
        if not needles:
            return set()
        from daachorse import DoubleArrayAhoCorasick

        ordered = sorted(needles)
        found: set[bytes] = set()
        for start, end, number in DoubleArrayAhoCorasick(ordered).find_overlapping(self._data):
            if stands(self._data, start, end):
                found.add(ordered[number])
        return found


def _windows(data: bytes, width: int) -> Iterator[tuple[int, Places]]:
    """(offset, places in a table) of the windows at offset, offset + 8, …; eight offsets cover every window.

    Six-byte windows are read as eight bytes and masked, so the data is padded.
    """
    padded = data + bytes(8 - width)
    mask = _MASK[width]
    for offset in range(8):
        count = (len(padded) - offset) // 8
        if count <= 0:
            continue
        values = np.frombuffer(padded, "<u8", count=count, offset=offset)
        if mask is not None:
            values = values & mask
        values = values * _FACTOR
        values >>= _SHIFT
        yield offset, values
