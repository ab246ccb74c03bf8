"""Millions of needles in gigabytes, in bounded memory and without an automaton of them all.

Of each needle a few windows of six or eight bytes are hashed into a table, those that the fewest other needles have;
the haystack is looked up in it window by window. Four windows in a row per needle let every fourth place of the
haystack be enough: one of them must begin there. What the table lets through is compared with the windows themselves,
and the few needles that remain are searched exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from desensitizers.learned import fold
from desensitizers.proof.needles import stands

SHORTEST = 6
"""Bytes of the shortest needle that has a window."""
_KINDS = ((11, 8, 4), (9, 6, 4), (SHORTEST, 6, 1))
"""Needles from so many bytes on: bytes of a window, and the places of a haystack of which one is looked at."""
BLOCK_BYTES = 8 << 20
"""What a haystack should hold."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_PAD = bytes(8)
_BETWEEN = b"\n"
_STRETCH = 1 << 20
_ROOM = 16
"""Bits of the table for each window."""
_MOST_BITS = 28
_COMMON_BITS = 22
_MOST_MEETINGS = 4 << 20
_EXACT_BYTES = 512 << 10
"""Needles (bytes) searched exactly at a time: making an automaton takes about 40 times as much."""

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


class Needles:
    """Some needles, ready to be looked for."""

    __slots__ = ("_groups", "_short", "weight")

    def __init__(self, needles: Sequence[bytes]) -> None:
        lengths = np.fromiter(map(len, needles), np.int64, len(needles))
        self.weight = int(lengths.sum())
        self._short = [needles[index] for index in np.flatnonzero(lengths < SHORTEST).tolist()]
        self._groups = []
        longest = np.iinfo(np.int64).max
        for least, width, stride in _KINDS:
            chosen = (lengths >= least) & (lengths < longest)
            longest = least
            if chosen.any():
                mine = [needles[index] for index in np.flatnonzero(chosen).tolist()]
                self._groups.append(_Group(mine, lengths[chosen], width, stride))

    def possible(self, haystack: bytes) -> Iterator[bytes]:
        """Those that may be in the haystack (which ends with `_PAD`); all that are too short to have a window."""
        yield from self._short
        for group in self._groups:
            yield from group.possible(haystack)


class _Group:
    """Needles with as many windows each as the places of a haystack that are passed over at a time."""

    __slots__ = ("_at", "_data", "_mask", "_shift", "_sizes", "_starts", "_stride", "_table", "_width", "_windows")

    def __init__(self, needles: list[bytes], sizes: Ints, width: int, stride: int) -> None:
        self._width, self._stride = width, stride
        self._mask = np.uint64((1 << 8 * width) - 1)
        self._data = b"".join(needles) + _PAD
        self._sizes = sizes
        self._starts = np.cumsum(sizes) - sizes
        words = _words(self._data) & self._mask
        first = self._starts + _rarest(words, self._starts, sizes - width - stride + 1, stride)
        at = (first[:, None] + np.arange(stride)).ravel()
        windows = words[at]
        order = np.argsort(windows)
        self._windows, self._at = windows[order], at[order].astype(np.int32)
        bits = min(_MOST_BITS, max(16, int(len(at) * _ROOM).bit_length()))
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << (bits - 3), np.uint8)
        slots, marks = self._places(self._windows)
        np.bitwise_or.at(self._table, slots, marks)

    def possible(self, haystack: bytes) -> Iterator[bytes]:
        """Those of which a window is in the haystack, and the first and last bytes around it."""
        words = _words(haystack)
        met: set[int] = set()
        for start in range(0, len(words), _STRETCH):
            windows = words[start : start + _STRETCH : self._stride] & self._mask
            slots, marks = self._places(windows)
            hits = np.flatnonzero(self._table[slots] & marks)
            met.update(self._needles(words, windows[hits], start + hits * self._stride).tolist())
        for needle in met:
            begin = int(self._starts[needle])
            yield self._data[begin : begin + int(self._sizes[needle])]

    def _places(self, windows: Words) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8]]:
        """Where in the table windows are marked, and with which bit."""
        hashes = windows * _FACTOR
        hashes >>= self._shift
        marks = np.uint8(1) << (hashes & np.uint64(7)).astype(np.uint8)
        hashes >>= np.uint64(3)
        return hashes.view(np.intp), marks

    def _needles(self, words: Words, windows: Words, places: Ints) -> Ints:
        """Numbers of the needles whose windows stand at these places of the haystack."""
        low = np.searchsorted(self._windows, windows)
        there = self._windows[np.minimum(low, len(self._windows) - 1)] == windows
        low, places = low[there], places[there]
        counts = np.searchsorted(self._windows, windows[there], "right") - low
        if counts.sum() > _MOST_MEETINGS:
            low, only = np.unique(low, return_index=True)
            return np.unique(self._owners(_ranges(low, counts[only])))
        found = _ranges(low, counts)
        owners = self._owners(found)
        begins = np.repeat(places, counts) - (self._at[found] - self._starts[owners])
        ends = begins + self._sizes[owners] - self._width
        inside = (begins >= 0) & (ends < len(words))
        owners, begins, ends = owners[inside], begins[inside], ends[inside]
        mine = _words(self._data)
        starts = self._starts[owners]
        same = (words[begins] ^ mine[starts]) & self._mask == 0
        same &= (words[ends] ^ mine[starts + self._sizes[owners] - self._width]) & self._mask == 0
        return np.unique(owners[same])

    def _owners(self, windows: Ints) -> Ints:
        found: Ints = np.searchsorted(self._starts, self._at[windows], "right") - 1
        return found


def _rarest(words: Words, starts: Ints, room: Ints, stride: int) -> Ints:
    """For each needle where in it the windows begin that the fewest others share, of three; `room` is the last."""
    shift = np.uint64(64 - _COMMON_BITS)

    def common(at: Ints) -> npt.NDArray[np.intp]:
        return ((words[at] * _FACTOR) >> shift).view(np.intp)

    shared = np.bincount(common(np.arange(len(words))), minlength=1 << _COMMON_BITS)
    best, least = np.zeros_like(starts), np.full(len(starts), np.iinfo(np.int64).max)
    for place in (room, room // 2, np.zeros_like(room)):
        worst = np.max([shared[common(starts + place + step)] for step in range(stride)], axis=0)
        better = worst < least
        best[better], least[better] = place[better], worst[better]
    return best


def _words(padded: bytes) -> Words:
    """The eight bytes from every place on; `padded` ends with as many that don't count."""
    return np.ndarray((len(padded) - len(_PAD),), "<u8", padded, strides=(1,))


def _ranges(starts: Ints, counts: Ints) -> Ints:
    """The numbers from each start on, so many of each."""
    offsets = np.cumsum(counts) - counts
    found: Ints = np.arange(int(counts.sum())) + np.repeat(starts - offsets, counts)
    return found


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
        data = bytes(self._data)
        padded = data + _PAD
        found: set[bytes] = set()
        candidates: set[bytes] = set()
        weight = 0
        for block in needles:
            for needle in block.possible(padded):
                candidates.add(needle)
                weight += len(needle)
                if weight > _EXACT_BYTES:
                    found |= Exact(candidates).find(data)
                    candidates, weight = set(), 0
        return found | Exact(candidates).find(data) if candidates else found


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
