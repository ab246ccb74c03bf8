"""Postal addresses in free text: a street with its number, a town after a postcode, as written in many countries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from desensitizers.detectors.base import Detector, Span

_CAPITAL = r"[A-ZÀ-ÖØ-ÞĀ-Ž][\w'’.-]*"
_NUMBER = r"\d{1,5}(?: ?[a-zA-Z](?!\w))?(?:[/-]\d{1,4})?"
_TOWN = rf"{_CAPITAL}(?:[ -](?:am|an|der|bei|ob|im|in|sur|les?|la|de|upon)?[ -]?{_CAPITAL}){{0,3}}"
_PATTERNS = (
    # Hauptstraße 12, Am Alten Markt 3a, Kerkstraat 5
    rf"\b(?:{_CAPITAL}[ -]){{0,3}}(?:{_CAPITAL})?(?i:stra(?:ß|ss)e|str\.|gasse|allee|platz|ring|damm|ufer|weg|chaussee"
    rf"|straat|laan|plein|gracht|dijk|gatan|vägen|vej|gade|veien|katu|tie|utca|ulice)\b\.? {_NUMBER}",
    rf"\b(?:Am|An der|Auf dem|Im|In der|Unter den|Zum|Zur) (?:{_CAPITAL} ?){{1,3}} {_NUMBER}",
    # 12 Main Street, 1600 Pennsylvania Ave NW
    rf"\b{_NUMBER} (?:[NSEW]\.? )?(?:{_CAPITAL} ){{1,4}}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr"
    r"|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Highway|Hwy|Parkway|Pkwy|Close|Crescent|Gardens|Grove|Mews)\b\.?",
    # 5 rue de la Paix, Calle Mayor 5, Via Roma 3, Rua Augusta 99, ul. Prosta 7
    rf"\b(?:{_NUMBER},? )?(?i:rue|avenue|boulevard|place|quai|impasse|chemin|allée) "
    rf"(?:(?:de|du|des|la|le|les|l['’]|d['’]) ?){{0,3}}{_CAPITAL}(?: {_CAPITAL}){{0,3}}",
    rf"\b(?i:calle|avenida|plaza|paseo|carrer|via|viale|piazza|corso|rua|travessa|largo|ul\.|ulica|aleja|strada) "
    rf"(?:(?:de|del|della|dei|da|do|dos|la|las|los) ){{0,3}}{_CAPITAL}(?: {_CAPITAL}){{0,3}},? (?:n[.º°o] ?)?{_NUMBER}",
    # 10115 Berlin, CH-8001 Zürich, 1012 AB Amsterdam, 75002 Paris, SW1A 2AA
    rf"\b(?:(?:D|A|CH|F|B|I|NL|PL|L)-)?\d{{4,5}} (?:[A-Z]{{2}} )?{_TOWN}",
    r"\b[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}\b",
    rf"\b{_CAPITAL}(?: {_CAPITAL}){{0,2}}, [A-Z]{{2}} \d{{5}}(?:-\d{{4}})?\b",
    r"\b(?i:p\.? ?o\.? box|postfach|apartado|boîte postale|casella postale) \d[\d ]{1,8}",
)
_COMPILED = tuple(re.compile(pattern) for pattern in _PATTERNS)


def _find(text: str, _strict: bool) -> Iterator[Span]:
    for pattern in _COMPILED:
        for match in pattern.finditer(text):
            yield match.span()


DETECTOR = Detector(
    name="address",
    version=1,
    summary="streets with numbers and towns with postcodes; for free text",
    kind="hex",
    prefilter=r"[0-9]",
    signs="0123456789",
    finder=_find,
)
