"""The originals that the texts of a capture quote: found once for all segments, before these are rewritten.

Originals are searched all at once, packed; only many millions a share at a time, each share in all texts. What each
segment quotes is spilled for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from desensitizers.learned import Learned
from desensitizers.proof.originals import WORDS
from desensitizers.proof.peel import below_all
from desensitizers.proof.search import BLOCK_BYTES, PAD, SHORTEST, Exact, Haystack, Needles
from desensitizers.proof.spill import BUCKETS, Spill

_MARK = b"\x00"
_SHARE_BYTES = 80 << 20
"""Of words that are searched at a time: ready to be searched they take five times as much, but every share goes through
all texts."""
_TEXTS_PER_WORD = 16
"""Bytes of texts for each of words from which more processes may share them: each makes the words ready for itself."""
_MOST_LIKELY_BYTES = 4 << 20
"""Of words in a haystack; where it seems to have more, they are searched exactly."""

_EVERYTHING = "quoted"
"""The bag of what all texts quote; a word may be in it twice."""
_TOGETHER_BYTES = 32 << 20
"""Of these, as they are spilled: half a million words, most of them twice, which take 100 MB ready to be searched, and
300 MB before."""

Bags = tuple[str, str]
"""A bag of texts, and the bag for what they quote."""


def jobs(spill: Spill, bags: Sequence[Bags]) -> list[tuple[Spill, range, tuple[Bags, ...]]]:
    """Arguments for `find`, which may be called by different processes."""
    words = spill.sealed_bytes(WORDS)
    shares = min(BUCKETS, max(1, math.ceil(words / _SHARE_BYTES)))
    texts = sum(spill.sealed_bytes(bag) for bag, _quoted in bags)
    parts = max(2, texts * shares // (_TEXTS_PER_WORD * max(words, 1)))
    every = [tuple(bags[number::parts]) for number in range(min(parts, len(bags)))]
    return [(spill, range(share, BUCKETS, shares), part) for share in range(shares) for part in every]


def find(spill: Spill, buckets: range, bags: Sequence[Bags]) -> None:
    """Spills what these texts quote of the words in these buckets, and a few that they may not: who replaces what is
    quoted searches it again.
    """
    words = _Words(spill, buckets)
    everything = spill.writer(_EVERYTHING, buckets=1)
    ever: set[bytes] = set()
    for texts, quoted in bags:
        writer = spill.writer(quoted, buckets=1)
        found: dict[bytes, bytes] = {}
        for pieces in _gather(spill.blocks(texts)):
            for needle, domain in words.likely(Haystack([*pieces, *below_all(pieces)])):
                # A domain's surrogate says more than a removal; among domains the order must not depend on the run.
                found[needle] = max(found.get(needle, b""), domain)
        for needle, domain in found.items():
            writer.add(needle + _MARK + domain)
            if needle not in ever:
                everything.add(needle + _MARK + domain)
        writer.close()
        ever |= found.keys()
    everything.close()


class _Words:
    """Words and their domains, ready to be searched: bytes and numbers, because there may be millions."""

    def __init__(self, spill: Spill, buckets: range) -> None:
        some = buckets if len(buckets) < BUCKETS else (None,)
        packs = [pack for bucket in some for pack in spill.packs(WORDS, bucket)]
        self._data = b"".join([*(data for data, _sizes in packs), PAD])
        items = np.concatenate([np.empty(0, np.int64), *(sizes for _data, sizes in packs)])
        del packs
        self._ends = np.cumsum(items)
        self._starts = self._ends - items
        marks = np.flatnonzero(np.frombuffer(self._data, np.uint8)[: -len(PAD)] == _MARK[0])
        sizes = marks - self._starts  # each item has one
        self._needles = Needles.packed(self._data, self._starts, sizes)
        self._short: dict[bytes, bytes] = {}
        for needle, domain in self._items(np.flatnonzero(sizes < SHORTEST)):
            self._short[needle] = max(self._short.get(needle, b""), domain)
        self._shortest = Exact(self._short)

    def likely(self, haystack: Haystack) -> Iterator[tuple[bytes, bytes]]:
        """(word, domain) of those that are there, and of few others; a word may have several domains."""
        found = self._items(np.searchsorted(self._starts, haystack.likely(self._needles)))
        if sum(len(needle) for needle, _domain in found) > _MOST_LIKELY_BYTES:
            sure = haystack.find([self._needles])
            found = [(needle, domain) for needle, domain in found if needle in sure]
        yield from found
        for needle in haystack.exactly(self._shortest):
            yield needle, self._short[needle]

    def _items(self, numbers: npt.NDArray[np.int64]) -> list[tuple[bytes, bytes]]:
        spans = zip(self._starts[numbers].tolist(), self._ends[numbers].tolist(), strict=True)
        parts = (self._data[start:end].partition(_MARK) for start, end in spans)
        return [(needle, domain) for needle, _mark, domain in parts]


def together(spill: Spill) -> bool:
    """Whether what all bags of texts quote is so little that it is searched in each of them."""
    return spill.sealed_bytes(_EVERYTHING) <= _TOGETHER_BYTES


def learned(spill: Spill, quoted: str) -> Learned:
    """What was found for one bag of texts, or for all where these go together."""
    words: dict[bytes, str] = {}
    for block in spill.blocks(_EVERYTHING if together(spill) else quoted):
        for item in block:
            needle, _, domain = item.partition(_MARK)
            words[needle] = domain.decode()
    return Learned.of(words)


def _gather(blocks: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """Texts in lists of about a haystack's size."""
    pieces: list[bytes] = []
    size = 0
    for block in blocks:
        pieces += block
        size += sum(map(len, block))
        if size >= BLOCK_BYTES:
            yield pieces
            pieces, size = [], 0
    if pieces:
        yield pieces
