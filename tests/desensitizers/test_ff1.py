"""FF1 against the samples that NIST published, and against another implementation."""

from __future__ import annotations

import ffx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.surrogates.ff1 import FF1

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
K128 = "2B7E151628AED2A6ABF7158809CF4F3C"
K192 = K128 + "EF4359D8D580AA4F"
K256 = K192 + "7F036D6F04FC6A94"
DIGITS_TWEAK = "39383736353433323130"
LETTERS_TWEAK = "3737373770717273373737"
SAMPLES = [
    (K128, 10, "", "0123456789", "2433477484"),
    (K128, 10, DIGITS_TWEAK, "0123456789", "6124200773"),
    (K128, 36, LETTERS_TWEAK, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (K192, 10, "", "0123456789", "2830668132"),
    (K192, 10, DIGITS_TWEAK, "0123456789", "2496655549"),
    (K192, 36, LETTERS_TWEAK, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (K256, 10, "", "0123456789", "6657667009"),
    (K256, 10, DIGITS_TWEAK, "0123456789", "1001623463"),
    (K256, 36, LETTERS_TWEAK, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]


def number(text: str, radix: int) -> int:
    total = 0
    for char in text:
        total = total * radix + ALPHABET.index(char)
    return total


def spelled(value: int, radix: int, length: int) -> str:
    out = ""
    for _ in range(length):
        value, digit = divmod(value, radix)
        out = ALPHABET[digit] + out
    return out


@pytest.mark.parametrize(("key", "radix", "tweak", "plain", "sealed"), SAMPLES)
def test_the_samples_of_sp_800_38g(key: str, radix: int, tweak: str, plain: str, sealed: str) -> None:
    cipher = FF1(bytes.fromhex(key), radix, len(plain), bytes.fromhex(tweak))
    assert spelled(cipher(number(plain, radix)), radix, len(plain)) == sealed


@given(st.sampled_from([10, 16, 26, 36, 62]), st.integers(5, 40), st.binary(min_size=32, max_size=32), st.data())
@settings(max_examples=60)
def test_it_agrees_with_another_implementation(radix: int, length: int, key: bytes, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, radix**length - 1))
    if radix**length < 1_000_000:
        with pytest.raises(ValueError, match="at least"):
            FF1(key, radix, length)
        return
    theirs = ffx.FF1(key, alphabet=ALPHABET[:radix]).encrypt(spelled(value, radix, length))
    assert spelled(FF1(key, radix, length)(value), radix, length) == theirs
