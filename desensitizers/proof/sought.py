"""What is searched for originals, until it is worth a search.

Most originals are searched in pieces of payloads (see `repeats`), and the few that pieces may not have in whole ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from desensitizers.proof.originals import NEEDLES, WHOLE, haystack_bytes, packed
from desensitizers.proof.peel import layers
from desensitizers.proof.search import Haystack
from desensitizers.proof.spill import Spill


class Sought:
    """Bytes to be searched for the needles in a spill; for none without it."""

    def __init__(self, spill: Spill | None) -> None:
        self._spill = spill
        self._at_once = haystack_bytes(spill) if spill is not None else 0
        self._has_whole = spill is not None and spill.sealed_bytes(WHOLE) > 0
        self._pieces, self._whole = Haystack(), Haystack()

    def add(self, below: Sequence[bytes], whole: Callable[[], bytes] | None = None) -> None:
        """Layers of payloads; where these are pieces, `whole` gives the lines of the payloads."""
        if self._spill is None:
            return
        for layer in below:
            self._pieces.add(layer)
        if self._has_whole:
            for layer in below if whole is None else layers(whole()):
                self._whole.add(layer)

    def found(self, *, when_full: bool = False) -> set[bytes]:
        """Needles in what was added since the last search; none yet when more may come before it is worth one."""
        size = max(len(self._pieces), len(self._whole))
        if self._spill is None or (when_full and size < self._at_once):
            return set()
        found = self._pieces.find(packed(self._spill, NEEDLES))
        if self._has_whole:
            found |= self._whole.find(packed(self._spill, WHOLE))
        self._pieces, self._whole = Haystack(), Haystack()
        return found
