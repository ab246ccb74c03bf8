"""Texts of which a pattern names parts: each named group has a rule of its own, all else stays."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING

from desensitizers.errors import UnfitError
from desensitizers.sink import PROOF_ONLY
from desensitizers.spec import ExtractSpec

if TYPE_CHECKING:
    from desensitizers.leaves import LeafRule, LeafRules


class Extract:
    """A function of texts that match a pattern."""

    def __init__(self, spec: ExtractSpec, rules: LeafRules) -> None:
        self._pattern = re.compile(spec.pattern)
        self._groups: dict[str, LeafRule] = {name: rules.make(group, name) for name, group in spec.groups}
        self.leaves = list(self._groups.values())
        self._findings = rules.findings

    def text(self, text: str) -> str:
        """The clean text. Raises UnfitError."""
        return self.texts([text])[0]

    def texts(self, texts: list[str]) -> list[str]:
        """Each clean text. Raises UnfitError when one of them can't be cleaned."""
        matches = []
        for text in texts:
            match = self._pattern.fullmatch(text)
            if match is None:
                raise UnfitError(f"does not match extract '{self._pattern.pattern}'")
            matches.append(match)
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
