"""The originals that the texts of a capture quote: found once for all segments, before these are rewritten.

Millions of originals are searched a share at a time, each share in all texts, so that it is made ready but once; what
each segment quotes is spilled for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from desensitizers.learned import Learned
from desensitizers.proof.originals import WORDS
from desensitizers.proof.peel import below_all
from desensitizers.proof.search import BLOCK_BYTES, Haystack, Needles
from desensitizers.proof.spill import BUCKETS, Spill

_MARK = b"\x00"
_SHARE_BYTES = 12 << 20
"""Of words that are searched at a time: with their domains, and ready to be searched, they take 20 times as much."""

_EVERYTHING = "quoted"
"""The bag of what all texts quote; a word may be in it twice."""
_TOGETHER_BYTES = 24 << 20
"""Of these, as they are spilled: half a million words, which take 100 MB ready to be searched, and 300 MB before."""

Bags = tuple[str, str]
"""A bag of texts, and the bag for what they quote."""


def jobs(spill: Spill, bags: Sequence[Bags]) -> list[tuple[Spill, range, tuple[Bags, ...]]]:
    """Arguments for `find`, which may be called by different processes."""
    shares = min(BUCKETS, max(1, math.ceil(spill.sealed_bytes(WORDS) / _SHARE_BYTES)))
    halves = [half for half in (tuple(bags[::2]), tuple(bags[1::2])) if half]
    return [(spill, range(share, BUCKETS, shares), half) for share in range(shares) for half in halves]


def find(spill: Spill, buckets: range, bags: Sequence[Bags]) -> None:
    """Spills what these texts quote of the words in these buckets, and a few that they may not: who replaces what is
    quoted searches it again.
    """
    owners: dict[bytes, bytes] = {}
    for bucket in buckets if len(buckets) < BUCKETS else (None,):
        for block in spill.blocks(WORDS, bucket):
            for item in block:
                needle, _, domain = item.partition(_MARK)
                owners[needle] = max(owners.get(needle, b""), domain)
    if not owners:
        return
    ready = [Needles(list(owners))]
    everything = spill.writer(_EVERYTHING, buckets=1)
    ever: set[bytes] = set()
    for texts, quoted in bags:
        writer = spill.writer(quoted, buckets=1)
        seen: set[bytes] = set()
        for pieces in _gather(spill.blocks(texts)):
            found = Haystack([*pieces, *below_all(pieces)]).likely(ready) - seen
            writer.extend(needle + _MARK + owners[needle] for needle in found)
            seen |= found
        writer.close()
        everything.extend(needle + _MARK + owners[needle] for needle in seen - ever)
        ever |= seen
    everything.close()


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
