"""Leak or chance: how often originals should stand in ids that chance made, against how often they do.

A name of six letters stands in one of some hundred million pieces of random ids, and a copy holds more. So what is
found inside random ids, and nowhere else, is counted: chance gives about so many finds of each length of original, at
each place of each kind of id, alone as words are, and of each original. What is more than that is a leak.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from desensitizers.learned import fold
from desensitizers.proof.finds import Finds
from desensitizers.proof.needles import ANYWHERE_FROM
from desensitizers.proof.peel import layers
from desensitizers.proof.random_ids import IN_RUN, Bytes, Sample

_FEWEST_IDS = 200
"""By which a kind is judged."""
_LONGEST = 16
"""Letters of the longest original that could stand anywhere by chance."""
_LEAST_DIGITS, _MOST_DIGITS, _LEAST_LETTERS, _MOST_OF_ONE = 0.05, 0.8, 0.1, 0.25
"""Shares of the ids of a kind that have such at a place where chance chose: words have no digits there."""
_FIXED = 2
"""Letters of an original that may stand where chance did not choose."""
_LEAST_EXPECTED = 0.01
"""Where chance finds less than this, in one of a hundred captures, a find is a leak."""
_UNLIKELY, _UNLIKELY_WORD = 1e-6, 1e-3
"""So many finds are no chance that are less probable; the second of those that stand alone as a word does."""
_MARGIN = 1.1
"""What is expected is known from samples, not better than so."""
_COUNTED = 50_000
"""Originals of a length by which their letters are known."""

Floats = npt.NDArray[np.float64]


def may_stand_in_ids(needle: bytes) -> bool:
    """Whether a needle has letters, and nothing that random ids don't have."""
    letters = np.frombuffer(needle, np.uint8)
    return ANYWHERE_FROM <= len(needle) <= _LONGEST and bool(IN_RUN[letters].all()) and not needle.isdigit()


class Originals:
    """The needles that may stand in ids, by length."""

    def __init__(self, packs: Iterable[tuple[bytes, npt.NDArray[np.int64]]]) -> None:
        """`packs`: needles one behind the other, and their sizes."""
        counts: Counter[int] = Counter()
        some: dict[int, list[Bytes]] = {}
        for data, sizes in packs:
            chars, starts = np.frombuffer(data, np.uint8), np.cumsum(sizes) - sizes
            for size in range(ANYWHERE_FROM, _LONGEST + 1):
                rows = chars[starts[sizes == size][:, None] + np.arange(size)]
                rows = rows[IN_RUN[rows].all(axis=1) & ~_is_digit(rows).all(axis=1)]
                if len(rows) and counts[size] < _COUNTED:
                    some.setdefault(size, []).append(rows)
                counts[size] += len(rows)
        self.rows = {size: np.concatenate(parts) for size, parts in some.items()}
        """Some of each length."""
        self.times = {size: counts[size] / len(rows) for size, rows in self.rows.items()}
        """How many originals each row stands for."""
        self.count = max(1, counts.total())


@dataclass(frozen=True, slots=True)
class Kind:
    """Ids that chance made: what stands where in them, and how often."""

    ids: float
    """How many different ones."""
    letters: Bytes
    """Of a sample, a row each."""
    shares: Floats
    """For each place and byte, in lower case."""
    random: npt.NDArray[np.bool_]
    """Places where chance chose."""

    def windows(self, size: int) -> list[int]:
        """Where so many letters could stand by chance."""
        last = self.letters.shape[1] - size
        return [place for place in range(last + 1) if self.random[place : place + size].sum() >= size - _FIXED]

    def expected(self, rows: Bytes) -> Iterator[tuple[int, Floats]]:
        """For each window how often each of some words of one length stands there by chance."""
        for place in self.windows(rows.shape[1]):
            likely = np.full(len(rows), self.ids * _MARGIN)
            for number in range(rows.shape[1]):
                likely *= self.shares[place + number][rows[:, number]]
            yield place, likely

    def alone(self, size: int) -> float:
        """The share of windows full of letters and digits that stand as words do."""
        windows = self.windows(size)
        places = [(row, at) for row in map(bytes, self.letters) for at in windows if row[at : at + size].isalnum()]
        return sum(is_word(row, at, at + size) for row, at in places) / max(len(places), 1)

    def decoded(self) -> bytes:
        """What the ids of the sample give when they are decoded."""
        runs = b"\n".join((b"", *map(bytes, self.letters), b""))
        return b"".join(fold(layer) for layer in layers(runs)[1:])


def kind_of(sample: Sample) -> Kind | None:
    """None for runs that are no random ids, or too few to tell."""
    size, width = sample.letters.shape
    if size < _FEWEST_IDS:
        return None
    shares = np.zeros((width, 256))
    np.add.at(shares, (np.broadcast_to(np.arange(width), (size, width)), _LOWER[sample.letters]), 1 / size)
    digits, of_letters = shares[:, 48:58].sum(axis=1), shares[:, 97:123].sum(axis=1)
    random = (digits >= _LEAST_DIGITS) & (digits <= _MOST_DIGITS) & (of_letters >= _LEAST_LETTERS)
    random &= shares.max(axis=1) <= _MOST_OF_ONE
    return Kind(sample.different, sample.letters, shares, random) if random.sum() >= ANYWHERE_FROM else None


_LOWER = np.frombuffer(bytes(range(256)).lower(), np.uint8)


def is_word(run: bytes, start: int, end: int) -> bool:
    """Whether what stands there in a run has nothing beside it but digits and, beyond them, no letter."""
    while run[start - 1 : start].isdigit():
        start -= 1
    while run[end : end + 1].isdigit():
        end += 1
    return not (run[start - 1 : start].isalpha() or run[end : end + 1].isalpha())


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much was found inside random ids, how much chance gives, and whether that explains it."""

    found: int
    expected: float
    by_chance: bool
    elsewhere: int = 0
    """Originals that stand anywhere else: never by chance."""

    def __str__(self) -> str:
        places = "is 1 place" if self.found == 1 else f"are {self.found:,} places"
        said = f"There {places} where a short original stands inside a random id, chance gives {self.expected:,.1f}"
        if self.by_chance:
            return f"{said}; no original, no length and no place in an id has more than its share"
        if self.elsewhere:
            return f"{said}; but {self.elsewhere:,} different ones stand elsewhere, which is a leak"
        return f"{said}: that is not by chance alone"


def judge(finds: Finds, kinds: Mapping[int, Kind], originals: Originals) -> Verdict:
    """What to make of them; what stands anywhere else is no chance."""
    lengths: dict[int, float] = {}
    places: dict[tuple[int, int], float] = {}
    alone: dict[int, float] = {}
    known = {needle for *_place, needle in finds.inside}
    of_each = dict.fromkeys(known, 0.0)
    words = {len(needle) for _kind, run, at, needle in finds.inside if is_word(run, at, at + len(needle))}
    for number, kind in kinds.items():
        for size, rows in originals.rows.items():
            of_kind = 0.0
            for place, likely in kind.expected(rows):
                often = float(likely.sum()) * originals.times[size]
                places[number, place] = places.get((number, place), 0) + often
                of_kind += often
            lengths[size] = lengths.get(size, 0) + of_kind
            if size in words:
                alone[size] = alone.get(size, 0) + of_kind * kind.alone(size)
        for needle in known:
            row = np.frombuffer(needle, np.uint8)[None, :]
            of_each[needle] += sum(float(likely[0]) for _place, likely in kind.expected(row))
    decoded = _decoded(kinds, originals)
    in_ids = [(*found, is_word(found[1], found[2], found[2] + len(found[3]))) for found in finds.inside]
    by_chance = not finds.others and all(
        (
            _plausible(Counter(len(one[3]) for one in in_ids), lengths, least=_LEAST_EXPECTED),
            _plausible(Counter((one[0], one[2]) for one in in_ids), places),
            _plausible(Counter(one[3] for one in in_ids), of_each, level=_UNLIKELY / originals.count),
            _plausible(Counter(len(one[3]) for one in in_ids if one[4]), alone, level=_UNLIKELY_WORD),
            _plausible(Counter(len(needle) for _around, needle in finds.decoded), decoded, least=_LEAST_EXPECTED),
        )
    )
    often = math.fsum((*lengths.values(), *decoded.values()))
    return Verdict(len(finds.inside) + len(finds.decoded), often, by_chance, len(finds.others))


def _decoded(kinds: Mapping[int, Kind], originals: Originals) -> dict[int, float]:
    """By length, how many originals stand by chance in what the ids give when they are decoded."""
    found: dict[int, float] = {}
    for kind in kinds.values():
        content = kind.decoded()
        shares = np.bincount(np.frombuffer(content, np.uint8), minlength=256) / max(len(content), 1)
        windows = kind.ids * len(content) / len(kind.letters) * _MARGIN
        for size, rows in originals.rows.items():
            often = float(shares[rows].prod(axis=1).sum()) * windows * originals.times[size]
            found[size] = found.get(size, 0) + often
    return found


def _plausible(
    found: Mapping[Any, int], expected: Mapping[Any, float], *, level: float = _UNLIKELY, least: float = 0
) -> bool:
    """Whether chance finds as much, or more, at least so often; where it finds hardly anything, it doesn't."""
    return all(
        expected.get(what, 0) >= least and at_least(times, expected.get(what, 0)) >= level
        for what, times in found.items()
    )


def at_least(times: int, expected: float) -> float:
    """The probability of so many, or more, of what is rare and expected so often (Poisson)."""
    if times <= expected:
        return 1.0
    if expected <= 0:
        return 0.0
    term = total = math.exp(times * math.log(expected) - expected - math.lgamma(times + 1))
    while term > total * 1e-9:
        times += 1
        term *= expected / times
        total += term
    return total


def _is_digit(rows: Bytes) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (rows - np.uint8(ord("0"))) < 10
    return found
