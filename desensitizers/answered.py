"""What a function of bytes gave, found again for a whole Arrow column at a time.

A hash table in arrays: a look-up is a few steps of numpy over all values together, and makes no Python object of a
value that was met before. A question stands in a row of words, its hash first, so that comparing it touches one place
in memory; as the hash tells of the size, rows that agree are the very same bytes.
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
_SLOT = 16
"""Bytes that a question takes beside its row, and its answer beside its own: there are two to eight slots for each."""
_SEED = np.uint64(secrets.randbits(64))
_FACTORS = [np.uint64(secrets.randbits(64) | 1) for _ in range(LONGEST // _WORD)]
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(32)
_MASKS = np.array([0] * LONGEST + [(1 << 8 * min(size, _WORD)) - 1 for size in range(LONGEST + 1)], np.uint64)
"""For the bytes that are there of a word, by their number + LONGEST."""

_Kind = TypeVar("_Kind", bound=np.generic)
Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


class Answered:
    """Questions and answers, both bytes."""

    __slots__ = ("_answers", "_ask", "_rows", "_slots", "_spend")

    def __init__(self, ask: Callable[[list[bytes]], list[bytes]], spend: Callable[[int], None]) -> None:
        """`ask` answers different questions; what it raises passes through, and nothing is remembered then.

        `spend` is told how many bytes new answers take, and may call `forget`.
        """
        self._ask = ask
        self._spend = spend
        self.forget()

    def forget(self) -> None:
        self._answers = _Texts()
        self._rows: Words = np.empty((1 << 10, 2), np.uint64)
        self._slots: npt.NDArray[np.int32] = np.full(1 << 11, -1, np.int32)

    def column(self, values: pa.Array, *, wanted: bool = True) -> pa.Array:
        """The answers to a binary array without nulls; `values` itself when it is enough that they were asked for."""
        if not len(values):
            return values
        places, data = unpacked(values)
        sizes = np.diff(places)
        if int(sizes.max()) > LONGEST:
            few = values.dictionary_encode()
            answers = self._ask(few.dictionary.to_pylist())
            return pa.array(answers, pa.binary()).take(few.indices) if wanted else values
        words = _words(data, places, sizes)
        hashes = _hashed(words, sizes)
        before = self._bytes
        if 1 + len(words) > self._rows.shape[1]:
            self._widen(1 + len(words))
        numbers = self._find(hashes, words)
        new = np.flatnonzero(numbers < 0)
        if len(new):
            few = values.take(pa.array(new)).dictionary_encode()
            codes = np.asarray(few.indices)
            first = new[np.flatnonzero(np.diff(np.maximum.accumulate(codes), prepend=-1))]
            numbers[new] = self._add(few.dictionary, hashes[first], [word[first] for word in words]) + codes
        found = self._answers.array().take(pa.array(numbers)) if wanted else values
        if len(new):
            self._spend(self._bytes - before)
        return found

    @property
    def _bytes(self) -> int:
        each = int(self._rows[0].nbytes) + _SLOT
        return self._answers.bytes + each * self._answers.count

    def _find(self, hashes: Words, words: list[Words]) -> Ints:
        """The numbers of the answers; -1 where there is none yet."""
        places = self._places(hashes)
        at = self._slots[places]
        same = self._same(at, hashes, words)
        if same.all():
            return at.astype(np.int64)
        numbers = np.where(same, at, -1).astype(np.int64)
        left = np.flatnonzero(~same & (at >= 0))
        places = places[left]
        while len(left):
            places = (places + 1) & (len(self._slots) - 1)
            at = self._slots[places]
            same = self._same(at, hashes[left], [word[left] for word in words])
            numbers[left[same]] = at[same]
            more = ~same & (at >= 0)
            left, places = left[more], places[more]
        return numbers

    def _same(self, at: npt.NDArray[np.int32], hashes: Words, words: list[Words]) -> npt.NDArray[np.bool_]:
        """Whether those are the very bytes of these."""
        rows = self._rows.take(at, 0, mode="wrap")
        same: npt.NDArray[np.bool_] = rows[:, 0] == hashes
        same &= at >= 0
        for place in range(1, rows.shape[1]):
            same &= rows[:, place] == (words[place - 1] if place <= len(words) else 0)
        return same

    def _add(self, questions: pa.Array, hashes: Words, words: list[Words]) -> int:
        """The number of the first of them, once they were asked; the others follow."""
        answers = pa.array(self._ask(questions.to_pylist()), pa.binary())
        first = self._answers.count
        self._answers.add(answers)
        self._rows = _room(self._rows, first, len(hashes))
        rows = self._rows[first : self._answers.count]
        for place, word in enumerate([hashes, *words]):
            rows[:, place] = word
        rows[:, 1 + len(words) :] = 0
        if 2 * self._answers.count > len(self._slots):
            self._slots = np.full(2 << (2 * self._answers.count).bit_length(), -1, np.int32)
            self._place(0)
        else:
            self._place(first)
        return first

    def _widen(self, width: int) -> None:
        """Makes room for longer questions."""
        wider: Words = np.zeros((len(self._rows), width), np.uint64)
        wider[:, : self._rows.shape[1]] = self._rows
        self._rows = wider

    def _place(self, first: int) -> None:
        """Gives slots to the questions from the first on."""
        numbers = np.arange(first, self._answers.count, dtype=np.int32)
        places = self._places(self._rows[first : self._answers.count, 0])
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

    __slots__ = ("_data", "_offsets", "count")

    def __init__(self) -> None:
        self.count = 0
        self._data = np.empty(0, np.uint8)
        self._offsets = np.zeros(1, np.int32)

    @property
    def bytes(self) -> int:
        return int(self._offsets[self.count])

    def add(self, texts: pa.Array) -> None:
        """One at least."""
        offsets, data = unpacked(texts)
        end, more = self.bytes, int(offsets[-1] - offsets[0])
        self._data = _room(self._data, end, more)
        self._data[end : end + more] = data[offsets[0] : offsets[-1]]
        self._offsets = _room(self._offsets, self.count + 1, len(texts))
        self._offsets[self.count + 1 : self.count + 1 + len(texts)] = offsets[1:] + (end - offsets[0])
        self.count += len(texts)

    def array(self) -> pa.Array:
        """All of them, without a copy."""
        return pa.Array.from_buffers(
            pa.binary(), self.count, [None, pa.py_buffer(self._offsets), pa.py_buffer(self._data)]
        )


def _room(array: npt.NDArray[_Kind], used: int, more: int) -> npt.NDArray[_Kind]:
    """The array, or a larger one that begins with what is used of it."""
    if used + more <= len(array):
        return array
    larger = np.zeros((2 * (used + more), *array.shape[1:]), array.dtype)
    larger[:used] = array[:used]
    return larger


def _words(data: npt.NDArray[np.uint8], places: Ints, sizes: Ints) -> list[Words]:
    """The first eight bytes of each, the next eight, and so on; zeros behind its end."""
    low, high, longest = int(places[0]), int(places[-1]), int(sizes.max())
    padded = np.zeros(high - low + longest + _WORD, np.uint8)
    padded[: high - low] = data[low:high]
    whole = np.ndarray((len(padded) - _WORD + 1,), "<u8", padded, strides=(1,))
    starts, least = places[:-1] - low, int(sizes.min())
    words = []
    for place in range(0, longest, _WORD):
        word = whole[starts + place if place else starts]
        if place + _WORD > least:
            word &= _MASKS[LONGEST - place + longest] if least == longest else _MASKS[LONGEST - place :].take(sizes)
        words.append(word)
    return words


def _hashed(words: list[Words], sizes: Ints) -> Words:
    """Of the words and the size: words of zeros don't count, however many, and of the same words each size has another
    hash.
    """
    hashes = sizes.view(np.uint64) * _FACTOR + _SEED
    for word, factor in zip(words, _FACTORS, strict=False):
        mixed = word * factor
        mixed ^= mixed >> _FOLD
        hashes += mixed
    hashes ^= hashes >> _FOLD
    hashes *= _FACTOR
    return hashes
