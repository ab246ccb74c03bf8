"""Our own word list, version 2: coined words that no dictionary, name register or product list holds.

Real names as surrogates would be found in real texts and make the proof ambiguous; a library's lists change with
its releases. These words are spelled from a fixed syllable table, so the list can never drift: 24 bits a word. Their
consonants are those that hardly any language has one after the other: among half a million words of ordinary syllables
(version 1) every Romano, Tanaka and Toledo stands somewhere by chance, and a search for originals finds them there.
"""

from __future__ import annotations

from typing import Any

BITS_PER_WORD = 24
ONSETS, VOWELS = "jqvwxz", "aeiuy"
_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"


_SYLLABLES = [onset + vowel for vowel in VOWELS for onset in ONSETS]
_PAIRS = [first + second for second in _SYLLABLES for first in _SYLLABLES]
_MASK = (1 << BITS_PER_WORD) - 1


def word(bits: int) -> str:
    """Five syllables of consonant and vowel from the low 24 bits, as in ``zivaxequwy``."""
    high, low = divmod(bits & _MASK, len(_PAIRS))
    higher, middle = divmod(high, len(_PAIRS))
    return _PAIRS[low] + _PAIRS[middle] + _SYLLABLES[higher]


def spelled(digests: Any, length: int) -> tuple[Any, Any, Any]:
    """Of rows of at least two uint64, big ends first, as rows of ASCII bytes: the `word` of the lowest bits of each,
    the `word` of the bits above these, and the `code` of those above both.
    """
    import numpy as np

    def rows(words: list[str], numbers: Any) -> Any:
        size = len(words[0])
        return np.frombuffer("".join(words).encode(), f"u{size}")[numbers].view(np.uint8).reshape(-1, size)

    def word_of(numbers: Any) -> Any:
        high, low = np.divmod(numbers & np.uint64(_MASK), np.uint64(len(_PAIRS)))
        higher, middle = np.divmod(high, np.uint64(len(_PAIRS)))
        return np.concatenate([rows(_PAIRS, low), rows(_PAIRS, middle), rows(_SYLLABLES, higher)], 1)

    bits = digests[:, -1]
    above = bits >> np.uint64(2 * BITS_PER_WORD) | digests[:, -2] << np.uint64(64 - 2 * BITS_PER_WORD)
    code_of = above[:, None] >> np.arange(0, 5 * length, 5, dtype=np.uint64) & np.uint64(31)
    letters = np.frombuffer(_BASE32.encode(), np.uint8)
    return word_of(bits), word_of(bits >> np.uint64(BITS_PER_WORD)), letters[code_of]


def code(bits: int, length: int) -> str:
    """`length` characters of Crockford's base 32 from the low bits."""
    return "".join(_BASE32[bits >> 5 * i & 31] for i in range(length))
