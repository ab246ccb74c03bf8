"""What a function of bytes gave, found again for a whole Arrow column at a time.

A hash table in arrays: a look-up is a few steps of numpy over all values together, and makes no Python object of a
value that was met before. Hashes only lead to where a value may be; then its bytes are compared.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from desensitizers.buffers import unpacked

LONGEST = 128
"""Bytes of a value that is worth remembering so; what is longer is a text, which hardly comes again."""
_WORD = 8
_PAD = LONGEST + 2 * _WORD
_BESIDE = 32
"""Bytes that an answer takes beside its own and those of its question."""
_SEED = np.uint64(secrets.randbits(64))
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(32)
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], np.uint64)

_Kind = TypeVar("_Kind", bound=np.generic)
Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


class Answered:
    """Questions and answers, both bytes."""

    __slots__ = ("_answers", "_ask", "_asked", "_hashes", "_slots", "_spend")

    def __init__(self, ask: Callable[[list[bytes]], list[bytes]], spend: Callable[[int], None]) -> None:
        """`ask` answers different questions; what it raises passes through, and nothing is remembered then.

        `spend` is told how many bytes new answers take, and may call `forget`.
        """
        self._ask = ask
        self._spend = spend
        self.forget()

    def forget(self) -> None:
        self._asked, self._answers = _Texts(), _Texts()
        self._hashes: Words = np.empty(1 << 10, np.uint64)
        self._slots: npt.NDArray[np.int32] = np.full(1 << 11, -1, np.int32)

    def column(self, values: pa.Array, *, wanted: bool = True) -> pa.Array:
        """The answers to a binary array without nulls; `values` itself when it is enough that they were asked for."""
        if not len(values):
            return values
        offsets, data = _parts(values)
        sizes = np.diff(offsets)
        if int(sizes.max()) > LONGEST:
            few = values.dictionary_encode()
            answers = self._ask(few.dictionary.to_pylist())
            return pa.array(answers, pa.binary()).take(few.indices) if wanted else values
        words = _words(data, offsets[:-1], sizes)
        hashes = _hashed(words, sizes)
        numbers = self._find(words, sizes, hashes)
        new = np.flatnonzero(numbers < 0)
        spent = 0
        if len(new):
            few = values.take(pa.array(new)).dictionary_encode()
            codes = np.asarray(few.indices)
            first = np.flatnonzero(np.diff(np.maximum.accumulate(codes), prepend=-1))
            before = self._asked.bytes + self._answers.bytes
            numbers[new] = self._add(few.dictionary, hashes[new[first]]) + codes
            spent = self._asked.bytes + self._answers.bytes - before + _BESIDE * len(first)
        found = self._answers.array().take(pa.array(numbers)) if wanted else values
        if spent:
            self._spend(spent)
        return found

    def _find(self, words: list[Words], sizes: Ints, hashes: Words) -> Ints:
        """The numbers of the answers; -1 where there is none yet."""
        numbers = np.full(len(hashes), -1, np.int64)
        rows = np.arange(len(hashes))
        places = self._places(hashes)
        while len(rows):
            at = self._slots[places]
            there = np.flatnonzero(at >= 0)
            if len(there) < len(rows):
                at, rows, places = at[there], rows[there], places[there]
            same = self._hashes[at] == hashes[rows]
            same &= self._same(at, words, sizes, rows)
            if same.all():
                numbers[rows] = at
                break
            numbers[rows[same]] = at[same]
            rows, places = rows[~same], (places[~same] + 1) & (len(self._slots) - 1)
        return numbers

    def _same(self, at: npt.NDArray[np.int32], words: list[Words], sizes: Ints, rows: Ints) -> npt.NDArray[np.bool_]:
        """Whether those are the very bytes of these rows."""
        starts, mine = self._asked.starts(at), sizes[rows]
        same: npt.NDArray[np.bool_] = self._asked.sizes(at) == mine
        for word, theirs in zip(words, _words(self._asked.data, starts, mine), strict=False):
            same &= word[rows] == theirs
        return same

    def _add(self, questions: pa.Array, hashes: Words) -> int:
        """The number of the first of them, once they were asked; the others follow."""
        answers = pa.array(self._ask(questions.to_pylist()), pa.binary())
        first = self._asked.count
        self._asked.add(questions)
        self._answers.add(answers)
        self._hashes = _room(self._hashes, first, len(hashes))
        self._hashes[first : first + len(hashes)] = hashes
        if 2 * self._asked.count > len(self._slots):
            self._slots = np.full(2 << (2 * self._asked.count).bit_length(), -1, np.int32)
            self._place(0)
        else:
            self._place(first)
        return first

    def _place(self, first: int) -> None:
        """Gives slots to the questions from the first on."""
        numbers = np.arange(first, self._asked.count, dtype=np.int32)
        places = self._places(self._hashes[first : self._asked.count])
        while len(numbers):
            free = self._slots[places] < 0
            self._slots[places[free]] = numbers[free]  # of those that meet here one wins
            without = self._slots[places] != numbers
            numbers, places = numbers[without], (places[without] + 1) & (len(self._slots) - 1)

    def _places(self, hashes: Words) -> Ints:
        found: Ints = (hashes >> np.uint64(65 - len(self._slots).bit_length())).view(np.int64)
        return found


class _Texts:
    """Byte strings one behind the other; others may be added."""

    __slots__ = ("_offsets", "count", "data")

    def __init__(self) -> None:
        self.count = 0
        self.data = np.zeros(_PAD, np.uint8)
        self._offsets = np.zeros(1, np.int32)

    @property
    def bytes(self) -> int:
        return int(self._offsets[self.count])

    def add(self, texts: pa.Array) -> None:
        offsets, data = _parts(texts)
        end, more = self.bytes, int(offsets[-1] - offsets[0])
        self.data = _room(self.data, end, more + _PAD)
        self.data[end : end + more] = data[offsets[0] : offsets[-1]]
        self._offsets = _room(self._offsets, self.count + 1, len(texts))
        self._offsets[self.count + 1 : self.count + 1 + len(texts)] = offsets[1:] + (end - offsets[0])
        self.count += len(texts)

    def starts(self, numbers: npt.NDArray[np.int32]) -> Ints:
        return self._offsets[numbers].astype(np.int64)

    def sizes(self, numbers: npt.NDArray[np.int32]) -> Ints:
        return self._offsets[numbers + 1].astype(np.int64) - self._offsets[numbers]

    def array(self) -> pa.Array:
        """All of them, without a copy."""
        return pa.Array.from_buffers(
            pa.binary(), self.count, [None, pa.py_buffer(self._offsets), pa.py_buffer(self.data)]
        )


def _room(array: npt.NDArray[_Kind], used: int, more: int) -> npt.NDArray[_Kind]:
    """The array, or a larger one that begins with what is used of it."""
    if used + more <= len(array):
        return array
    larger = np.zeros(2 * (used + more), array.dtype)
    larger[:used] = array[:used]
    return larger


def _parts(values: pa.Array) -> tuple[Ints, npt.NDArray[np.uint8]]:
    """Offsets, and padded bytes."""
    places, data = unpacked(values)
    low, high = int(places[0]), int(places[-1])
    padded = np.empty(high - low + _PAD, np.uint8)
    padded[: high - low] = data[low:high]
    return places - low, padded


def _words(data: npt.NDArray[np.uint8], starts: Ints, sizes: Ints) -> list[Words]:
    """The first eight bytes of each, the next eight, and so on; zeros behind its end."""
    whole = np.ndarray((len(data) - _WORD + 1,), "<u8", data, strides=(1,))
    least = int(sizes.min()) if len(sizes) else 0
    words = []
    for place in range(0, int(sizes.max(initial=0)), _WORD):
        word = whole[starts + place]
        if place + _WORD > least:
            word &= _MASKS[np.clip(sizes - place, 0, _WORD)]
        words.append(word)
    return words


def _hashed(words: list[Words], sizes: Ints) -> Words:
    hashes = sizes.astype(np.uint64) + _SEED
    for word in words:
        hashes ^= word
        hashes *= _FACTOR
        hashes ^= hashes >> _FOLD
    hashes *= _FACTOR
    return hashes
