"""The ledger of a scrub: every payload that was seen is in the copy as it was, masked, or gone on purpose.

Counted on the columns before and after, not told by the rules; what must be in the copy is counted again on its
finished bytes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

KINDS = ("keys", "values", "headers")


@dataclass(frozen=True, slots=True)
class Account:
    """Payloads of one kind: keys and values that are not null, or headers."""

    seen: int = 0
    kept: int = 0
    masked: int = 0
    dropped: int = 0
    quarantined: int = 0

    def __add__(self, other: Account) -> Account:
        return Account(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def held(self) -> int:
        """How many the copy must hold."""
        return self.seen - self.dropped - self.quarantined

    @property
    def balanced(self) -> bool:
        return self.seen == self.kept + self.masked + self.dropped + self.quarantined


class Accounts:
    """Adds up what became of batches, by kind."""

    def __init__(self) -> None:
        self._by_kind = dict.fromkeys(KINDS, Account())

    def add(self, before: pa.RecordBatch, after: pa.RecordBatch) -> None:
        """Both hold the same records in the same order."""
        self._by_kind["keys"] += _payloads(before.column("key"), after.column("key"))
        self._by_kind["values"] += _payloads(before.column("value"), after.column("value"))
        self._by_kind["headers"] += _headers(before.column("headers"), after.column("headers"))

    def withhold(self, gone: pa.RecordBatch) -> None:
        """Records that went to quarantine, payloads and all."""
        for kind, number in zip(KINDS, held(gone), strict=True):
            self._by_kind[kind] += Account(seen=number, quarantined=number)

    def closed(self) -> tuple[Account, ...]:
        """In the order of KINDS."""
        return tuple(self._by_kind[kind] for kind in KINDS)


def held(batch: pa.RecordBatch) -> tuple[int, ...]:
    """How many payloads of each kind a finished batch holds, in the order of KINDS."""
    key, value = batch.column("key"), batch.column("value")
    return (
        len(key) - key.null_count,
        len(value) - value.null_count,
        pc.sum(batch.column("headers").value_lengths()).as_py() or 0,
    )


class KeyOrder:
    """A digest of which records of a partition share a key, in order: equal for keys and for one-to-one surrogates."""

    def __init__(self) -> None:
        self._seen: list[Any] = []

    def add(self, keys: Any) -> None:
        """The next keys, a binary Arrow array; null is no key."""
        self._seen.append(keys)

    def digest(self) -> str:
        """Empty when there is no key at all: then there is no order of keys to keep."""
        numbers = pa.chunked_array(self._seen, pa.binary()).dictionary_encode()  # in the order they appear in
        if not any(len(chunk.dictionary) for chunk in numbers.chunks):
            return ""
        digest = hashlib.sha256()
        for chunk in numbers.chunks:
            digest.update(pc.fill_null(chunk.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64).tobytes())
        return digest.hexdigest()


def _payloads(before: Any, after: Any) -> Account:
    seen = len(before) - before.null_count
    kept = _sum(pc.equal(before, after))
    dropped = _sum(pc.and_(pc.is_valid(before), pc.is_null(after)))
    return Account(seen, kept, seen - kept - dropped, dropped)


def _headers(before: Any, after: Any) -> Account:
    """What stays keeps its order, and a name goes with all its headers, or none; but names may become others."""
    was, now = before.flatten(), after.flatten()
    dropped = len(was) - len(now)
    if dropped and len(now):
        was = was.filter(pc.is_in(was.field("key"), value_set=now.field("key").unique()))
    if len(was) != len(now):
        mine, theirs = (
            Counter((one["key"], one["value"]) for one in side.to_pylist()) for side in (before.flatten(), now)
        )
        kept = (mine & theirs).total()
        return Account(len(before.flatten()), kept, len(now) - kept, dropped)
    values = pc.or_kleene(pc.equal(was.field("value"), now.field("value")), _both_null(was, now))
    kept = _sum(pc.and_(pc.equal(was.field("key"), now.field("key")), pc.fill_null(values, False)))
    return Account(len(before.flatten()), kept, len(now) - kept, dropped)


def _both_null(was: Any, now: Any) -> Any:
    return pc.and_(pc.is_null(was.field("value")), pc.is_null(now.field("value")))


def _sum(flags: Any) -> int:
    return int(pc.sum(flags).as_py() or 0)
