"""Millions of needles in gigabytes, in bounded memory and without an automaton of them all.

Of each needle a few windows of five or eight bytes are hashed into a table, those that the fewest other needles have;
the haystack is looked up in it window by window. Four windows in a row per needle let every fourth place of the
haystack be enough: one of them must begin there. What the table lets through must be in a second one, then among the
hashes themselves; the few needles of which the first and last bytes are there, too, are searched exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from desensitizers.learned import fold
from desensitizers.proof.lines import distinct
from desensitizers.proof.needles import stands

SHORTEST = 6
"""Bytes of the shortest needle that has a window."""
_KINDS = ((11, 8, 4), (8, 5, 4), (SHORTEST, 5, 2))
"""Needles from so many bytes on: bytes of a window, and the places of a haystack of which one is looked at. A window
of five bytes may begin anywhere in four bytes of the eight that are read together."""
BLOCK_BYTES = 8 << 20
"""What a haystack should hold."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_OTHER_FACTOR = np.uint64(0xC2B2AE3D27D4EB4F)
_HALF = np.uint64(32)
PAD = bytes(16)
_BETWEEN = b"\n"
_STRETCH = 1 << 16
"""Windows looked up at a time: what is made of them stays in the processor's cache."""
_ROOM, _OTHER_ROOM = 16, 8
"""Bits of the tables for each window."""
_MOST_BITS = 28
_MARKS_BITS = 10
_COMMON_BITS = 22
_SAMPLE = 2 << 20
_MOST_MEETINGS = 4 << 20
_EXACT_BYTES = 512 << 10
"""Needles (bytes) searched exactly at a time: making an automaton takes about 40 times as much."""

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


class Needles:
    """Some needles, ready to be looked for."""

    __slots__ = ("_groups", "_short", "weight")

    def __init__(self, needles: Sequence[bytes]) -> None:
        sizes = np.fromiter(map(len, needles), np.int64, len(needles))
        self._pack(b"".join(needles), np.cumsum(sizes) - sizes, sizes)

    @classmethod
    def packed(cls, data: bytes, starts: Ints, sizes: Ints) -> Needles:
        """Of needles that begin there (in order) in `data`, which isn't copied when it ends with `PAD`."""
        made = cls.__new__(cls)
        made._pack(data, starts, sizes)
        return made

    def _pack(self, data: bytes, starts: Ints, sizes: Ints) -> None:
        self.weight = int(sizes.sum())
        short = np.flatnonzero(sizes < SHORTEST)
        pairs = zip(starts[short].tolist(), sizes[short].tolist(), strict=True)
        self._short = [data[start : start + size] for start, size in pairs]
        self._groups = []
        if not data.endswith(PAD):
            data += PAD
        longest = np.iinfo(np.int64).max
        for kind in _KINDS:
            chosen = np.flatnonzero((sizes >= kind[0]) & (sizes < longest))
            longest = kind[0]
            if len(chosen):
                self._groups.append(_Group(data, starts[chosen], sizes[chosen], *kind))

    def possible(self, haystack: bytes) -> Iterator[bytes]:
        """Those that may be in the haystack (which ends with `PAD`); all that are too short to have a window."""
        yield from self._short
        for group in self._groups:
            yield from group.possible(haystack)

    def places(self, haystack: bytes) -> Ints:
        """The same but for those that are too short: where they begin in `data`, in order."""
        return np.sort(np.concatenate([np.empty(0, np.int64), *(group.places(haystack) for group in self._groups)]))


class _Table:
    """A set of windows by a hash: it may hold more, but hardly does.

    A window has a few bits, all in one word: a look-up misses the processor's cache once.
    """

    __slots__ = ("_factor", "_shift", "_words")

    def __init__(self, windows: int, factor: np.uint64, room: int) -> None:
        bits = min(_MOST_BITS, max(16, (windows * room).bit_length()))
        self._words = np.zeros(1 << (bits - 6), np.uint64)
        self._factor, self._shift = factor, np.uint64(64 - (bits - 6) - _MARKS_BITS)

    def add(self, windows: Words) -> None:
        slots, marks = self._places(windows)
        np.bitwise_or.at(self._words, slots, marks)

    def has(self, windows: Words) -> npt.NDArray[np.intp]:
        """Numbers of the windows that are in the set."""
        slots, marks = self._places(windows)
        return np.flatnonzero((self._words.take(slots) & marks) == marks)

    def _places(self, windows: Words) -> tuple[npt.NDArray[np.intp], Words]:
        hashes = windows * self._factor
        hashes >>= self._shift
        marks = _MARKS.take((hashes & np.uint64(len(_MARKS) - 1)).view(np.intp))
        hashes >>= np.uint64(_MARKS_BITS)
        return hashes.view(np.intp), marks


def _marks() -> Words:
    """Words of which four bits or a few less are set."""
    places = np.random.default_rng(0).integers(64, size=(4, 1 << _MARKS_BITS), dtype=np.uint64)
    marks: Words = np.bitwise_or.reduce(np.uint64(1) << places)
    return marks


_MARKS = _marks()


class _Group:
    """Needles with as many windows each as the places of a haystack that are passed over at a time.

    With the few bytes after it, or where the needle ends those before it, a window is as long as the shortest needle:
    that is what must be there, since a window alone may be shared by many needles (zeros in numbers).
    """

    __slots__ = (
        "_data", "_hashes", "_least", "_rarest", "_sizes", "_starts", "_steps", "_stride", "_tables", "_width",
        "_windows",
    )  # fmt: skip

    def __init__(self, data: bytes, starts: Ints, sizes: Ints, least: int, width: int, stride: int) -> None:
        self._least, self._width, self._stride = least, width, stride
        self._steps = range(0, 4, stride)
        self._data, self._starts, self._sizes = data, starts, sizes
        words = _words(data)
        shared = _shared(words, width)
        windows = len(starts) * stride
        self._tables = _Table(windows, _FACTOR, _ROOM), _Table(windows, _FACTOR, _OTHER_ROOM)
        self._rarest = np.empty(len(starts), np.int32)
        keys = np.empty((len(starts), stride), np.uint64)
        for some in (slice(begin, begin + _STRETCH) for begin in range(0, len(starts), _STRETCH)):
            room = sizes[some] - width - stride + 1
            self._rarest[some] = _rarest(words, shared, starts[some], room, width, stride)
            at = (starts[some] + self._rarest[some])[:, None] + np.arange(stride)
            self._tables[0].add(_cut(words[at], width).ravel())
            np.minimum(at, (starts[some] + sizes[some] - least)[:, None], out=at)
            wider = self._wider(words, at)
            self._tables[1].add(wider.ravel())
            numbers = np.arange(some.start * stride, some.start * stride + wider.size, dtype=np.uint64)
            keys[some] = (wider * _FACTOR) >> _HALF << _HALF | numbers.reshape(wider.shape)
        flat = keys.ravel()
        flat.sort()
        self._windows = flat.astype(np.uint32)
        flat >>= _HALF
        self._hashes = flat.astype(np.uint32)

    def possible(self, haystack: bytes) -> Iterator[bytes]:
        """Those of which a window is in the haystack, and the first and last bytes around it."""
        for needle in self._met(haystack):
            begin = int(self._starts[needle])
            yield self._data[begin : begin + int(self._sizes[needle])]

    def places(self, haystack: bytes) -> Ints:
        """Where those begin."""
        return self._starts[np.array(self._met(haystack), np.int64)]

    def _met(self, haystack: bytes) -> list[int]:
        words = _words(haystack)
        quarters = np.frombuffer(haystack, "<u4", len(haystack) // 4)
        first, second = self._tables
        before = np.arange(self._least - self._width + 1)[:, None]
        met: set[int] = set()
        there: list[tuple[Words, Ints]] = []
        count = 0
        for start in range(0, len(quarters) - 1, _STRETCH):
            both = quarters[start + 1 : start + 1 + _STRETCH].astype(np.uint64)
            both <<= _HALF
            both |= quarters[start : start + len(both)]
            for step in self._steps:
                hits = first.has(_cut(both >> np.uint64(8 * step) if step else both, self._width))
                places = (4 * (start + hits) + step - before).ravel()
                places = places[(places >= 0) & (places <= len(words) - self._least)]
                wider = self._wider(words, places)
                sure = second.has(wider)
                there.append((wider[sure], places[sure]))
                count += len(sure)
            if count > _STRETCH:
                met.update(self._needles(words, there).tolist())
                there, count = [], 0
        if count:
            met.update(self._needles(words, there).tolist())
        return list(met)

    def _wider(self, words: Words, places: Ints) -> Words:
        """Something that differs where as many bytes as the shortest needle has do, from these places on."""
        found = _cut(words[places], min(self._least, 8))
        if self._least > 8:
            found *= _OTHER_FACTOR
            found ^= words[places + (self._least - 8)]
        return found

    def _needles(self, words: Words, there: Sequence[tuple[Words, Ints]]) -> Ints:
        """Numbers of the needles of which windows stand at some places of the haystack; (windows, places)."""
        hashes = ((np.concatenate([wider for wider, _places in there]) * _FACTOR) >> _HALF).astype(np.uint32)
        order = np.argsort(hashes)  # one after the other they are found in the processor's cache
        hashes, places = hashes[order], np.concatenate([places for _wider, places in there])[order]
        low = np.searchsorted(self._hashes, hashes)
        known = self._hashes[np.minimum(low, len(self._hashes) - 1)] == hashes
        low, places = low[known], places[known]
        counts = np.searchsorted(self._hashes, hashes[known], "right") - low
        if counts.sum() > _MOST_MEETINGS:
            low, only = np.unique(low, return_index=True)
            return distinct(self._windows[_ranges(low, counts[only])].astype(np.int64) // self._stride)
        owners, steps = np.divmod(self._windows[_ranges(low, counts)].astype(np.int64), self._stride)
        starts, sizes = self._starts[owners], self._sizes[owners]
        begins = np.repeat(places, counts) - np.minimum(self._rarest[owners] + steps, sizes - self._least)
        ends = begins + sizes - self._width
        inside = (begins >= 0) & (ends < len(words))
        owners, begins, ends = owners[inside], begins[inside], ends[inside]
        starts, last = starts[inside], (starts + sizes)[inside] - self._width
        mine = _words(self._data)
        same = _cut(words[begins] ^ mine[starts], self._width) == 0
        same &= _cut(words[ends] ^ mine[last], self._width) == 0
        return distinct(owners[same])


def _cut(words: Words, width: int) -> Words:
    """The first bytes of some words."""
    return words & np.uint64((1 << 8 * width) - 1)


def _common(windows: Words, width: int) -> npt.NDArray[np.intp]:
    return ((_cut(windows, width) * _FACTOR) >> np.uint64(64 - _COMMON_BITS)).view(np.intp)


def _shared(words: Words, width: int) -> npt.NDArray[np.int32]:
    """How often the windows are there whose hash is `_common`; of very many by a sample spread over them."""
    some = words[:: len(words) // _SAMPLE | 1]
    return np.bincount(_common(some, width), minlength=1 << _COMMON_BITS).astype(np.int32)


def _rarest(words: Words, shared: npt.NDArray[np.int32], starts: Ints, room: Ints, width: int, stride: int) -> Ints:
    """For each needle where in it the windows begin that the fewest others share, of three; `room` is the last."""
    best, least = np.zeros_like(starts), np.full(len(starts), np.iinfo(np.intp).max, np.intp)
    for place in (room, room // 2, np.zeros_like(room)):
        worst = shared[_common(words[starts + place], width)]
        for step in range(1, stride):
            np.maximum(worst, shared[_common(words[starts + place + step], width)], out=worst)
        better = worst < least
        best[better], least[better] = place[better], worst[better]
    return best


def _words(padded: bytes) -> Words:
    """The eight bytes from every place on; `padded` ends with at least as many that don't count."""
    return np.ndarray((len(padded) - len(PAD),), "<u8", padded, strides=(1,))


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
        padded = data + PAD
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

    def likely(self, needles: Needles) -> Ints:
        """Where in their `data` those begin that are in the haystack, and few others, but for the shortest."""
        return needles.places(bytes(self._data) + PAD)

    def exactly(self, needles: Exact) -> set[bytes]:
        """Those that are in the haystack."""
        return needles.find(bytes(self._data))


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
        return {needle for _start, _end, needle in self.places(data)}

    def places(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """The same with where each begins and ends, every time."""
        hits = self._automaton.find_overlapping(data) if self._automaton is not None else ()
        return ((start, end, self._needles[number]) for start, end, number in hits if stands(data, start, end))

    def any_in(self, pieces: Iterable[bytes]) -> bool:
        """Whether one of them is in one of the pieces, in upper or lower case."""
        return any(self.find(fold(piece)) for piece in pieces)
