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
from desensitizers.proof.lines import distinct
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

Ints = npt.NDArray[np.int64]
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

    Of each bag it leaves only the numbers of its words, of which most bags quote most: see `by_bag`.
    """
    words = _Words(spill, buckets)
    search = _Search(words)
    everything = spill.writer(_EVERYTHING, buckets=1)
    known = np.zeros(len(words), np.bool_)
    for texts, quoted in bags:
        found = distinct(
            np.concatenate(
                [
                    np.empty(0, np.int64),
                    *(search.likely(Haystack([*some, *below_all(some)])) for some in _gather(spill.blocks(texts))),
                ]
            )
        )
        fresh = found[~known[found]]
        known[fresh] = True
        everything.extend(words.best(fresh))
        writer = spill.writer(_numbered(quoted, buckets), buckets=1)
        writer.add(found.astype("<u4").tobytes())
        writer.close()
    everything.close()


def by_bag(spill: Spill, buckets: range, bags: Sequence[Bags]) -> None:
    """After `find`, where all that is quoted is too much to be searched together: spills the words of each bag."""
    words = _Words(spill, buckets)
    for _texts, quoted in bags:
        writer = spill.writer(quoted, buckets=1)
        for block in spill.blocks(_numbered(quoted, buckets)):
            for numbers in block:
                writer.extend(words.best(np.frombuffer(numbers, "<u4").astype(np.int64)))
        writer.close()


def _numbered(quoted: str, buckets: range) -> str:
    return f"{quoted}-numbers-{buckets.start}"


class _Words:
    """Words and their domains: bytes and numbers, because there may be millions. Always in the same order."""

    def __init__(self, spill: Spill, buckets: range) -> None:
        some = buckets if len(buckets) < BUCKETS else (None,)
        packs = [pack for bucket in some for pack in spill.packs(WORDS, bucket)]
        self.data = b"".join([*(data for data, _sizes in packs), PAD])
        items = np.concatenate([np.empty(0, np.int64), *(sizes for _data, sizes in packs)])
        del packs
        self._ends = np.cumsum(items)
        self.starts = self._ends - items
        marks = np.flatnonzero(np.frombuffer(self.data, np.uint8)[: -len(PAD)] == _MARK[0])
        self.sizes = marks - self.starts  # each item has one

    def __len__(self) -> int:
        return len(self.starts)

    def items(self, numbers: Ints) -> list[tuple[bytes, bytes]]:
        """(word, domain); a word may have several domains."""
        spans = zip(self.starts[numbers].tolist(), self._ends[numbers].tolist(), strict=True)
        parts = (self.data[start:end].partition(_MARK) for start, end in spans)
        return [(needle, domain) for needle, _mark, domain in parts]

    def best(self, numbers: Ints) -> list[bytes]:
        """Each word once, as it is spilled, of those that are found together."""
        found: dict[bytes, bytes] = {}
        for needle, domain in self.items(numbers):
            # A domain's surrogate says more than a removal; among domains the order must not depend on the run.
            found[needle] = max(found.get(needle, b""), domain)
        return [needle + _MARK + domain for needle, domain in found.items()]


class _Search:
    """Words ready to be searched."""

    def __init__(self, words: _Words) -> None:
        self._words = words
        self._needles = Needles.packed(words.data, words.starts, words.sizes)
        self._short: dict[bytes, list[int]] = {}
        short = np.flatnonzero(words.sizes < SHORTEST)
        for number, (needle, _domain) in zip(short.tolist(), words.items(short), strict=True):
            self._short.setdefault(needle, []).append(number)
        self._shortest = Exact(self._short)

    def likely(self, haystack: Haystack) -> Ints:
        """Numbers of the words that are there, and of few others; all of one word that has several domains."""
        found = np.searchsorted(self._words.starts, haystack.likely(self._needles))
        if self._words.sizes[found].sum() > _MOST_LIKELY_BYTES:
            sure = haystack.find([self._needles])
            found = found[[needle in sure for needle, _domain in self._words.items(found)]]
        short = [number for needle in haystack.exactly(self._shortest) for number in self._short[needle]]
        return np.append(found, np.array(short, np.int64))


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
