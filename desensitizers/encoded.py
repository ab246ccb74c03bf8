"""What a text says in base64, percent encoding, entities and the like, found as the proof would find it.

The stretch that says it goes as a whole. Where only the text as a whole does, because what it says is written half
plain and half encoded, that goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from desensitizers.detectors.base import Detector, Span
from desensitizers.proof.peel import below_all
from desensitizers.proof.rescan import is_text

_HINT = (
    r"%[0-9A-Fa-f]{2}|%u[0-9A-Fa-f]{4}|\\[ux0-3Unrt]|&#?[0-9A-Za-z]+;|=[0-9A-Fa-f]{2}|=\r?\n|[A-Za-z]\+[A-Za-z]"
    r"|[0-9A-Za-z+/_-]{12}|\x00|(?:(?:0[xX])?[0-9A-Fa-f]{2}[:,; -] ?){5}"
)
"""RE2: a text that it doesn't match says nothing so."""
_WORD = re.compile(r"[^\s\"'<>]{8,}")
_LEAST = 6
"""Bytes of a learned original that is looked for: three turn up by chance."""

Learned = Callable[[Sequence[str]], Iterable[tuple[int, int, int, str]]]


def encoded(
    texts: Sequence[str],
    known: Iterable[tuple[int, int, int]],
    detectors: Sequence[Detector],
    learned: Learned | None,
) -> Iterator[tuple[int, int, int]]:
    """(which text, start, end) of what says something that a detector or `learned` finds; `known` goes anyway."""
    rows = _hinted(texts)
    if not rows:
        return
    gone: dict[int, list[Span]] = {row: [] for row in rows}
    for row, start, end in known:
        if row in gone:
            gone[row].append((start, end))
    rest = {row: _without(texts[row], gone[row]) for row in rows}
    if not _says(list(rest.values()), detectors, learned):
        return
    for row, text in rest.items():
        if not _says([text], detectors, learned):
            continue
        words = [match.span() for match in _WORD.finditer(text)]
        found = [(start, end) for start, end in words if _says([text[start:end]], detectors, learned)]
        if not found or _says([_without(text, found)], detectors, learned):
            yield row, 0, len(text)
            continue
        for start, end in found:
            yield row, start, end


def _hinted(texts: Sequence[str]) -> list[int]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(texts) == 1:
        return [0] if _PYTHON_HINT.search(texts[0]) else []
    data = pa.array([text.encode("utf-8", "surrogatepass") for text in texts], pa.binary())
    found: list[int] = pc.indices_nonzero(pc.match_substring_regex(data, _HINT)).to_pylist()
    return found


_PYTHON_HINT = re.compile(_HINT)


def _without(text: str, spans: Iterable[Span]) -> str:
    """The text with spaces instead of some stretches."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _says(texts: Sequence[str], detectors: Sequence[Detector], learned: Learned | None) -> bool:
    """Whether something is found below the texts' own letters."""
    below = below_all([text.encode("utf-8", "surrogatepass") for text in texts])
    lines = sorted({line for layer in below for line in layer.split(b"\n") if line})
    if learned is not None and lines:
        found = [line.decode("utf-8", "replace") for line in lines]
        if any(len(found[row][start:end].encode()) >= _LEAST for row, start, end, _domain in learned(found)):
            return True
    readable = [line.decode() for line in lines if is_text(line)]
    return any(True for one in detectors for line in readable for _span in one.leaks(line))
