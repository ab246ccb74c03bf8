"""Our own word list, version 1: coined words that no dictionary, name register or product list holds.

Real names as surrogates would be found in real texts and make the proof ambiguous; a library's lists change with
its releases. These words are spelled from fixed syllable tables, so the list can never drift: 24 bits a word.
"""

from __future__ import annotations

VERSION = 1
BITS_PER_WORD = 24
_ONSETS = ("b", "d", "f", "g", "j", "k", "l", "m", "n", "p", "r", "t", "v", "x", "z", "q")
_VOWELS = ("a", "e", "o", "u")
_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"


_SYLLABLES = [_ONSETS[bits & 15] + _VOWELS[bits >> 4] for bits in range(64)]
_PAIRS = [_SYLLABLES[bits & 63] + _SYLLABLES[bits >> 6] for bits in range(4096)]


def word(bits: int) -> str:
    """Four syllables of consonant and vowel from the low 24 bits, as in ``zovaqume``."""
    return _PAIRS[bits & 0xFFF] + _PAIRS[bits >> 12 & 0xFFF]


def code(bits: int, length: int) -> str:
    """`length` characters of Crockford's base 32 from the low bits."""
    return "".join(_BASE32[bits >> 5 * i & 31] for i in range(length))
