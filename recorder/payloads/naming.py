"""Which schema each record of a batch names, as one number a side: so that names travel and count as columns."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from recorder.payloads import wire
from recorder.payloads.reasons import Side
from recorder.payloads.spread import Ints
from recorder.payloads.used import MOST_IDS, Key, in_headers

SIDES: tuple[Side, Side] = ("key", "value")
NAMELESS = -1
_BITS = 34

Use = tuple[int, Side, Key]
"""A topic's number, a side and the schema that its records name there."""


class Names:
    """Numbers for schemas: an id is itself, one that a header names gets a number above all ids. For one thread."""

    def __init__(self) -> None:
        self._numbers: dict[Key, int] = {}
        self._in_headers: list[Key] = []

    def of(self, batch: pa.RecordBatch, side: Side) -> Ints:
        """The number of the schema that each record names on this side, `NAMELESS` for none.

        As deserializers do, a header goes before a prefix. Whether a prefix is one is not known here: text that begins
        with NUL looks the same.
        """
        ids, _, _ = wire.ids_of(batch.column(side))
        numbers: Ints = np.where(ids > 0, ids, NAMELESS)
        for key, rows in in_headers(batch.column("headers")).get(side, ()):
            numbers[rows] = self._number(key)
        return numbers

    def key(self, number: int) -> Key:
        """What a number stands for: an id or a GUID."""
        return self._in_headers[number - (1 << 32)] if number >= 1 << 32 else number

    def is_header(self, number: int) -> bool:
        return number >= 1 << 32

    def _number(self, key: Key) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = (1 << 32) + len(self._in_headers)
            self._in_headers.append(key)
        return number


class Counts:
    """How many records of each topic and side name which schema; `unframed` where these are too many to be schemas."""

    def __init__(self) -> None:
        self.records: Counter[Use] = Counter()
        self.unframed: set[tuple[int, Side]] = set()
        self._different: Counter[tuple[int, Side]] = Counter()

    def add(self, side: Side, topics: Ints, numbers: Ints, names: Names) -> None:
        """Count records by their topics' numbers and what `names` said of them."""
        named = numbers != NAMELESS
        if not named.any():
            return
        pairs, counts = np.unique(topics[named] << _BITS | numbers[named], return_counts=True)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            self._count(pair >> _BITS, side, names.key(pair & (1 << _BITS) - 1), count)

    def _count(self, topic: int, side: Side, key: Key, records: int) -> None:
        place = (topic, side)
        if place in self.unframed:
            return
        if (topic, side, key) not in self.records:
            self._different[place] += 1
            if self._different[place] > MOST_IDS:
                self.unframed.add(place)
                for use in [use for use in self.records if use[:2] == place]:
                    del self.records[use]
                return
        self.records[topic, side, key] += records
