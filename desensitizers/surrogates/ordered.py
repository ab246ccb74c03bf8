"""Numbers whose surrogates sort as they do: a keyed, strictly rising function.

The range is halved with the domain, at a keyed place near the middle, until one number is left; so each number's place
follows from the key alone. Order, and roughly distance, is what such a surrogate tells: use it only where a reader
needs the order.
"""

from __future__ import annotations

from collections.abc import Callable

from desensitizers.errors import UnfitError
from desensitizers.surrogates.ff1 import aes

LARGEST = 10**15
"""Originals are below."""
GREATEST = (1 << 62) - 1
"""Surrogates are not above: they need 64 bits."""
WIDTH = len(str(GREATEST))


def rising(key: bytes) -> Callable[[int], int]:
    """The function of a key (32 bytes). Raises UnfitError for a number that is negative or too large."""
    encrypt = aes(key).update

    def image(number: int) -> int:
        if not 0 <= number < LARGEST:
            raise UnfitError(f"is not a number from 0 to {LARGEST - 1}, as surrogate 'ordered' takes them")
        low, high, first, last = 0, LARGEST, 0, GREATEST + 1
        while high - low > 1:
            middle = (low + high) // 2
            spare = (last - first) - (high - low)
            draw = int.from_bytes(encrypt(low.to_bytes(8, "big") + high.to_bytes(8, "big")), "big")
            cut = first + (middle - low) + spare // 4 + (draw * (spare // 2 + 1) >> 128)
            if number < middle:
                high, last = middle, cut
            else:
                low, first = middle, cut
        draw = int.from_bytes(encrypt(low.to_bytes(8, "big") + bytes(8)), "big")
        return first + (draw * (last - first) >> 128)

    return image
