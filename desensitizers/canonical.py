"""One value, one spelling: what a value is reduced to before it is keyed.

The same customer must meet the same surrogate whether it stands as a JSON number, as text, in upper case or
inside a key. A function here takes the text of a scalar and returns its canonical text, or raises UnfitError.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from desensitizers.errors import UnfitError

Canonical = Callable[[str], str]

_DIGITS = re.compile(r"-?\s*\+?[0-9\s./()\-]*[0-9][\s)]*")
_NOT_DIGIT = re.compile(r"[^0-9]")
_PHONE = re.compile(r"\s*(\+|00)?[0-9\s./()\-]*[0-9]\s*")
_NEGATIVE = re.compile(r"-[0-9]+")
_SPACE_OR_HYPHEN = re.compile(r"[\s\-]")
_HEX = re.compile(r"[0-9a-f]+")


def raw(text: str) -> str:
    """The text as it stands, in Unicode normal form C."""
    return unicodedata.normalize("NFC", text)


def lower(text: str) -> str:
    """Case and surrounding space don't matter."""
    return unicodedata.normalize("NFC", text.strip().casefold())


def words(text: str) -> str:
    """Names: case, surrounding and repeated white space don't matter."""
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


def email(text: str) -> str:
    """An address, without ``mailto:``, angle brackets or upper case."""
    address = lower(text).removeprefix("mailto:").strip("<>").strip()
    if "@" not in address:
        raise UnfitError("is not an e-mail address")
    return address


def digits(text: str) -> str:
    """A number in any grouping, without separators and leading zeros: ``42``, ``042``, ``4 2`` are one."""
    if text.isdecimal() and text.isascii():
        return text.lstrip("0") or "0"
    if not _DIGITS.fullmatch(text):
        raise UnfitError("is not made of digits; name the digits with extract: '...(?P<id>\\d+)'")
    sign = "-" if _NEGATIVE.fullmatch(text) else ""
    number = _NOT_DIGIT.sub("", text).lstrip("0") or "0"
    return sign + number


def compact(text: str) -> str:
    """Letters and digits in upper case, without grouping: IBANs and the like."""
    return (text if text.isalnum() else _SPACE_OR_HYPHEN.sub("", text)).upper()


def hexadecimal(text: str) -> str:
    """Hex digits in lower case, without signs between them: hardware addresses and the like."""
    found = re.sub(r"[\s:.\-]", "", text).lower()
    if not _HEX.fullmatch(found):
        raise UnfitError("is not made of hex digits")
    return found


def phone(text: str, country: str = "") -> str:
    """E.164 (``+4917012345``). A national number needs the domain's `country` (``"49"``) to become one.

    Digits without ``+`` or ``00`` and without a leading zero are read as E.164 without its plus.
    """
    if not _PHONE.fullmatch(text):
        raise UnfitError("is not a phone number")
    text = text.strip().replace("(0)", "")
    international = text.startswith("+")
    number = _NOT_DIGIT.sub("", text)
    if not international and number.startswith("00"):
        return "+" + number[2:]
    if not international and number.startswith("0"):
        return f"+{country}{number[1:]}" if country else number
    return "+" + number


FUNCTIONS: dict[str, Canonical] = {
    "raw": raw,
    "lower": lower,
    "words": words,
    "email": email,
    "digits": digits,
    "compact": compact,
    "phone": phone,
    "hex": hexadecimal,
}
