"""Surrogates that Kafka's default partitioner sends where it sent their originals.

A key's partition is murmur2 of its bytes modulo the number of partitions. Among the originals of one partition, a
permutation walked until it comes home is again a permutation; where a space is small it is shuffled partition by
partition instead, so that nothing keeps its place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from desensitizers.errors import UnfitError
from desensitizers.surrogates.permutation import shuffled

_SEED, _M = 0x9747B28C, 0x5BD1E995
_MASK = 0xFFFFFFFF
_PATIENCE = 200
"""Tries per partition; a hash that misses so often has a chance of e^-200."""


def murmur2(data: bytes) -> int:
    """Kafka's 32 bit murmur2, made positive as its partitioner does (`Utils.murmur2`, `Utils.toPositive`)."""
    length = len(data)
    state = _SEED ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        block = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        block = (block ^ block >> 24) * _M & _MASK
        state = (state * _M & _MASK) ^ block
    if length > whole:
        state = (state ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    state = (state ^ state >> 13) * _M & _MASK
    return (state ^ state >> 15) & 0x7FFFFFFF


def staying(surrogate: Callable[[str], str], key: str, count: int) -> Callable[[str], str]:
    """`surrogate`, such that ``key.format(…)`` stays in its partition of so many. Raises UnfitError when none does."""

    def stay(canonical: str) -> str:
        home = partition(canonical)
        found = canonical
        for _ in range(_PATIENCE * count):
            found = surrogate(found)
            if partition(found) == home:
                return found
        raise UnfitError("has no surrogate that stays in its partition")

    def partition(text: str) -> int:
        return murmur2(key.format(text).encode("utf-8", "surrogatepass")) % count

    return stay


@lru_cache(maxsize=16)
def shuffled_within(secret: bytes, low: int, high: int, key: str, count: int) -> Any:
    """The numbers low to high (exclusive) as an int64 array of their images: shuffled, each in its partition."""
    import numpy as np

    numbers = np.arange(low, high, dtype=np.int64)
    homes = _murmur2_of([key.format(str(number)).encode() for number in range(low, high)]) % count
    images = numbers.copy()
    for home in range(count):
        members = np.flatnonzero(homes == home)
        if len(members) > 1:
            images[members] = numbers[members[shuffled(secret, len(members), home + 1)]]
    return images


def _murmur2_of(texts: list[bytes]) -> Any:
    """`murmur2` of each of many texts, length by length."""
    import numpy as np

    hashes = np.empty(len(texts), dtype=np.uint32)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        padded = b"".join(texts[row].ljust(-(-int(length) // 4) * 4, b"\0") for row in rows)
        blocks = np.frombuffer(padded, "<u4").reshape(len(rows), -1)
        state = np.full(len(rows), _SEED ^ int(length), np.uint32)
        for column in range(int(length) // 4):
            block = blocks[:, column] * np.uint32(_M)
            block = (block ^ block >> np.uint32(24)) * np.uint32(_M)
            state = state * np.uint32(_M) ^ block
        if length % 4:
            state = (state ^ blocks[:, -1]) * np.uint32(_M)
        state = (state ^ state >> np.uint32(13)) * np.uint32(_M)
        hashes[rows] = (state ^ state >> np.uint32(15)) & np.uint32(0x7FFFFFFF)
    return hashes
