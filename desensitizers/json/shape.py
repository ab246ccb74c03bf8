"""The shape of a JSON document: what all documents have in common whose keys and structure agree, and the way to
fill it with the strings and numbers of one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from re import Pattern, compile, escape
from typing import Any

from desensitizers.errors import Refusal
from desensitizers.memos import Beside, Memo

NUMBER = rb"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
_NUMBER = compile(NUMBER)


@dataclass(slots=True)
class Shape:
    """What to do with every document of one shape."""

    refusal: Refusal | None
    numbers: tuple[tuple[int, Pattern[bytes]], ...]
    """Stretches outside of quotes that hold numbers, when the numbers are needed."""
    edits: tuple[tuple[int, Memo | Beside, str], ...]
    """Index into stretches + numbers, function, path."""
    template: bytes | None
    """%-format of the result; None when only strings change, so that joining the stretches is enough."""
    slots: tuple[int, ...]
    """What goes into the template: indexes into stretches + numbers."""
    counts: tuple[tuple[str, str], ...]
    uses: int = 0
    filled: Callable[[list[bytes]], tuple[bytes, ...]] = field(init=False)
    """The values in the slots."""
    columns: Any = None
    """What rewrites many documents at once (see `json.columns`), once it was asked for; False when nothing can."""

    def __post_init__(self) -> None:
        self.filled = tuple_getter(self.slots)

    @classmethod
    def refusing(cls, refusal: Refusal) -> Shape:
        """Every document of this shape is refused."""
        return cls(refusal, (), (), None, (), ())

    def values(self, parts: list[bytes]) -> list[bytes] | None:
        """Stretches followed by numbers; None when the numbers stand elsewhere than in this shape."""
        if not self.numbers:
            return parts
        values = parts.copy()
        for index, pattern in self.numbers:
            match = pattern.fullmatch(parts[index])
            if match is None:
                return None
            values += match.groups()
        return values


def getter(places: list[int]) -> Callable[[list[bytes]], object]:
    """What stands in some places: one thing, or a tuple."""
    return itemgetter(*places) if places else lambda _parts: ()


def tuple_getter(places: Sequence[int]) -> Callable[[list[bytes]], tuple[bytes, ...]]:
    """What stands in some places, always as a tuple."""
    if len(places) == 1:
        only = places[0]
        return lambda values: (values[only],)
    return itemgetter(*places) if places else lambda _values: ()


def number_patterns(parts: list[bytes]) -> Iterator[tuple[int, Pattern[bytes]]]:
    """For each stretch outside of quotes with numbers in it: everything else literally, the numbers as groups.

    Stretches without a number are listed too when they could hold one (an empty array).
    """
    for index in range(0, len(parts), 2):
        part = parts[index]
        between = _NUMBER.split(part)[::2]
        if len(between) > 1 or b"[" in part:
            yield index, compile(NUMBER.join(escape(text) for text in between))
