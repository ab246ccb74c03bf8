"""Texts of which a pattern names parts: each named group has a rule of its own, all else stays.

Of a whole column RE2 says which texts match without any group, where the pattern is so simple that it means the same.
"""

from __future__ import annotations

import re
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from desensitizers.errors import UnfitError
from desensitizers.sink import PROOF_ONLY
from desensitizers.spec import ExtractSpec

if TYPE_CHECKING:
    from desensitizers.leaves import LeafRule, LeafRules

_CLASS = r"\[(?:[A-Za-z0-9_.:/](?:-[A-Za-z0-9])?|\\d)+-?\]"
_SIMPLE = re.compile(
    rf"(?:\(\?P<\w+>|\(\?:|\)|\||(?:[A-Za-z0-9_:/@=,-]|\\[.d+/-]|{_CLASS})(?:[*+?]|\{{\d+(?:,\d*)?\}})?)*", re.ASCII
)
"""Patterns that match only ASCII, and mean the same in Python and in RE2."""


_REPEATED_REPEAT = re.compile(r"\([^()]*[*+}][^()]*\)\)*[*+{]")
_SHORT = 16
"""Characters that no pattern takes long for."""


class Extract:
    """A function of texts that match a pattern."""

    def __init__(self, spec: ExtractSpec, rules: LeafRules) -> None:
        self._pattern = re.compile(spec.pattern)
        self._groups: dict[str, LeafRule] = {name: rules.make(group, name) for name, group in spec.groups}
        self.leaves = list(self._groups.values())
        self._findings = rules.findings
        self._explosive = _REPEATED_REPEAT.search(spec.pattern) is not None
        self._simple = _SIMPLE.fullmatch(spec.pattern) is not None

    def untouched(self, texts: Any) -> bool:
        """Whether all of a binary Arrow array are sure to match, with nothing in any group: then they stay."""
        if not self._simple or not self._groups:
            return False
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            groups = pc.extract_regex(texts, rf"\A(?:{self._pattern.pattern})\z")
        except pa.ArrowInvalid:
            return False  # more repeats than RE2 takes
        filled = [pc.max(pc.binary_length(group)).as_py() for group in groups.flatten()]
        return not groups.null_count and not any(filled)

    def _match(self, text: str) -> re.Match[str] | None:
        """Where repeats are repeated, what doesn't match could take for ever to find out: RE2 says it at once."""
        if self._explosive and len(text) > _SHORT:
            import pyarrow as pa
            import pyarrow.compute as pc

            try:
                if not pc.match_substring_regex(pa.scalar(text), rf"\A(?:{self._pattern.pattern})\z").as_py():
                    return None
            except pa.ArrowInvalid:
                raise UnfitError("is too long for an extract with repeated repeats that RE2 can't read") from None
        return self._pattern.fullmatch(text)

    def text(self, text: str) -> str:
        """The clean text. Raises UnfitError."""
        return self.texts([text])[0]

    def texts(self, texts: list[str]) -> list[str]:
        """Each clean text. Raises UnfitError when one of them can't be cleaned."""
        matches = [match for match in map(self._match if self._explosive else self._pattern.fullmatch, texts) if match]
        if len(matches) < len(texts):
            raise UnfitError(f"does not match extract '{self._pattern.pattern}'")
        if len(self._groups) == 1:
            return self._of_one_group(texts, matches)
        found: dict[int, list[tuple[int, int, str, bool]]] = {}
        """By row: start, end and result of each group that takes part, and whether an original was in it."""
        for name, group in self._groups.items():
            spans = [(row, *match.span(name)) for row, match in enumerate(matches)]
            spans = [span for span in spans if span[1] >= 0]
            if spans:
                done = group.texts([texts[row][start:end] for row, start, end in spans])
                rewrites = group.effect == "rewrite"
                for (row, start, end), after in zip(spans, done, strict=True):
                    found.setdefault(row, []).append((start, end, after, rewrites and end > start))
        out = texts.copy()
        for row, parts in found.items():
            out[row] = self._together(texts[row], parts)
        return out

    def _of_one_group(self, texts: list[str], matches: list[re.Match[str]]) -> list[str]:
        ((name, group),) = self._groups.items()
        spans = [match.span(name) for match in matches]
        rows = [row for row, (start, _end) in enumerate(spans) if start >= 0]
        done = group.texts([texts[row][slice(*spans[row])] for row in rows]) if rows else []
        out = texts.copy()
        for row, after in zip(rows, done, strict=True):
            start, end = spans[row]
            out[row] = f"{texts[row][:start]}{after}{texts[row][end:]}"
        if group.effect == "rewrite":
            filled = [texts[row] for row in rows if spans[row][0] < spans[row][1]]
            self._findings.originals.update(zip(repeat(PROOF_ONLY), filled))
        return out

    def _together(self, text: str, parts: list[tuple[int, int, str, bool]]) -> str:
        out, position, carries = "", 0, False
        for start, end, after, original in sorted(parts, key=itemgetter(0)) if len(parts) > 1 else parts:
            if start < position:
                raise UnfitError("groups of extract overlap")
            out += text[position:start] + after
            position, carries = end, carries or original
        if carries:
            self._findings.original(text, PROOF_ONLY)
        return out + text[position:]
