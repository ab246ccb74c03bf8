"""Arrow arrays seen as numpy: where values lie in their buffer, pieces cut out of it, values put where they belong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def spans(values: pa.Array) -> tuple[Ints, Ints]:
    """Start and end of every value of a binary or string array in its data buffer (null: an empty span)."""
    wide = pa.types.is_large_binary(values.type) or pa.types.is_large_string(values.type)
    buffer = values.buffers()[1]
    if buffer is None or not len(values):
        return np.zeros(len(values), np.int64), np.zeros(len(values), np.int64)
    numbers = np.frombuffer(buffer, np.int64 if wide else np.int32)
    offsets = numbers[values.offset : values.offset + len(values) + 1].astype(np.int64)
    return offsets[:-1], offsets[1:]


def data_of(values: pa.Array) -> npt.NDArray[np.uint8]:
    """The bytes of a binary or string array, without a copy."""
    buffer = values.buffers()[2]
    return np.zeros(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)


def cut(data: pa.Buffer | None, starts: Ints, ends: Ints) -> pa.Array:
    """A binary array of pieces of a buffer; the pieces ascend and don't overlap. One copy, by Arrow."""
    if not len(starts) or data is None:
        return pa.array([b""] * len(starts), pa.binary())
    # Every second value of an array whose other values are what lies between the pieces.
    wide = int(ends[-1]) > np.iinfo(np.int32).max
    offsets = np.empty(2 * len(starts), np.int64 if wide else np.int32)
    offsets[0::2], offsets[1::2] = starts, ends
    kind = pa.large_binary() if wide else pa.binary()
    both = pa.Array.from_buffers(kind, len(offsets) - 1, [None, pa.py_buffer(offsets), data])
    return both.take(pa.array(np.arange(0, len(offsets) - 1, 2))).cast(pa.binary())


def bools(values: pa.Array) -> Bools:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)


def valid(values: pa.Array) -> Bools:
    """Where an array is not null."""
    return bools(values.is_valid())


def scatter(values: pa.Array, where: Bools) -> pa.Array:
    """`values` at the true places of `where`, in order; null elsewhere."""
    if where.all():
        return values
    places = np.cumsum(where) - 1
    return values.take(pa.array(places, mask=~where))


def keep(values: pa.Array, where: Bools) -> pa.Array:
    """`values` where true, null elsewhere."""
    return values if where.all() else values.take(pa.array(np.arange(len(values)), mask=~where))


def merge(plain: pa.Array, odd: pa.Array, where: Bools) -> pa.Array:
    """`odd` at the true places of `where`, `plain` at the others, each in order."""
    if not len(odd):
        return plain
    places = np.empty(len(where), np.int64)
    places[~where] = np.arange(len(plain))
    places[where] = np.arange(len(plain), len(where))
    return pa.concat_arrays([plain, odd]).take(pa.array(places))


def repeats(pieces: list[pa.Array], owners: list[Ints]) -> tuple[pa.Array, Ints]:
    """Items gathered round by round as one array in the order of their owners, and whose each is (ascending)."""
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return pa.concat_arrays(pieces).take(pa.array(order)), owner[order]


def offsets_of(owners: Ints, count: int) -> pa.Array:
    """List offsets from the ascending owners of the items."""
    return pa.array(np.searchsorted(owners, np.arange(count + 1)).astype(np.int32))


def last_of_each(owners: Ints, names: pa.Array) -> Bools:
    """Of equal names of one owner only the last counts."""
    codes = names.dictionary_encode()
    pair = owners * max(len(codes.dictionary), 1) + np.asarray(codes.indices)
    keep = np.zeros(len(pair), bool)
    keep[len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]] = True
    return keep
