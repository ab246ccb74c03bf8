"""What can stand in for a value: each kind answers in a reserved range that nothing real can lie in.

A kind is built with a domain's key and options into a function from canonical text to plain surrogate; `dress` then
gives the surrogate the form of the original (width, grouping), at whose content it never looks.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from desensitizers.errors import UnfitError
from desensitizers.surrogates import words
from desensitizers.surrogates.fictional import number_for
from desensitizers.surrogates.ordered import GREATEST, WIDTH, rising
from desensitizers.surrogates.partitions import shuffled_within
from desensitizers.surrogates.permutation import SHUFFLED, Permutation

Uniqueness = Literal["injective", "collision-resistant", "merges"]
Options = Mapping[str, int | str | bool]
Surrogate = Callable[[str], str]

INT_CEILINGS = (2**31, 2**63)
"""Numbers below these stay below, so that a surrogate fits the 32 or 64 bits the original came in."""
_MOST_DIGITS = 30
TEST_CARD_PREFIXES = {"3": "378282", "4": "400000", "5": "555555", "2": "222300", "6": "601111"}
IBAN_COUNTRY = "XT"
"""From ISO 3166's user-assigned codes (XA to XZ): never a country."""
_DOCUMENTATION = ("192.0.2", "198.51.100", "203.0.113")
"""RFC 5737."""
PHONE_PREFIX = "+999"
"""Held in reserve by the ITU: no subscriber can have such a number."""
EMAIL_HOST = "example.test"
"""RFC 2606 and 6761: .test is never delegated."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to make surrogates, with the facts that the compiler checks policies against."""

    name: str
    version: int
    canonical: str
    uniqueness: Uniqueness
    types: frozenset[str]
    build: Callable[[bytes, Options], Surrogate]
    options: Mapping[str, type]
    summary: str
    dress: Callable[[str, str], str] = lambda plain, _original: plain
    """(plain surrogate, original) -> surrogate."""
    keeps_form: bool = False
    """Whether a surrogate could be another original of the domain."""
    greatest: int | None = None
    """The greatest number it gives; None when its numbers need no more room than their originals."""


def _bits(key: bytes, canonical: str) -> int:
    return int.from_bytes(hmac.digest(key, canonical.encode("utf-8", "surrogatepass"), "sha256"), "big")


def _digits(key: bytes, options: Options) -> Surrogate:
    spaces: dict[tuple[int, int], Callable[[int], int]] = {}
    count, pattern = int(options.get("partitions", 0)), str(options.get("key", "{}"))

    def space(low: int, high: int) -> Callable[[int], int]:
        if count and high - low <= SHUFFLED:
            images = shuffled_within(key, low, high, pattern, count)
            return lambda number: _moved(number, int(images[number - low]))
        permutation = Permutation(key, high - low)
        return lambda number: low + permutation(number - low)

    def surrogate(canonical: str) -> str:
        if len(canonical) > _MOST_DIGITS:
            raise UnfitError(f"has more than {_MOST_DIGITS} digits")
        number = int(canonical)
        sign, number = ("-", -number) if number < 0 else ("", number)
        bounds = decade(number)
        if bounds not in spaces:
            spaces[bounds] = space(*bounds)
        return sign + str(spaces[bounds](number))

    return surrogate


def _moved(number: int, image: int) -> int:
    if image == number:
        raise UnfitError("is the only number of its width in its partition: it has no surrogate there")
    return image


def _ordered(key: bytes, _options: Options) -> Surrogate:
    image = rising(key)
    return lambda canonical: str(image(int(canonical)))


def _padded(plain: str, _original: str) -> str:
    return plain.zfill(WIDTH)


def decade(number: int) -> tuple[int, int]:
    """The half-open range of numbers of the same width, cut where 32 and 64 bit integers end."""
    width = len(str(number))
    low, high = (10 ** (width - 1) if width > 1 else 0), 10**width
    for ceiling in INT_CEILINGS:
        if low < ceiling < high:
            low, high = (low, ceiling) if number < ceiling else (ceiling, high)
    return low, high


def _in_digits_of(plain: str, original: str) -> str:
    """The number in the grouping and zero padding of the original."""
    sign, number = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    if original.isdigit():
        return number.zfill(len(original))
    slots = sum(char.isdigit() for char in original)
    digits = iter(number.zfill(slots))
    return sign + "".join(next(digits) if char.isdigit() else char for char in original.lstrip("-"))


def _without_plus(plain: str, original: str) -> str:
    return plain[1:] if original.isdigit() else plain


def _in_groups(plain: str, original: str) -> str:
    if " " not in original.strip():
        return plain
    return " ".join(plain[start : start + 4] for start in range(0, len(plain), 4))


def _email(key: bytes, _options: Options) -> Surrogate:
    def surrogate(canonical: str) -> str:
        bits = _bits(key, canonical)
        first, last = words.word(bits), words.word(bits >> 24)
        return f"{first}.{last}.{words.code(bits >> 48, 4)}@{EMAIL_HOST}"

    return surrogate


def _name(key: bytes, _options: Options) -> Surrogate:
    def surrogate(canonical: str) -> str:
        bits = _bits(key, canonical)
        first, last = words.word(bits).capitalize(), words.word(bits >> 24).capitalize()
        return f"{first} {last} {words.code(bits >> 48, 4)}"

    return surrogate


def _phone(key: bytes, _options: Options) -> Surrogate:
    space = 10**12
    permutation = Permutation(key, space)

    def surrogate(canonical: str) -> str:
        number = canonical.lstrip("+")
        if canonical.startswith("+") and len(number) <= 12:
            image = permutation(int(number or "0"))
        else:
            image = _bits(key, canonical) % space
        return f"{PHONE_PREFIX}{image:012d}"

    return surrogate


def _card(key: bytes, options: Options) -> Surrogate:
    keep = int(options.get("keep_prefix", 0))
    spaces: dict[int, Permutation] = {}

    def permute(digits: str) -> str:
        size = len(digits)
        if size not in spaces:
            spaces[size] = Permutation(key, 10**size)
        return str(spaces[size](int(digits))).zfill(size)

    def surrogate(canonical: str) -> str:
        if not 12 <= len(canonical) <= 19:
            raise UnfitError("is not a card number (12 to 19 digits)")
        if keep:
            return _impossible_card(canonical, keep, permute)
        prefix = TEST_CARD_PREFIXES.get(canonical[0], "400000")
        free = len(canonical) - len(prefix) - 1
        body = prefix + str(_bits(key, canonical) % 10**free).zfill(free)
        return body + str(luhn_digit(body))

    return surrogate


def _impossible_card(number: str, keep: int, permute: Callable[[str], str]) -> str:
    """The issuer's digits, then permuted ones that never pass the Luhn check: a kept prefix is a real issuer's."""
    prefix, rest = number[:keep], number[keep:]
    if luhn_digit(number[:-1]) == int(number[-1]):
        body = prefix + permute(rest[:-1])
        return f"{body}{(luhn_digit(body) + 1) % 10}"
    while True:  # walks inside the impossible numbers, so that no two meet
        rest = permute(rest)
        if luhn_digit(prefix + rest[:-1]) != int(rest[-1]):
            return prefix + rest


_ONCE = bytes(max(0, char - ord("0")) % 10 for char in range(256))
_TWICE = bytes(sum(divmod(2 * digit, 10)) for digit in _ONCE)


def luhn_digit(body: str) -> int:
    """The digit that makes `body` followed by it pass the Luhn check (ISO/IEC 7812-1)."""
    if not body.isascii():
        body = "".join(str(int(char)) for char in body)
    digits = body.encode()
    return -(sum(digits[-1::-2].translate(_TWICE)) + sum(digits[-2::-2].translate(_ONCE))) % 10


def _iban(key: bytes, _options: Options) -> Surrogate:
    def surrogate(canonical: str) -> str:
        length = len(canonical) - 4
        if not 11 <= length <= 30:
            raise UnfitError("is not an IBAN (15 to 34 characters)")
        bban = str(_bits(key, canonical) % 10**length).zfill(length)
        return f"{IBAN_COUNTRY}{iban_check(IBAN_COUNTRY, bban)}{bban}"

    return surrogate


def iban_check(country: str, bban: str) -> str:
    """The two check digits of ISO 13616 (modulo 97-10) for a national part of digits."""
    return f"{98 - (int(bban) * 10**6 + _iban_country(country)) % 97:02d}"


@lru_cache(maxsize=256)
def _iban_country(country: str) -> int:
    return int("".join(str(int(char, 36)) for char in country)) * 100


def _ip(key: bytes, _options: Options) -> Surrogate:
    def surrogate(canonical: str) -> str:
        bits = _bits(key, canonical)
        if ":" not in canonical:
            return f"{_DOCUMENTATION[bits % 3]}.{bits // 3 % 256}"
        groups = [f"{bits >> 16 * i & 0xFFFF:x}" for i in range(6)]
        return "2001:db8:" + ":".join(groups)

    return surrogate


def _mac(key: bytes, _options: Options) -> Surrogate:
    return lambda canonical: f"00005e0053{_bits(key, canonical) % 256:02x}"


def _in_pairs_of(plain: str, original: str) -> str:
    """The address with the original's signs between its digits, and its case."""
    size = 4 if "." in original else 2
    sign = next((char for char in original if char in ":-."), "")
    text = sign.join(plain[start : start + size] for start in range(0, 12, size))
    return text if original != original.upper() else text.upper()


def _phone_local(key: bytes, _options: Options) -> Surrogate:
    reserved = _phone(key, {})

    def surrogate(canonical: str) -> str:
        number = canonical.removeprefix("+")
        codes = (number[:size] for size in (1, 2, 3)) if canonical.startswith("+") else ()
        found = (number_for(code, _bits(key, canonical)) for code in codes)
        return next((made for made in found if made), None) or reserved(canonical)

    return surrogate


def _hex(key: bytes, _options: Options) -> Surrogate:
    return lambda canonical: f"{_bits(key, canonical) >> 128:032x}"


def _uuid(key: bytes, _options: Options) -> Surrogate:
    def surrogate(canonical: str) -> str:
        bits = _bits(key, canonical) >> 128
        bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62  # RFC 9562 version 8, variant 10
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    return surrogate


_TEXT = frozenset({"string"})
_TEXT_OR_INT = frozenset({"string", "integer"})

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "digits",
            2,
            "digits",
            "injective",
            _TEXT_OR_INT,
            _digits,
            {},
            "a number of the same width",
            _in_digits_of,
            True,
        ),
        Kind(
            "ordered",
            1,
            "digits",
            "injective",
            _TEXT_OR_INT,
            _ordered,
            {},
            "a number of 64 bits; they sort as their originals do",
            _padded,
            greatest=GREATEST,
        ),
        Kind("email", 2, "email", "collision-resistant", _TEXT, _email, {}, "an address at example.test"),
        Kind("name", 2, "words", "collision-resistant", _TEXT, _name, {}, "two coined words and a code"),
        Kind(
            "phone",
            2,
            "phone",
            "collision-resistant",
            _TEXT_OR_INT,
            _phone,
            {"country": str},
            "+999 and 12 digits",
            _without_plus,
        ),
        Kind(
            "card",
            2,
            "digits",
            "collision-resistant",
            _TEXT_OR_INT,
            _card,
            {"keep_prefix": int},
            "a test card",
            _in_digits_of,
        ),
        Kind(
            "iban", 1, "compact", "collision-resistant", _TEXT, _iban, {}, "a valid IBAN of no country (XT)", _in_groups
        ),
        Kind("ip", 2, "lower", "merges", _TEXT, _ip, {}, "a documentation address (RFC 5737, RFC 3849)"),
        Kind("mac", 1, "hex", "merges", _TEXT, _mac, {}, "a documentation address (RFC 7042)", _in_pairs_of),
        Kind(
            "phone_local",
            1,
            "phone",
            "merges",
            _TEXT,
            _phone_local,
            {"country": str},
            "a number its country keeps for fiction",
            _without_plus,
        ),
        Kind("hex", 1, "raw", "collision-resistant", _TEXT, _hex, {}, "32 hex digits"),
        Kind("uuid", 1, "lower", "collision-resistant", _TEXT, _uuid, {}, "a UUID of version 8"),
    )
}
KINDS["fpe"] = KINDS["digits"]
"""The name known from other tools for a surrogate that keeps the format."""
