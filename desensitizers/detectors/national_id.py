"""National identity numbers wherever their form and check digits, or a word before them, leave no doubt."""

from __future__ import annotations

import re
from collections.abc import Iterator

from desensitizers.detectors.base import Detector, Span
from desensitizers.detectors.national import IDS

_BEFORE = 32
"""Characters before a number in which a word for it counts."""
_PUNCTUATION = re.compile(r"[^0-9A-Za-z]")


def _find(text: str, _strict: bool) -> Iterator[Span]:
    for kind in IDS:
        if kind.label is not None and not kind.label.search(text):
            continue
        for match in kind.form.finditer(text):
            start = match.start()
            if kind.label is not None and not kind.label.search(text[max(0, start - _BEFORE) : start]):
                continue
            if kind.check(_PUNCTUATION.sub("", match[0]).upper()):
                yield match.span()


DETECTOR = Detector(
    name="national_id",
    version=1,
    summary="identity, tax and insurance numbers of some thirty countries, by form and check digits",
    kind="hex",
    prefilter=r"[0-9]{6}|[0-9]{2,3}[ .-][0-9]{2,3}|[A-Z]{2}[0-9]{2}|[A-Z]{2} [0-9]{2}|[0-9]{2}[A-Z][0-9]{2}"
    r"|[A-Z]{6}[0-9A-Z]{2}[A-Z]",
    signs="0123456789",
    finder=_find,
)
