"""Millions of needles in gigabytes, in bounded memory and without an automaton of them all.

A block of haystack is reduced to a table of the byte windows it contains (six and eight bytes, hashed). A needle can
only be in the block when all its windows are in the table: that throws out nearly all needles at some
ten million a second, streamed from anywhere. The few that remain are searched exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

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

Indexes = npt.NDArray[np.uint64]


class Haystack:
    """Some blocks of bytes, searched as one, in lower case."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._data = b"\n".join((b"", *map(fold, pieces), b""))
        self._tables: dict[int, npt.NDArray[np.uint8]] = {}

    def find(self, needles: Iterable[list[bytes]]) -> set[bytes]:
        """Those of the needles (in blocks; folded already) that are in the haystack."""
        found: set[bytes] = set()
        candidates: set[bytes] = set()
        weight = 0
        for block in needles:
            for needle in self._possible(block):
                candidates.add(needle)
                weight += len(needle)
            if weight > _EXACT_BYTES:
                found |= self._exact(candidates)
                candidates, weight = set(), 0
        return found | self._exact(candidates)

    def _possible(self, needles: list[bytes]) -> Iterator[bytes]:
        lengths = np.fromiter(map(len, needles), np.int64, len(needles))
        for width, chosen in (
            (0, lengths < SHORT),
            (SHORT, (lengths >= SHORT) & (lengths < LONG)),
            (LONG, lengths >= LONG),
        ):
            indexes = np.flatnonzero(chosen)
            if not len(indexes):
                continue
            if width:
                indexes = indexes[self._windows_present(needles, indexes, lengths, width)]
            yield from (needles[index] for index in indexes)

    def _windows_present(
        self, needles: list[bytes], indexes: Any, lengths: npt.NDArray[np.int64], width: int
    ) -> npt.NDArray[np.bool_]:
        joined = b"".join(needles[index] for index in indexes)
        table = self._table(width)
        absent = np.zeros(len(joined) + 1, np.int64)
        for offset, hashes in _windows(joined, width):
            absent[1 + offset : 1 + offset + 8 * len(hashes) : 8] = table[hashes] == 0
        absent = np.cumsum(absent)
        sizes = lengths[indexes]
        starts = np.cumsum(sizes) - sizes
        return np.asarray(absent[starts + sizes - width + 1] == absent[starts])

    def _table(self, width: int) -> npt.NDArray[np.uint8]:
        table = self._tables.get(width)
        if table is None:
            table = self._tables[width] = np.zeros(1 << _TABLE_BITS, np.uint8)
            for _offset, hashes in _windows(self._data, width):
                table[hashes] = 1
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


def _windows(data: bytes, width: int) -> Iterator[tuple[int, Indexes]]:
    """(offset, table indexes) of the windows at offset, offset + 8, …; all eight offsets cover every window.

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
        yield offset, (values * _FACTOR) >> _SHIFT
