"""IBANs: a country of the ISO 13616 registry, that country's form, and the check digits."""

from __future__ import annotations

import re

from desensitizers.detectors.base import Detector

_EAGER = re.compile(
    r"[0-9](?<=[A-Za-z]{2}[0-9])(?:(?<![A-Za-z0-9][A-Za-z]{2}[0-9])|(?<=[Ii][Bb][Aa][Nn][A-Za-z]{2}[0-9]))"
    r"[0-9](?:[ .-]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])"
)
"""Also grouped by other signs, and right after the word."""
_STRICT = re.compile(r"[0-9](?<=[A-Z]{2}[0-9])(?<![A-Za-z0-9][A-Z]{2}[0-9])[0-9](?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_SPACE = re.compile(r"[\s.-]")
BBAN = {
    "AD": "8n12c", "AE": "19n", "AL": "8n16c", "AT": "16n", "AZ": "4a20c", "BA": "16n", "BE": "12n", "BG": "4a6n8c",
    "BH": "4a14c", "BI": "23n", "BR": "8c15n2c", "BY": "4c4n16c", "CH": "5n12c", "CR": "18n", "CY": "8n16c",
    "CZ": "20n", "DE": "18n", "DJ": "23n", "DK": "14n", "DO": "4c20n", "EE": "16n", "EG": "25n", "ES": "20n",
    "FI": "14n", "FK": "2a12n", "FO": "14n", "FR": "10n11c2n", "GB": "4a14n", "GE": "2a16n", "GI": "4a15c",
    "GL": "14n", "GR": "7n16c", "GT": "4c20c", "HN": "4a20n", "HR": "17n", "HU": "24n", "IE": "4a14n", "IL": "19n",
    "IQ": "4a15n", "IS": "22n", "IT": "1a10n12c", "JO": "4a4n18c", "KW": "4a22c", "KZ": "3n13c", "LB": "4n20c",
    "LC": "4a24c", "LI": "5n12c", "LT": "16n", "LU": "3n13c", "LV": "4a13c", "LY": "21n", "MC": "10n11c2n",
    "MD": "2c18c", "ME": "18n", "MK": "3n10c2n", "MN": "16n", "MR": "23n", "MT": "4a5n18c", "MU": "4a19n3a",
    "NI": "4a20n", "NL": "4a10n", "NO": "11n", "OM": "3n16c", "PK": "4a16c", "PL": "24n", "PS": "4a21c", "PT": "21n",
    "QA": "4a21c", "RO": "4a16c", "RS": "18n", "RU": "14n15c", "SA": "2n18c", "SC": "4a20n3a", "SD": "14n",
    "SE": "20n", "SI": "15n", "SK": "20n", "SM": "1a10n12c", "SO": "19n", "ST": "21n", "SV": "4a20n", "TL": "19n",
    "TN": "20n", "TR": "6n16c", "UA": "6n19c", "VA": "18n", "VG": "4a16n", "XK": "16n", "YE": "4a4n18c",
}  # fmt: skip
BBAN |= dict.fromkeys(("BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"), BBAN["FR"])
BBAN |= dict.fromkeys(("GG", "IM", "JE"), BBAN["GB"]) | {"AX": BBAN["FI"]}
"""The national part by country (n digits, a letters, c both), from the SWIFT IBAN registry."""
_CLASSES = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}
_NATIONAL = {
    country: re.compile("".join(f"{_CLASSES[kind]}{{{count}}}" for count, kind in re.findall(r"(\d+)([nac])", form)))
    for country, form in BBAN.items()
}


def valid(text: str) -> bool:
    """True for a number that a bank of a registered country could have issued."""
    number = _SPACE.sub("", text).upper()
    national = _NATIONAL.get(number[:2])
    if national is None or not national.fullmatch(number, 4):
        return False
    return int("".join(str(int(char, 36)) for char in number[4:] + number[:4])) % 97 == 1


DETECTOR = Detector(
    name="iban",
    version=3,
    summary="IBANs by country, national form and check digits; surrogates use XT, which is no country",
    kind="iban",
    prefilter=rf"\b(?:{'|'.join(BBAN)})[0-9]{{2}}(?: ?[A-Z0-9]){{11}}",
    lead=2,
    signs="0123456789",
    hint="[A-Za-z]{2}[0-9]{2}(?:[ .-]?[A-Za-z0-9]){11}",
    eager=_EAGER,
    strict=_STRICT,
    valid=valid,
    certain=valid,
    reserved=lambda _text: False,
)
