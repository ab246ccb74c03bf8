"""People's names by word lists: a given name that is known, or a title, and the capitalised words that follow.

For free text that a `scan` rule cleans: it takes a city called Florence, too, and misses names no list holds. The
originals that rules replaced elsewhere (`learned`) find more, and surely.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module

from desensitizers.detectors.base import Detector, Span

_LOCALES = (
    "cs_CZ", "da_DK", "de_AT", "de_CH", "de_DE", "en_GB", "en_IE", "en_IN", "en_US", "es_ES", "es_MX", "fi_FI", "fr_FR",
    "hr_HR", "hu_HU", "it_IT", "nl_NL", "no_NO", "pl_PL", "pt_BR", "pt_PT", "ro_RO", "sv_SE", "tr_TR",
)  # fmt: skip
_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        Abril April August Autumn Avril Brook Carol China Christian Constance Dale Daily Dean Drew Faith Forest Frank
        Glen Grace Grant Hope Iris Jade Jan January Jean Joy June King Lane Mai Major Man Marina Mark Max May Melody
        Mercy Merit Miles Norm Pat Patience Pearl Penny Prince Queen Ray Rich Rob Rose Ruby Sandy Skip Sky Stone Sue
        Summer Sunny Tag Terra Tiger Van Victor Victoria Violet Von Wade Ward Will Win Young
        """,
    )
)
"""Names that are words, months or places first: they count with a family name only."""
_PARTICLE = r"(?:(?:van|von|der|den|de|da|dos|del|della|di|du|la|le|el|al|ter|zu|zur|af|av|bin|ibn|Mc|O['’])[ ]?){1,3}"
_CAPITAL = r"[A-ZÀ-ÖØ-ÞĀ-Ž][\w'’]+(?:-[A-ZÀ-ÖØ-ÞĀ-Ž][\w'’]+)*"
_WORD = re.compile(rf"\b{_CAPITAL}")
_REST = re.compile(rf"(?: [A-ZÀ-ÖØ-Þ]\.)?(?: (?:{_PARTICLE})?{_CAPITAL}){{1,3}}")
_TITLED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Dame|Herrn?|Frau|Fr|Hr|Mme|Mlle|Monsieur|Madame|Señora?|Sra?|Signora?|Sig|Sign"
    rf"|Pan|Pani|Dhr|Mevr|Sr|Dna|Bay|Bayan)\.?(?: (?:Dr|Prof|med)\.?)* ((?:[A-ZÀ-ÖØ-Þ]\. )?(?:{_PARTICLE})?{_CAPITAL}"
    rf"(?: (?:{_PARTICLE})?{_CAPITAL}){{0,2}})"
)


@lru_cache(maxsize=1)
def _given() -> frozenset[str]:
    """Given names of Latin script out of Faker's lists, as data: nothing is invented with them."""
    found: set[str] = set()
    for locale in _LOCALES:
        provider = import_module(f"faker.providers.person.{locale}").Provider
        for kind in ("first_names", "first_names_male", "first_names_female"):
            names = getattr(provider, kind, ())
            found.update(str(name) for name in names)
    return frozenset(name for name in found if len(name) > 2 and name[0].isupper())


def _find(text: str, _strict: bool) -> Iterator[Span]:
    for match in _TITLED.finditer(text):
        yield match.span(1)
    given = _given()
    for match in _WORD.finditer(text):
        if match[0] in given or match[0].partition("-")[0] in given:
            rest = _REST.match(text, match.end())
            if rest:
                yield match.start(), rest.end()
            elif match[0] not in _WORDS:
                yield match.span()


DETECTOR = Detector(
    name="name",
    version=1,
    summary="people's names by lists of given names and titles; for free text",
    kind="name",
    prefilter="",
    finder=_find,
)
