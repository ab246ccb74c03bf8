"""National identity, tax and insurance numbers: their forms and their check digits, country by country.

Those whose form or check digits leave little to chance are found anywhere; the others (`label`) only after a word for
them, because one bare number in ten or eleven would pass their check.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from desensitizers.detectors import checksums as c

_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_FINNISH = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10,
     22, 25, 24, 23), strict=True))  # fmt: skip
_CURP = "0123456789ABCDEFGHIJKLMN\u00d1OPQRSTUVWXYZ"
_ROC = {char: place + 10 for place, char in enumerate("ABCDEFGHJKLMNPQRSTUVXYWZIO")}


@dataclass(frozen=True, slots=True)
class NationalId:
    """One kind of number; `check` gets letters and digits only, in upper case."""

    name: str
    form: re.Pattern[str]
    check: Callable[[str], bool]
    label: re.Pattern[str] | None = None


def _id(name: str, form: str, check: Callable[[str], bool], label: str = "") -> NationalId:
    bounded = rf"(?<![\w.])(?:{form})(?!\w|[.-]\d)"
    return NationalId(name, re.compile(bounded), check, re.compile(label, re.IGNORECASE) if label else None)


def _german(number: str) -> bool:
    """Of the first ten digits one stands twice or three times, the others at most once."""
    counts = sorted((number[:10].count(digit) for digit in set(number[:10])), reverse=True)
    return counts[0] in (2, 3) and counts.count(1) == len(counts) - 1 and c.mod_11_10(number)


def _french(number: str) -> bool:
    body = number[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(number[13:])


def _spanish(number: str) -> bool:
    first = {"X": "0", "Y": "1", "Z": "2"}.get(number[0], number[0])
    return _LETTERS[int(first + number[1:-1]) % 23] == number[-1]


def _italian(number: str) -> bool:
    total = sum(_ODD[char] if place % 2 == 0 else _even(char) for place, char in enumerate(number[:15]))
    return chr(65 + total % 26) == number[15]


def _even(char: str) -> int:
    return int(char) if char.isdigit() else ord(char) - 65


def _belgian(number: str) -> bool:
    check = int(number[9:])
    return check in (97 - int(number[:9]) % 97, 97 - int("2" + number[:9]) % 97) and int(number[2:4]) <= 72


def _polish(number: str) -> bool:
    month = int(number[2:4]) % 20
    right = c.weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0
    return right and c.day_of_century(f"{number[:2]}{month:02d}{number[4:6]}")


def _swedish(number: str) -> bool:
    short = number[-10:]
    of_month = int(short[4:6])
    born = f"{short[:4]}{of_month - 60 if of_month > 60 else of_month:02d}"
    return c.day_of_century(born) and c.luhn(short)


def _finnish(number: str) -> bool:
    born = number[4:6] + number[2:4] + number[:2]
    return c.day_of_century(born) and _FINNISH[int(number[:6] + number[-4:-1]) % 31] == number[-1]


def _norwegian(number: str) -> bool:
    first = c.weighted(number, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1))
    second = c.weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
    of_month, month = int(number[:2]) % 40, int(number[2:4]) % 40
    return first % 11 == second % 11 == 0 and c.day_of_century(f"{number[4:6]}{month:02d}{of_month:02d}")


def _danish(number: str) -> bool:
    return c.day_of_century(number[4:6] + number[2:4] + number[:2])


def _brazilian(number: str) -> bool:
    first = -c.weighted(number[:9], range(10, 1, -1)) % 11 % 10
    second = -c.weighted(number[:10], range(11, 1, -1)) % 11 % 10
    return len(set(number)) > 1 and number[9:] == f"{first}{second}"


def _chinese(number: str) -> bool:
    return c.mod_11_2(number) and c.day(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def _turkish(number: str) -> bool:
    odd, even = sum(map(int, number[0:9:2])), sum(map(int, number[1:8:2]))
    return (7 * odd - even) % 10 == int(number[9]) and sum(map(int, number[:10])) % 10 == int(number[10])


def _romanian(number: str) -> bool:
    check = c.weighted(number[:12], (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return c.day_of_century(number[1:7]) and (1 if check == 10 else check) == int(number[12])


def _czech(number: str) -> bool:
    month = int(number[2:4]) % 50
    month = month - 20 if month > 20 else month
    right = int(number) % 11 == 0 or (int(number[:9]) % 11 == 10 and number[9] == "0")
    return c.day_of_century(f"{number[:2]}{month:02d}{number[4:6]}") and right


def _south_african(number: str) -> bool:
    return number[10] in "01" and c.day_of_century(number[:6]) and c.luhn(number)


def _korean(number: str) -> bool:
    right = (11 - c.weighted(number[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(number[12])
    return c.day_of_century(number[:6]) and right


def _mexican(number: str) -> bool:
    total = sum((18 - place) * _CURP.index(char) for place, char in enumerate(number[:17]))
    return c.day_of_century(number[4:10]) and -total % 10 == int(number[17])


def _irish(number: str) -> bool:
    extra = ord(number[8]) - 64 if len(number) == 9 and number[8] != "W" else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[(c.weighted(number[:7], range(8, 1, -1)) + 9 * extra) % 23] == number[7]


def _singaporean(number: str) -> bool:
    total = c.weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(number[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "KLJNPQRTUWX"}.get(number[0], "XWUTRQPNMLK")
    place = 10 - total % 11 if number[0] == "M" else total % 11
    return letters[place] == number[8]


def _taiwanese(number: str) -> bool:
    area = _ROC[number[0]]
    return (area // 10 + area % 10 * 9 + c.weighted(number[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def _chilean(number: str) -> bool:
    total = sum(int(char) * (2 + place % 6) for place, char in enumerate(reversed(number[:-1])))
    return "0123456789K0"[11 - total % 11] == number[-1]


def _argentine(number: str) -> bool:
    check = 11 - c.weighted(number[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return {11: 0, 10: 9}.get(check, check) == int(number[10])


def _portuguese(number: str) -> bool:
    check = 11 - c.weighted(number[:8], range(9, 1, -1)) % 11
    return (0 if check > 9 else check) == int(number[8])


def _austrian(number: str) -> bool:
    return c.weighted(number, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == int(number[3]) and number[0] != "0"


def _estonian(number: str) -> bool:
    check = c.weighted(number, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = c.weighted(number, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return check == int(number[10]) and c.day_of_century(number[1:7])


IDS = (
    _id("US SSN", r"(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}", lambda _: True),
    _id("US SSN", r"(?!000|666|9)\d{3} ?(?!00)\d\d ?(?!0000)\d{4}", lambda _: True, r"ssn|social.?security"),
    _id("US ITIN", r"9\d\d-(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])-\d{4}", lambda _: True),
    _id("GB NINO", r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d\d){3} ?[A-D]", lambda _: True),
    _id("GB NHS", r"\d{3} ?\d{3} ?\d{4}", lambda n: c.weighted(n, (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0, r"nhs"),
    _id("DE IdNr", r"[1-9]\d ?\d{3} ?\d{3} ?\d{3}", _german),
    _id("FR NIR", r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", _french),
    _id("ES DNI, NIE", r"(?:\d{8}|[XYZ]-?\d{7})-?[A-Z]", _spanish),
    _id("IT CF", r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]", _italian),
    _id("NL BSN", r"\d{4}\.?\d\d\.?\d{3}", lambda n: c.weighted(n, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0,
        r"bsn|burgerservice|sofi"),
    _id("BE NN", r"\d\d\.?\d\d\.?\d\d-?\d{3}\.?\d\d", _belgian),
    _id("PL PESEL", r"\d{11}", _polish, r"pesel"),
    _id("SE personnummer", r"(?:\d\d)?\d{6}[-+]\d{4}|(?:19|20)\d{10}", _swedish),
    _id("FI HETU", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", _finnish),
    _id("DK CPR", r"\d{6}-?\d{4}", _danish, r"cpr|personnummer"),
    _id("NO fodselsnummer", r"\d{6} ?\d{5}", _norwegian),
    _id("BR CPF", r"\d{3}\.\d{3}\.\d{3}-\d\d", _brazilian),
    _id("BR CPF", r"\d{11}", _brazilian, r"cpf"),
    _id("IN Aadhaar", r"[2-9]\d{3} \d{4} \d{4}(?! \d)|[2-9]\d{3}-\d{4}-\d{4}", c.verhoeff),
    _id("IN Aadhaar", r"[2-9]\d{11}", c.verhoeff, r"aadha+r|uid"),
    _id("CN RIC", r"[1-9]\d{5}(?:19|20)\d{9}[\dX]", _chinese),
    _id("CA SIN", r"[1-79]\d\d[ -]?\d{3}[ -]?\d{3}", c.luhn, r"\bsin\b|social.?insurance|\bnas\b"),
    _id("TR TCKN", r"[1-9]\d{10}", _turkish, r"tc\b|tckn|kimlik"),
    _id("RO CNP", r"[1-9]\d{12}", _romanian, r"cnp"),
    _id("CZ, SK RC", r"\d{6}/\d{4}", _czech),
    _id("ZA ID", r"\d{6} ?\d{4} ?\d{3}", _south_african),
    _id("CH AHV", r"756\.?\d{4}\.?\d{4}\.?\d\d", c.ean),
    _id("KR RRN", r"\d{6}-[1-8]\d{6}", _korean),
    _id("MX CURP", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z]\d", _mexican),
    _id("IE PPS", r"\d{7}[A-W][ABHTW]?", _irish),
    _id("SG NRIC", r"[STFGM]\d{7}[A-Z]", _singaporean),
    _id("TW ID", r"[A-Z][12]\d{8}", _taiwanese, r"id\b|\broc\b|national|身分證"),
    _id("CL RUT", r"\d{1,2}\.\d{3}\.\d{3}-[\dK]", _chilean),
    _id("AR CUIT", r"(?:2[03-7]|3[034])-\d{8}-\d", _argentine),
    _id("PT NIF", r"[1-3]\d{8}", _portuguese, r"\bnif\b|contribuinte"),
    _id("AT SVNR", r"\d{4} ?\d{6}", _austrian, r"svnr|sozialversicherung|\bvsnr"),
    _id("HR OIB", r"\d{11}", c.mod_11_10, r"\boib\b"),
    _id("EE isikukood", r"[1-8]\d{10}", _estonian, r"isikukood|\bik\b|asmens"),
    _id("AU TFN", r"\d{3} ?\d{3} ?\d{3}", lambda n: c.weighted(n, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0,
        r"tfn|tax.?file"),
    _id("IL ID", r"\d{9}", c.luhn, r"teudat|zehut|\bid\b"),
)  # fmt: skip
