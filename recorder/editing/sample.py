"""A representative sample: whole keys by hash, so that a payment's records stay together, and rare events kept.

Every record has a hash: its key's, or its own place's where it has no key. A sample keeps the hashes below a limit, so
that a smaller sample of the same seed is a part of a larger one, and those of the keys that rare types need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.sampling import Hashes, hash_limit, parse_fraction, record_hashes, within
from recorder.errors import UsageError

_MOST_TYPES = 10_000
_SHOWN_TYPE = 200

__all__ = ["Hashes", "Sample", "Types", "needed_hashes", "parse_fraction", "record_hashes", "sampled"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Keep `fraction` of all keys, and at least `rare` records of every event type in every topic, with their keys.

    A record's type is the header ``ce_<type_field>`` or ``<type_field>``, or that field of the decoded value.
    """

    fraction: float
    seed: int = 0
    rare: int = 10
    type_field: str = "type"

    @property
    def limit(self) -> int:
        """Hashes up to this are kept."""
        return hash_limit(self.fraction)

    def type_expression(self) -> str:
        """A record's type, in SQL."""
        name = self.type_field.replace("'", "''")
        path = self.type_field.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
        return (
            f"left(coalesce(header(headers, 'ce_{name}'), header(headers, '{name}'), "
            f"try(value_json->>'$.\"{path}\"'), ''), {_SHOWN_TYPE})"
        )


@dataclass
class Types:
    """What a first look over one topic found: for each type how many records, and their smallest hashes."""

    most: int
    """How many of the smallest hashes of each type are kept."""
    counts: Counter[str] = field(default_factory=Counter)
    smallest: dict[str, Hashes] = field(default_factory=dict)

    def add(self, types: pa.Array, hashes: Hashes) -> None:
        encoded = types.dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        order = np.lexsort((hashes, codes))
        starts = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
        for code, name in enumerate(encoded.dictionary.to_pylist()):
            rows = order[starts[code] : starts[code + 1]]
            self._take(name, len(rows), hashes[rows[: self.most]])

    def join(self, other: Types) -> None:
        """Take what another look over the same topic found."""
        for name, count in other.counts.items():
            self._take(name, count, other.smallest[name])

    def needed(self, limit: int) -> Hashes:
        """The hashes beyond `limit` that must be kept so that no type is too rare."""
        found = np.concatenate([np.empty(0, np.uint64), *self.smallest.values()])
        return found[found > np.uint64(limit)]

    def _take(self, name: str, count: int, hashes: Hashes) -> None:
        if len(self.counts) >= _MOST_TYPES and name not in self.counts:
            raise UsageError(
                f"There are more than {_MOST_TYPES:,} types of events in a topic: name the field that holds the type "
                "with --type-field, or keep no rare ones with --rare 0."
            )
        self.counts[name] += count
        known = self.smallest.get(name, np.empty(0, np.uint64))
        self.smallest[name] = np.sort(np.concatenate((known, hashes)))[: self.most]


def needed_hashes(found: Mapping[str, Types], limit: int) -> Hashes:
    """The hashes beyond the sample's limit that rare types of any topic need, sorted, each once."""
    return np.unique(np.concatenate([np.empty(0, np.uint64), *(types.needed(limit) for types in found.values())]))


def sampled(hashes: Hashes, limit: int, needed: Hashes) -> npt.NDArray[np.bool_]:
    """Which records a sample keeps."""
    kept = within(hashes, limit)
    if len(needed):
        kept |= needed[np.minimum(np.searchsorted(needed, hashes), len(needed) - 1)] == hashes
    return kept
