"""Ids that chance made (ULIDs, nanoids, keys of sessions), known by what many of them have in common.

Alike are runs of letters, digits and ``-_+/`` of one length, behind the same member's name where there is one. Of each
kind a sample is kept: of those seen, the ones with the smallest hashes, so that it is a fair one of the different ids,
tells how many these are, and may be gathered in pieces.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SHORTEST, LONGEST = 10, 128
IN_RUN = np.array([chr(byte).isalnum() or chr(byte) in "-_+/" for byte in range(128)] + [False] * 128)
_NO_HEX = np.array([IN_RUN[byte] and chr(byte) not in "0123456789abcdefABCDEF-" for byte in range(256)])
_SAMPLE = 1024
_MOST_KINDS = 1024
_BEFORE = 8
"""Bytes before a run by which runs of one member are known, where a colon or ``=`` is among the last four."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_SPOT = b"~"
"""Stands for a run that was taken out: no encoding has a use for it."""
_numbers = np.random.Generator(np.random.PCG64(7))
_OF_CHAR = _numbers.integers(1, 1 << 63, 256, np.uint64)
_OF_PLACE = _numbers.integers(1, 1 << 63, LONGEST, np.uint64) | np.uint64(1)

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a block that may be ids."""

    data: Bytes
    """The block, behind a few bytes that don't count."""
    starts: Ints
    sizes: Ints
    kinds: Words
    """The same number for what is alike; its last byte is the length."""

    @classmethod
    def of(cls, block: bytes) -> Runs:
        data = np.frombuffer(b"\n" * _BEFORE + block + b"\n", np.uint8)
        edges = np.flatnonzero(np.diff(IN_RUN[data].view(np.int8))) + 1
        starts, ends = edges[::2], edges[1::2]
        fits = (ends - starts >= SHORTEST) & (ends - starts <= LONGEST)
        starts, sizes = starts[fits], (ends - starts)[fits]
        other = np.concatenate(([0], np.cumsum(_NO_HEX[data])))
        hexadecimal = other[starts + sizes] == other[starts]
        named = np.zeros(len(starts), np.bool_)
        for back in range(1, 5):
            named |= (data[starts - back] == ord(":")) | (data[starts - back] == ord("="))
        before = np.ndarray((len(data) - 7,), "<u8", data.data, strides=(1,))[starts - _BEFORE] * named
        mixed = _mixed(before ^ (sizes.astype(np.uint64) << np.uint64(1) | hexadecimal))
        return cls(data, starts, sizes, mixed >> np.uint64(8) << np.uint64(8) | sizes.astype(np.uint64))

    def hashes(self) -> Words:
        """Of their letters."""
        if not len(self.starts):
            return np.empty(0, np.uint64)
        begins = np.cumsum(self.sizes) - self.sizes
        places = np.arange(int(self.sizes.sum())) - np.repeat(begins, self.sizes)
        chars = self.data[places + np.repeat(self.starts, self.sizes)]
        return _mixed(np.add.reduceat(_OF_CHAR[chars] * _OF_PLACE[places], begins))

    def letters(self, which: Ints) -> Bytes:
        """A row of letters for each of some runs of one length."""
        found: Bytes = self.data[self.starts[which][:, None] + np.arange(int(self.sizes[which[0]]))]
        return found


def _mixed(words: Words) -> Words:
    for _ in range(2):
        words = words * _MIX
        words ^= words >> _SHIFT
    return words


@dataclass(frozen=True, slots=True)
class Sample:
    """Some of the different ids of a kind."""

    hashes: Words
    """In order, each once."""
    letters: Bytes
    """A row for each."""

    @property
    def different(self) -> float:
        """How many different ones there are of the kind, as far as a sample tells."""
        size = len(self.hashes)
        return size if size < _SAMPLE else (size - 1) / (float(self.hashes[-1]) / 2.0**64)

    def with_more(self, hashes: Words, letters: Bytes) -> Sample:
        both, rows = np.concatenate((self.hashes, hashes)), np.concatenate((self.letters, letters))
        order = np.argsort(both, kind="stable")
        order = order[np.concatenate(([True], both[order][1:] != both[order][:-1]))][:_SAMPLE]
        return Sample(both[order], rows[order])


class Survey:
    """Samples of all kinds of runs that were seen."""

    def __init__(self) -> None:
        self.samples: dict[int, Sample] = {}

    def add(self, block: bytes) -> bytes:
        """Takes notice of a block's runs; the block."""
        runs = Runs.of(block)
        if not len(runs.starts):
            return block
        hashes = runs.hashes()
        order = np.argsort(runs.kinds, kind="stable")
        bounds = np.flatnonzero(np.diff(runs.kinds[order], prepend=np.uint64(0), append=np.uint64(0)))
        for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            some = order[begin:end]
            kind = int(runs.kinds[some[0]])
            known = self.samples.get(kind)
            if known is not None and len(known.hashes) == _SAMPLE:
                some = some[hashes[some] < known.hashes[-1]]
            if len(some):
                self._take(kind, Sample(hashes[some], runs.letters(some)))
        return block

    def merge(self, other: Survey) -> None:
        for kind, sample in other.samples.items():
            self._take(kind, sample)

    def _take(self, kind: int, sample: Sample) -> None:
        known = self.samples.get(kind)
        if known is None:
            if len(self.samples) >= _MOST_KINDS:  # those of which there are few are none that chance made
                ranked = sorted(self.samples, key=lambda one: (len(self.samples[one].hashes), one))
                for one in ranked[: _MOST_KINDS // 2]:
                    del self.samples[one]
            known = Sample(sample.hashes[:0], sample.letters[:0])
        self.samples[kind] = known.with_more(sample.hashes, sample.letters)


def apart(block: bytes, kinds: Container[int]) -> tuple[bytes, set[tuple[int, bytes]]]:
    """A block without the runs of some kinds, and these: (kind, run)."""
    runs = Runs.of(block)
    chosen = [number for number, kind in enumerate(runs.kinds.tolist()) if kind in kinds]
    if not chosen:
        return block, set()
    rest = bytearray(block)
    found = set()
    for number in chosen:
        start, size = int(runs.starts[number]) - _BEFORE, int(runs.sizes[number])
        found.add((int(runs.kinds[number]), block[start : start + size]))
        rest[start : start + size] = _SPOT * size
    return bytes(rest), found
