"""A keyed permutation of the integers below n, for any n: the surrogate of a short number is a number as long.

Small spaces are shuffled whole, by sorting a key stream; no value keeps its place, because in a space of a
hundred customers one would otherwise keep the own number. Large spaces go through FF1 (NIST SP 800-38G) over the
bits of the number, walked until the result falls below n again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from desensitizers.surrogates.ff1 import FF1

SHUFFLED = 1 << 20
"""Spaces up to this size are shuffled (4 MB each); it covers FF1's forbidden small domains."""
LARGEST = 10**30


class Permutation:
    """A bijection of ``range(n)``, 2 <= n <= `LARGEST`; the same key (32 bytes) and n give the same one."""

    __slots__ = ("_ff1", "_table", "n")

    def __init__(self, key: bytes, n: int) -> None:
        if not 2 <= n <= LARGEST:
            raise ValueError(f"can't permute {n} values")
        self.n = n
        self._table: Any = shuffled(key, n) if n <= SHUFFLED else None
        self._ff1 = FF1(key, 2, (n - 1).bit_length()) if n > SHUFFLED else None

    def __call__(self, value: int) -> int:
        if self._ff1 is None:
            return int(self._table[value])
        while True:
            value = self._ff1(value)
            if value < self.n:
                return value

    def many(self, values: list[int]) -> list[int]:
        """The image of each."""
        if self._ff1 is None:
            return [int(image) for image in self._table[values]] if values else []
        images = self._ff1.many(values)
        outside = [place for place, image in enumerate(images) if image >= self.n]
        while outside:
            again = self._ff1.many([images[place] for place in outside])
            for place, image in zip(outside, again, strict=True):
                images[place] = image
            outside = [place for place in outside if images[place] >= self.n]
        return images


@lru_cache(maxsize=24)
def shuffled(key: bytes, n: int, label: int = 0) -> Any:
    """A derangement of range(n) as an int32 array; another `label`, another one."""
    import numpy as np
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    start = modes.CTR(((label << 32 | n) << 64).to_bytes(16, "big"))  # far apart: no two streams share a block
    stream = Cipher(algorithms.AES256(key), start).encryptor().update(bytes(8 * n))
    table = np.argsort(np.frombuffer(stream, "<u8"), kind="stable").astype(np.int32)
    stuck = np.flatnonzero(table == np.arange(n, dtype=np.int32))
    if len(stuck) == 1:  # alone it changes places with its neighbour, whose image can't be the stuck value
        stuck = np.array([stuck[0], (stuck[0] + 1) % n])
    table[stuck] = np.roll(table[stuck], 1)
    return table
