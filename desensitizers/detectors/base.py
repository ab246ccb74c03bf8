"""What a detector is: a cheap prefilter that RE2 runs over whole columns, and an exact finder with a validator.

A detector has two tempers. In free text that a `scan` rule cleans it is eager, because taking too much does no
harm there. Over the finished copy it is strict, because a false alarm would stop the copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from desensitizers.errors import FOREIGN, ForeignError, spare_interrupt
from desensitizers.spelling import span, tidy, tidy_with_places

Span = tuple[int, int]
FEW = 16
"""Texts for which a column is not worth it."""


Finder = Callable[[str, bool], Iterable[Span]]
"""(text, strict) -> spans that are not reserved when strict; they may overlap."""
Found = tuple[int, int, int]
"""Which text, start, end."""


@dataclass(frozen=True, slots=True)
class Detector:
    """Finds one kind of identifier in text by the standard that defines it.

    With patterns and validators, or with a `finder` of its own.
    """

    name: str
    version: int
    summary: str
    kind: str
    """The surrogate kind for what it finds when the policy declares no domain of the detector's name."""
    prefilter: str
    """RE2: matches wherever `leaks` could find something. It may match more, but not our own surrogates: a clean
    copy is full of them, and only what the prefilter lets through costs time."""
    signs: str = ""
    """Characters of which every find has at least one: a text without them needs no look. "" looks always."""
    hint: str = ""
    """RE2: an ASCII text that it doesn't match needs no look either. "" looks at all."""
    eager: re.Pattern[str] | None = None
    strict: re.Pattern[str] | None = None
    valid: Callable[[str], bool] = lambda _text: True
    """Whether what `eager` matched can be one."""
    lead: int = 0
    """Characters before the match that belong to the find: patterns start where a search is fast."""
    certain: Callable[[str], bool] = lambda _text: True
    """Whether what `strict` matched is one beyond reasonable doubt."""
    reserved: Callable[[str], bool] = lambda _text: False
    """True for what can't be real: our own surrogates and documentation ranges."""
    finder: Finder | None = None
    """Instead of patterns."""
    finder_of_all: Callable[[Sequence[str], Any], Iterable[Found]] | None = None
    """The finder for many ASCII texts, which are also an Arrow array; never strict. Only our own have it."""
    ready: Callable[[], object] = lambda: None
    """Called when a policy that names it is loaded; raises PluginError when something that it needs is missing."""
    trusted: bool = True
    """False for a plug-in's: what it gives is checked, and what it raises becomes a sentence."""

    def find(self, text: str) -> Iterator[Span]:
        """Spans to replace in free text, reserved ones too (they may be somebody's test data)."""
        if not text.isascii() and self.trusted and tidy(text) != text:
            return self._spelled(text)
        return self._as_it_is(text)

    def _as_it_is(self, text: str) -> Iterator[Span]:
        if self.signs and not any(sign in text for sign in self.signs):
            return iter(())
        if self.eager is None:
            return self._foreign(text, strict=False)
        return _search(self.eager, self.valid, text, self.lead)

    def _spelled(self, text: str) -> Iterator[Span]:
        """Also what is there in wide letters, with soft hyphens, other spaces, dashes and digits."""
        plain, places = tidy_with_places(text)
        found = [span(places, start, end) for start, end in self._as_it_is(plain)]
        return iter(sorted({*self._as_it_is(text), *found}))

    def find_all(self, texts: Sequence[str], column: Any = None) -> Iterator[Found]:
        """What `find` finds in each. `column` are the texts as an Arrow array, with null where one isn't ASCII."""
        rows: Sequence[int] = range(len(texts))
        if column is not None and self.finder_of_all is not None:
            plain = [row for row, there in enumerate(column.is_valid().to_pylist()) if there]
            rows = sorted(set(rows).difference(plain))
            some = texts if not rows else [texts[row] for row in plain]
            for place, start, end in self.finder_of_all(some, column.drop_null()):
                yield plain[place], start, end
        elif column is not None and self.hint:
            import pyarrow.compute as pc

            rows = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(column, self.hint), True)).to_pylist()
        for row in rows:
            for start, end in self.find(texts[row]):
                yield row, start, end

    def leaks(self, text: str) -> Iterator[Span]:
        """Spans that could be real in a finished copy."""
        if self.strict is None:
            found = self._foreign(text, strict=True)
        else:
            found = _search(self.strict, self.certain, text, self.lead)
        return ((start, end) for start, end in found if not self.reserved(text[start:end]))

    def _foreign(self, text: str, *, strict: bool) -> Iterator[Span]:
        """What the finder finds. Raises ForeignError when one that is not ours breaks."""
        assert self.finder is not None  # the registry refuses a detector without
        if self.trusted:
            return iter(self.finder(text, strict))
        try:
            spans = [(int(start), int(end)) for start, end in self.finder(text, strict)]
        except FOREIGN as error:  # foreign code that fails must not let a text pass, nor quote it
            spare_interrupt(error)
            raise ForeignError(f"detector '{self.name}' failed ({type(error).__name__})") from None
        if any(not 0 <= start < end <= len(text) for start, end in spans):
            raise ForeignError(f"detector '{self.name}' found something outside the text")
        return iter(spans)


def ascii_column(texts: Sequence[str]) -> Any:
    """Texts for `Detector.find_all`; None for a few, for which a column is not worth it."""
    if len(texts) < FEW:
        return None
    import pyarrow as pa

    return pa.array(list(map(ascii_text, texts)), pa.string())


def ascii_text(text: str) -> str | None:
    return text if text.isascii() else None


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
