"""What a detector is: a cheap prefilter that RE2 runs over whole columns, and an exact finder with a validator.

A detector has two tempers. In free text that a `scan` rule cleans it is eager, because taking too much does no
harm there. Over the finished copy it is strict, because a false alarm would stop the copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds one kind of identifier in text by the standard that defines it."""

    name: str
    version: int
    summary: str
    kind: str
    """The surrogate kind for what it finds when the policy declares no domain of the detector's name."""
    prefilter: str
    """RE2: matches wherever `leaks` could find something. It may match more, but not our own surrogates: a clean
    copy is full of them, and only what the prefilter lets through costs time."""
    signs: str
    """Characters of which every find has at least one: a text without them needs no look."""
    eager: re.Pattern[str]
    strict: re.Pattern[str]
    valid: Callable[[str], bool]
    """Whether what `eager` matched can be one."""
    lead: int
    """Characters before the match that belong to the find: patterns start where a search is fast."""
    certain: Callable[[str], bool]
    """Whether what `strict` matched is one beyond reasonable doubt."""
    reserved: Callable[[str], bool]
    """True for what can't be real: our own surrogates and documentation ranges."""

    def find(self, text: str) -> Iterator[Span]:
        """Spans to replace in free text, reserved ones too (they may be somebody's test data)."""
        if not any(sign in text for sign in self.signs):
            return iter(())
        return _search(self.eager, self.valid, text, self.lead)

    def leaks(self, text: str) -> Iterator[Span]:
        """Spans that could be real in a finished copy."""
        found = _search(self.strict, self.certain, text, self.lead)
        return ((start, end) for start, end in found if not self.reserved(text[start:end]))


def _search(pattern: re.Pattern[str], valid: Callable[[str], bool], text: str, lead: int) -> Iterator[Span]:
    position = 0
    while match := pattern.search(text, position):
        start = match.start() - lead
        end = _fit(valid, text, start, match.end())
        if end:
            yield start, end
        position = end or match.start() + 1


def _fit(valid: Callable[[str], bool], text: str, start: int, longest: int) -> int:
    """End of the longest valid reading that ends at a word's end: the next words may look like more of it."""
    for end in range(longest, start, -1):
        if (end == longest or not text[end].isalnum()) and valid(text[start:end]):
            return end
    return 0


def other_than(literal: str) -> str:
    """RE2 for what deviates from a literal somewhere: ``ab`` gives ``(?:[^a]|a[^b])``. RE2 has no lookahead."""
    steps = [re.escape(literal[:end]) + f"[^{re.escape(char)}]" for end, char in enumerate(literal)]
    return "(?:" + "|".join(steps) + ")"
