"""A keyed permutation of the integers below n, for any n: the surrogate of a short number is a number as long.

Small spaces are shuffled whole, by sorting a key stream; no value keeps its place, because in a space of a
hundred customers one would otherwise keep the own number. Large spaces go through a Feistel network over
a x b >= n with additions, as FF1 does (NIST SP 800-38G), walked until the result falls below n again.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt
from typing import Any

SHUFFLED = 1 << 20
"""Spaces up to this size are shuffled (4 MB each); it covers FF1's forbidden small domains."""
LARGEST = 10**30
_ROUNDS = 10


class Permutation:
    """A bijection of ``range(n)``, 2 <= n <= `LARGEST`; the same key (32 bytes) and n give the same one."""

    __slots__ = ("_a", "_b", "_encrypt", "_table", "n")

    def __init__(self, key: bytes, n: int) -> None:
        if not 2 <= n <= LARGEST:
            raise ValueError(f"can't permute {n} values")
        self.n = n
        self._a = isqrt(n - 1) + 1
        self._b = -(-n // self._a)
        self._table = _shuffled(key, n) if n <= SHUFFLED else None
        self._encrypt = _aes(key).update

    def __call__(self, value: int) -> int:
        if self._table is not None:
            return int(self._table[value])
        while True:
            value = self._feistel(value)
            if value < self.n:
                return value

    def _feistel(self, value: int) -> int:
        a, b, encrypt = self._a, self._b, self._encrypt
        left, right = divmod(value, b)
        for number in range(0, _ROUNDS, 2):
            tag = number << 120
            left = (left + int.from_bytes(encrypt((tag | right).to_bytes(16, "big")), "big")) % a
            tag = (number + 1) << 120
            right = (right + int.from_bytes(encrypt((tag | left).to_bytes(16, "big")), "big")) % b
        return left * b + right


def _aes(key: bytes) -> Any:
    """AES-256 of single blocks, the round function."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES256(key), modes.ECB()).encryptor()


@lru_cache(maxsize=24)
def _shuffled(key: bytes, n: int) -> Any:
    """A derangement of range(n) as an int32 array."""
    import numpy as np
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    stream = Cipher(algorithms.AES256(key), modes.CTR(n.to_bytes(16, "big"))).encryptor().update(bytes(8 * n))
    table = np.argsort(np.frombuffer(stream, "<u8"), kind="stable").astype(np.int32)
    stuck = np.flatnonzero(table == np.arange(n, dtype=np.int32))
    if len(stuck) == 1:  # alone it changes places with its neighbour, whose image can't be the stuck value
        stuck = np.array([stuck[0], (stuck[0] + 1) % n])
    table[stuck] = np.roll(table[stuck], 1)
    return table
