"""Detectors over the finished copy: what still looks real, outside the ranges that can't be.

Needs neither originals nor a key, so anybody who holds the copy can repeat it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from desensitizers.detectors import detector


class Rescan:
    """Some detectors, run over columns."""

    def __init__(self, names: Iterable[str]) -> None:
        self.detectors = [detector(name) for name in names]
        self._prefilter = "|".join(f"(?:{found.prefilter})" for found in self.detectors)

    def rows(self, column: Any) -> list[tuple[int, str]]:
        """(row, detector) of each row of a binary Arrow array in which a detector finds something."""
        import pyarrow.compute as pc

        if not self.detectors or not len(column):
            return []
        suspects = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(column, self._prefilter), False))
        found = []
        for row in suspects.to_pylist():
            text = column[row].as_py().decode("utf-8", "replace")
            found += [(row, one.name) for one in self.detectors if any(True for _span in one.leaks(text))]
        return found

    def texts(self, pieces: Sequence[bytes]) -> list[str]:
        """Names of the detectors that find something in any of the pieces."""
        import pyarrow as pa

        lines = [line for piece in pieces for line in piece.split(b"\n") if line]
        return sorted({name for _row, name in self.rows(pa.array(lines, pa.binary()))})
