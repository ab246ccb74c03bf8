"""Originals that structured rules replaced, searched in free text: the name in a note, because customer.name held it.

A search takes more than the proof demands: case doesn't matter, short names count as whole words, and
numbers of five digits as whole numbers. Taking too much from a free text does no harm.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from desensitizers.spelling import one_spaced, span, tidy_with_places

SHORTEST_WORD = 3
SHORTEST_NUMBER = 5
WHOLE_WORD_BELOW = 6
LONG_NUMBER = 9
_DIGITS = b"0123456789"
_ODD_SPACES = re.compile(r"\s\s|[^\S ]")
_ODD_SIGNS = ("  ", "\t", "\r", "\v", "\f")
_NAME = re.compile(r"([^\W\d_][^\d_,;:@/]{0,40}) ([^\W\d_][^\W\d_]*(?:['-][^\W\d_]+)*)")
"""Words, the last of which may stand first."""


class Learned:
    """An automaton over learned originals."""

    def __init__(self, originals: Iterable[tuple[str, str]]) -> None:
        """`originals`: (domain or "", text)."""
        words: dict[bytes, str] = {}
        for domain, text in originals:
            needle = normal(text)
            if searchable(needle):
                # A domain's surrogate says more than a removal; among domains the order must not depend on the run.
                words[needle] = max(words.get(needle, ""), domain)
        self._take(words)

    @classmethod
    def of(cls, words: Mapping[bytes, str]) -> Learned:
        """Of words that are `normal` and `searchable` already, by the domain that replaces them."""
        made = cls.__new__(cls)
        made._take(words)
        return made

    def _take(self, words: Mapping[bytes, str]) -> None:
        from daachorse import DoubleArrayAhoCorasick

        self._needles = sorted(words)
        self._domains = [words[needle] for needle in self._needles]
        self._anywhere = list(map(counts_anywhere, self._needles))
        self._automaton = DoubleArrayAhoCorasick(self._needles) if self._needles else None

    def __len__(self) -> int:
        return len(self._needles)

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """(start, end, domain) of every learned original in `text`, however it is spelled there; they may overlap."""
        if self._automaton is None:
            return []
        found = self._as_it_is(text)
        if (not text.isascii() or _ODD_SPACES.search(text)) and one_spaced(text) != text:
            plain, places = tidy_with_places(text, spaces=True)
            found += [(*span(places, start, end), domain) for start, end, domain in self._as_it_is(plain)]
        return list(dict.fromkeys(found))

    def _as_it_is(self, text: str) -> list[tuple[int, int, str]]:
        assert self._automaton is not None
        data = fold(text.encode("utf-8", "surrogatepass"))
        hits = self._automaton.find_overlapping(data)
        if not hits:
            return []
        if _characters(data) != len(text):  # a letter whose lower case is two: places would shift
            data = text.encode("utf-8", "surrogatepass").lower()
            hits = self._automaton.find_overlapping(data)
        return [
            (_characters(data[:start]), _characters(data[:end]), self._domains[number])
            for start, end, number in hits
            if whole(data, start, end, self._needles[number])
        ]

    def find_all(self, texts: Sequence[str]) -> Iterator[tuple[int, int, int, str]]:
        """(which text, start, end, domain) of every learned original in each; those of one text as `find` has them."""
        if self._automaton is None:
            return
        plain = [row for row, text in enumerate(texts) if text.isascii()]
        some = texts if len(plain) == len(texts) else [texts[row] for row in plain]
        joined = "\n".join(some)
        if joined.count("\n") >= len(plain) or any(sign in joined for sign in _ODD_SIGNS):
            plain = [row for row in plain if not _ODD_SPACES.search(texts[row])]
            some = [texts[row] for row in plain]
            joined = "\n".join(some)
        data = joined.lower().encode()
        ends = list(accumulate(len(text) + 1 for text in some))
        place = begin = 0
        after = ends[0] if ends else 0
        for start, end, number in self._automaton.find_overlapping(data):
            if not begin <= start < after:
                place = bisect_right(ends, start)
                begin, after = (ends[place - 1] if place else 0), ends[place]
            if end < after and (self._anywhere[number] or whole(data, start, end, self._needles[number])):
                yield plain[place], start - begin, end - begin, self._domains[number]
        if len(plain) < len(texts):
            others = set(range(len(texts))).difference(plain)
            for row, text in enumerate(texts):
                if row in others:
                    for start, end, domain in self.find(text):
                        yield row, start, end, domain


def normal(text: str) -> bytes:
    """How an original is searched: trimmed, UTF-8, lower case."""
    return fold(text.strip().encode("utf-8", "surrogatepass"))


def spelled(text: str) -> set[bytes]:
    """The same in other spellings, too: plain (see `desensitizers.spelling`), and a name's last word first."""
    text = text.strip()
    if text.isascii() and len(text.split()) < 2:
        return {text.lower().encode()}
    forms = {text}
    if not text.isascii() or _ODD_SPACES.search(text):
        forms.add(one_spaced(text))
    for form in tuple(forms):
        if " " in form and (match := _NAME.fullmatch(form)):
            forms |= {f"{match[2]}, {match[1]}", f"{match[2]} {match[1]}"}
    return set(map(normal, forms))


def fold(data: bytes) -> bytes:
    """Lower case; bytes that are not UTF-8 stay."""
    if data.isascii():
        return data.lower()
    return data.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def _characters(data: bytes) -> int:
    return len(data.decode("utf-8", "surrogatepass"))


def searchable(needle: bytes) -> bool:
    """Whether finding it in a text means anything."""
    if not needle.isascii() or needle.lower() != needle.upper():
        return len(needle) >= SHORTEST_WORD
    return len(needle) - len(needle.translate(None, _DIGITS)) >= SHORTEST_NUMBER  # 605 691 713 is a number, too


def counts_anywhere(needle: bytes) -> bool:
    """Whether it may stand within another word, too."""
    return len(needle) >= WHOLE_WORD_BELOW and not needle.isdigit()


def whole(data: bytes, start: int, end: int, needle: bytes) -> bool:
    """Short words must stand alone, and numbers must not be part of longer ones."""
    if counts_anywhere(needle):
        return True
    if len(needle) >= LONG_NUMBER:  # the proof finds it between letters, too
        return not (data[max(0, start - 1) : start].isdigit() or data[end : end + 1].isdigit())
    return not (_in_word(data, start - 1) or _in_word(data, end))


def _in_word(data: bytes, place: int) -> bool:
    return 0 <= place < len(data) and (data[place] > 127 or chr(data[place]).isalnum())
