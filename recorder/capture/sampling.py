"""A share of all keys, chosen by hash, so that the records of one key stay together and every run chooses the same.

Every record has a hash: its key's, or its own place's where it has no key. The hashes up to a limit are kept, so that
a smaller share of the same seed is a part of a larger one.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder.errors import UsageError

Hashes = npt.NDArray[np.uint64]
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%", re.ASCII)


def parse_fraction(text: str) -> float:
    """``10%`` or ``0.5%`` as a fraction; raises UsageError otherwise."""
    found = _PERCENT.fullmatch(text.strip())
    if not found or not 0 < float(found[1]) <= 100:
        raise UsageError(f"'{text}' is not a share: write for example 10% or 0.5%.")
    return float(found[1]) / 100


def hash_limit(fraction: float) -> int:
    """Hashes up to this are kept."""
    return max(0, int(Decimal(fraction) * 2**64) - 1)


def within(hashes: Hashes, limit: int) -> npt.NDArray[np.bool_]:
    """Which records a share keeps."""
    kept: npt.NDArray[np.bool_] = hashes <= np.uint64(limit)
    return kept


def record_hashes(batch: pa.RecordBatch, topic: str, partition: int, seed: int) -> Hashes:
    """A 64-bit hash of each record: of its key, the same in every topic; without a key, of its place."""
    keys = batch.column("key").dictionary_encode()
    salt = hashlib.blake2b(str(seed).encode(), digest_size=16).digest()
    known = np.array([_hash(key, salt) for key in keys.dictionary.to_pylist()] or [0], np.uint64)
    hashes: Hashes = known[pc.fill_null(keys.indices, 0).to_numpy(zero_copy_only=False)]
    bare = pc.is_null(batch.column("key")).to_numpy(zero_copy_only=False)
    if bare.any():
        place = _hash(f"{topic}/{partition}".encode(), salt)
        hashes[bare] = mixed(batch.column("offset").to_numpy()[bare].astype(np.uint64) ^ np.uint64(place))
    return hashes


def _hash(content: bytes, salt: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8, salt=salt).digest(), "big")


def mixed(numbers: Hashes) -> Hashes:
    """splitmix64's finalizer: neighbouring offsets far apart."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
