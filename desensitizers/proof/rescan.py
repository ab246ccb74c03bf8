"""Detectors over the finished copy: what still looks real, outside the ranges that can't be.

Needs neither originals nor a key, so anybody who holds the copy can repeat it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from desensitizers.detectors import NAMES, detector
from desensitizers.detectors.base import Detector
from desensitizers.proof.lines import Lines
from desensitizers.proof.sieves import SIEVES

_NEIGHBOURS = 64
_SPACES = str.maketrans("\t\r", "  ")
_WORD = re.compile(r"[0-9A-Za-z]+")
_WESTERN = re.compile("[\ufffd\u0080-\u024f\u02c6\u02dc\u2013-\u203a\u20ac\u2122]")
_MOST_WESTERN = 5
"""One of so many characters is an accented letter or sign of Latin at most: bytes without a meaning, read as if
Windows had written them, are half such."""
PIECEWISE = frozenset(NAMES) - {"name", "address", "ner"}
"""Detectors of which neither sieve nor prefilter looks across a comma that a quote follows."""
_RARE = frozenset(("email", "phone", "iban", "jwt", "secret", "private_key"))
"""Detectors that hardly ever suspect anything in a clean copy: their prefilters go over all of it together first."""


class Rescan:
    """Some detectors, run over columns."""

    def __init__(self, names: Iterable[str]) -> None:
        self.detectors = [detector(name) for name in names]
        self._rare = "|".join(f"(?:{one.prefilter})" for one in self.detectors if one.name in _RARE)

    def rows(
        self, column: Any, labels: Sequence[str] | None = None, lines: Lines | None = None
    ) -> list[tuple[int, str]]:
        """(row, detector) of each row of a binary Arrow array in which a detector finds something.

        `labels` say which rows are alike (a header's name); without them all are. In a field of random ids some
        look like a card: a find doesn't count when the ids beside it have letters in its place. `lines` are the
        column's, if somebody has them already.
        """
        found = []
        lines = Lines.of(column) if lines is None else lines
        for one in self._suspicious(lines) if len(column) else ():
            for row in _suspects(one, column, lines):
                text = column[row].as_py().decode("utf-8", "replace")
                spans = [text[start:end] for start, end in one.leaks(text)]
                if spans and not all(_among_ids(span, text, row, column, labels) for span in spans):
                    found.append((row, one.name))
        return found

    def suspected(
        self, column: Any, lines: Lines, payload: Callable[[int], bytes | None] | None = None
    ) -> set[int] | None:
        """The rows of a column that a detector had to look at; None when it finds something in one of them.

        `lines` are the column's. `payload` gives what a row is a part of, to be looked at instead.
        """
        looked_at: set[int] = set()
        for one in self._suspicious(lines) if len(column) else ():
            for row in _suspects(one, column, lines):
                text = (payload(row) if payload is not None else column[row].as_py()) or b""
                if any(one.leaks(text.decode("utf-8", "replace"))):
                    return None
                looked_at.add(row)
        return looked_at

    def _suspicious(self, lines: Lines) -> list[Detector]:
        """The detectors that could suspect one of these lines."""
        if not self._rare or _matches(self._rare, lines.data):
            return self.detectors
        return [one for one in self.detectors if one.name not in _RARE]

    @property
    def sees_pieces(self) -> bool:
        """Whether what these detectors suspect in a payload they suspect in a piece of it, too (see `repeats`)."""
        return all(one.name in PIECEWISE for one in self.detectors)

    def texts(self, pieces: Sequence[bytes]) -> list[str]:
        """Names of the detectors that find something in a line of the pieces that is text.

        Ids that happen to be decodable give noise, and in enough noise there is everything.
        """
        return sorted({name for _row, name in self.rows(_texts(pieces))})

    def finds_in_texts(self, pieces: Sequence[bytes]) -> bool:
        """Whether `texts` might find something in these."""
        lines = _texts(pieces) if pieces else ()
        return len(lines) > 0 and self.suspected(lines, Lines.of(lines)) is None


def _matches(pattern: str, data: bytes) -> bool:
    """Whether RE2 finds the pattern anywhere in the data, by one look at all of it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = pa.py_buffer(np.array([0, len(data)], np.int64))
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(data)])
    found: bool = pc.match_substring_regex(whole, pattern)[0].as_py()
    return found


def _suspects(one: Detector, column: Any, lines: Lines) -> list[int]:
    """The rows that deserve a closer look."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = None
    if one.name in SIEVES:
        places = SIEVES[one.name](lines)
        if not len(places):
            return []
        rows = lines.rows_at(places)
        column = column.take(pa.array(rows))
    suspects = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(column, one.prefilter), False)).to_numpy()
    found: list[int] = (suspects if rows is None else rows[suspects]).tolist()
    return found


def _texts(pieces: Sequence[bytes]) -> Any:
    import pyarrow as pa

    return pa.array([line for piece in pieces for line in piece.split(b"\n") if is_text(line)], pa.binary())


def is_text(line: bytes) -> bool:
    """Whether these are letters that a person could read."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return False
    if not text.translate(_SPACES).isprintable():
        return False
    return text.isascii() or len(_WESTERN.findall(text)) <= max(1, len(text) // _MOST_WESTERN)


def _among_ids(span: str, text: str, row: int, column: Any, labels: Sequence[str] | None) -> bool:
    """Whether most rows beside this one hold an id with letters where it holds `span`."""
    if not all(char.isalnum() or char == "-" for char in span):
        return False
    mine = _leaf_with(span, text)
    if mine is None:
        return False
    path, leaf = mine
    start = leaf.index(span)
    shape = [len(word) for word in _WORD.findall(leaf)]
    alike = lettered = 0
    for other in range(max(0, row - _NEIGHBOURS), min(len(column), row + _NEIGHBOURS)):
        if other == row or (labels is not None and labels[other] != labels[row]):
            continue
        theirs = _leaf_at(path, (column[other].as_py() or b"").decode("utf-8", "replace"))
        if theirs is not None and [len(word) for word in _WORD.findall(theirs)] == shape:
            alike += 1
            lettered += any(char.isalpha() for char in theirs[start : start + len(span)])
    return alike >= 3 and lettered * 2 > alike


def _leaf_with(span: str, text: str) -> tuple[tuple[str | int, ...], str] | None:
    """Path and text of the JSON string that holds the span; the whole text when it is no JSON."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return (), text
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            stack += [((*path, name), below) for name, below in value.items()]
        elif isinstance(value, list):
            stack += [((*path, number), below) for number, below in enumerate(value)]
        elif isinstance(value, str) and span in value:
            return path, value
        elif not isinstance(value, str) and span in text and str(value) == span:
            return path, span
    return None


def _leaf_at(path: tuple[str | int, ...], text: str) -> str | None:
    if not path:
        return text
    try:
        value = json.loads(text)
        for step in path:
            value = value[step]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return value if isinstance(value, str) else None
