"""A representative sample: whole keys by hash, so that a payment's records stay together, and rare events kept.

Every record has a hash: its key's, or its own place's where it has no key. A sample keeps the hashes below a limit, so
that a smaller sample of the same seed is a part of a larger one, and those of the keys that rare types need.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder.errors import UsageError

Hashes = npt.NDArray[np.uint64]
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%", re.ASCII)
_MOST_TYPES = 10_000
_SHOWN_TYPE = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """Keep `fraction` of all keys, and at least `rare` records of every event type in every topic, with their keys.

    A record's type is the header ``ce_<type_field>`` or ``<type_field>``, or that field of a JSON value.
    """

    fraction: float
    seed: int = 0
    rare: int = 10
    type_field: str = "type"

    @property
    def limit(self) -> int:
        """Hashes up to this are kept."""
        return max(0, int(Decimal(self.fraction) * 2**64) - 1)

    def type_expression(self) -> str:
        """A record's type, in SQL."""
        name = self.type_field.replace("'", "''")
        path = self.type_field.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
        return (
            f"left(coalesce(header(headers, 'ce_{name}'), header(headers, '{name}'), "
            f"try(value_json->>'$.\"{path}\"'), ''), {_SHOWN_TYPE})"
        )


def parse_fraction(text: str) -> float:
    """``10%`` or ``0.5%`` as a fraction; raises UsageError otherwise."""
    found = _PERCENT.fullmatch(text.strip())
    if not found or not 0 < float(found[1]) <= 100:
        raise UsageError(f"'{text}' is not a share of the keys: write for example 10% or 0.5%.")
    return float(found[1]) / 100


def record_hashes(batch: pa.RecordBatch, topic: str, partition: int, seed: int) -> Hashes:
    """A 64-bit hash of each record: of its key, the same in every topic; without a key, of its place."""
    keys = batch.column("key").dictionary_encode()
    salt = hashlib.blake2b(str(seed).encode(), digest_size=16).digest()
    known = np.array([_hash(key, salt) for key in keys.dictionary.to_pylist()] or [0], np.uint64)
    hashes: Hashes = known[pc.fill_null(keys.indices, 0).to_numpy(zero_copy_only=False)]
    bare = pc.is_null(batch.column("key")).to_numpy(zero_copy_only=False)
    if bare.any():
        place = _hash(f"{topic}/{partition}".encode(), salt)
        hashes[bare] = _mixed(batch.column("offset").to_numpy()[bare].astype(np.uint64) ^ np.uint64(place))
    return hashes


def _hash(content: bytes, salt: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8, salt=salt).digest(), "big")


def _mixed(numbers: Hashes) -> Hashes:
    """splitmix64's finalizer: neighbouring offsets far apart."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


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
    kept: npt.NDArray[np.bool_] = hashes <= np.uint64(limit)
    if len(needed):
        kept |= needed[np.minimum(np.searchsorted(needed, hashes), len(needed) - 1)] == hashes
    return kept
