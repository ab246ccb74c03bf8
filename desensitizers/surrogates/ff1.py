"""FF1, format-preserving encryption of numeral strings (NIST SP 800-38G): encryption only, for one length.

The numeral string is handled as the number it spells in its radix. Everything that doesn't depend on it is computed
once, so that a round is one block of AES.
"""

from __future__ import annotations

from math import ceil
from typing import Any

LEAST_DOMAIN = 1_000_000
"""Fewer strings than these must not be encrypted so (SP 800-38G Rev. 1)."""
_ROUNDS = 10
_FEW = 16
"""Values for which arrays are not worth it."""


class FF1:
    """A keyed permutation of the numeral strings of `length` digits in `radix` (2 to 65,536)."""

    __slots__ = ("_chained", "_cut", "_encrypt", "_moduli", "_prefixes", "_width", "size")

    def __init__(self, key: bytes, radix: int, length: int, tweak: bytes = b"") -> None:
        """`key`: 16, 24 or 32 bytes. Raises ValueError for a domain below `LEAST_DOMAIN`."""
        self.size = radix**length
        if not 2 <= radix <= 1 << 16 or self.size < LEAST_DOMAIN:
            raise ValueError(f"FF1 takes at least {LEAST_DOMAIN:,} strings, not {radix} to the {length}")
        u = length // 2
        v = length - u
        self._moduli: tuple[int, int] = (radix**u, radix**v)
        self._width = ceil((radix**v - 1).bit_length() / 8)
        self._cut = 4 * ceil(self._width / 4) + 4
        self._encrypt = aes(key).update
        head = b"\1\2\1" + radix.to_bytes(3, "big") + bytes([_ROUNDS, u % 256])
        head += length.to_bytes(4, "big") + len(tweak).to_bytes(4, "big")
        padding = bytes((-len(tweak) - self._width - 1) % 16)
        fixed = [tweak + padding + bytes([number]) for number in range(_ROUNDS)]
        if self._width > 15:
            raise ValueError("FF1 takes strings of up to 240 bits here")
        whole = (len(fixed[0]) + self._width) // 16 - 1  # blocks before the last, which alone differs
        self._chained = self._chain(bytes(16), head)
        self._chained = self._chain(self._chained, fixed[0][: 16 * whole])
        self._prefixes = [
            int.from_bytes(text[16 * whole :] + bytes(self._width), "big") ^ int.from_bytes(self._chained, "big")
            for text in fixed
        ]

    def __call__(self, value: int) -> int:
        left, right = divmod(value, self._moduli[1])
        encrypt, cut, moduli = self._encrypt, self._cut, self._moduli
        for number, prefix in enumerate(self._prefixes):
            block = encrypt((prefix ^ right).to_bytes(16, "big"))
            if cut > 16:
                block += encrypt((int.from_bytes(block, "big") ^ 1).to_bytes(16, "big"))
            left, right = right, (left + int.from_bytes(block[:cut], "big")) % moduli[number & 1]
        return left * moduli[1] + right

    def many(self, values: list[int]) -> list[int]:
        """The same for each of many: all their blocks of a round are enciphered together."""
        bits = self._moduli[1].bit_length() - 1
        if self._moduli[1] != 1 << bits or self._width > 8 or len(values) < _FEW:
            return list(map(self, values))
        import numpy as np

        masks = [np.uint64(modulus - 1) for modulus in self._moduli]
        short, shift = self.size <= 1 << 64, np.uint64(bits)
        if short:
            whole = np.array(values, np.uint64)
            left, right = whole >> shift, whole & masks[1]
        else:
            left, right = np.array([divmod(value, self._moduli[1]) for value in values], np.uint64).T
        blocks = np.empty((len(values), 2), ">u8")
        for number, prefix in enumerate(self._prefixes):
            blocks[:, 0] = prefix >> 64
            blocks[:, 1] = right ^ np.uint64(prefix & (1 << 64) - 1)
            high, low = np.frombuffer(self._encrypt(blocks.tobytes()), ">u8").reshape(-1, 2).astype(np.uint64).T
            if self._cut == 12:
                high = high << np.uint64(32) | low >> np.uint64(32)
            left, right = right, (left + high) & masks[number & 1]
        if short:
            done: list[int] = (left << shift | right).tolist()
            return done
        return [one * self._moduli[1] + other for one, other in zip(left.tolist(), right.tolist(), strict=True)]

    def _chain(self, state: bytes, data: bytes) -> bytes:
        """CBC-MAC over whole blocks."""
        for start in range(0, len(data), 16):
            mixed = int.from_bytes(state, "big") ^ int.from_bytes(data[start : start + 16], "big")
            state = self._encrypt(mixed.to_bytes(16, "big"))
        return state


def aes(key: bytes) -> Any:
    """AES of single blocks, the round function."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(key), modes.ECB()).encryptor()
