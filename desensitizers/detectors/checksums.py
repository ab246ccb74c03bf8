"""Check digits that national numbers end in, by the standards and laws that define them. Digits come as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

_VERHOEFF_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def luhn(number: str) -> bool:
    """ISO/IEC 7812-1."""
    total = 0
    for place, char in enumerate(reversed(number)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def weighted(number: str, weights: Sequence[int]) -> int:
    """The sum of digits times weights, from the left."""
    return sum(int(char) * weight for char, weight in zip(number, weights, strict=False))


def ean(number: str) -> bool:
    """GS1's check digit (weights 1 and 3)."""
    return sum(int(char) * (3 if place % 2 else 1) for place, char in enumerate(reversed(number))) % 10 == 0


def verhoeff(number: str) -> bool:
    check = 0
    for place, char in enumerate(reversed(number)):
        check = int(_VERHOEFF_D[check][int(_VERHOEFF_P[place % 8][int(char)])])
    return check == 0


def mod_11_10(number: str) -> bool:
    """ISO 7064, MOD 11,10."""
    product = 10
    for char in number[:-1]:
        total = (int(char) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(number[-1])


def mod_11_2(number: str) -> bool:
    """ISO 7064, MOD 11-2; the last character may be X."""
    check = 0
    for char in number[:-1]:
        check = (check + int(char)) * 2 % 11
    return (12 - check) % 11 == (10 if number[-1] in "xX" else int(number[-1]))


def day(year: int, month: int, of_month: int) -> bool:
    """Whether the calendar has that day."""
    try:
        date(year, month, of_month)
    except ValueError:
        return False
    return True


def day_of_century(text: str) -> bool:
    """YYMMDD in the 20th or the 21st century."""
    year, month, of_month = int(text[:2]), int(text[2:4]), int(text[4:6])
    return day(1900 + year, month, of_month) or day(2000 + year, month, of_month)
