"""The partition that Kafka's own Java producer gives a key: murmur2, modulo the number of partitions.

The client library here would use CRC-32 by default, so records of a Java application would lie elsewhere. After
`org.apache.kafka.common.utils.Utils.murmur2` and `BuiltInPartitioner.partitionForKey`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_SEED, _MULTIPLIER, _SHIFT = np.uint32(0x9747B28C), np.uint32(0x5BD1E995), np.uint32(24)
_POSITIVE = np.uint32(0x7FFFFFFF)

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]


def java_hashes(keys: pa.Array) -> Ints:
    """What Java's producer divides by the number of partitions, for each key of a binary column; -1 for a null."""
    encoded = keys.dictionary_encode()
    if not len(encoded.dictionary):
        return np.full(len(keys), -1, np.int64)
    hashes = (murmur2(encoded.dictionary) & _POSITIVE).astype(np.int64)
    rows = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    found: Ints = np.where(keys.is_valid().to_numpy(zero_copy_only=False), hashes[rows], -1)
    return found


def murmur2(keys: pa.Array) -> Words:
    """Java's murmur2 (32 bits) of each value of a binary column without nulls, all keys a word at a time."""
    ends = np.frombuffer(keys.buffers()[1], np.int32)[keys.offset : keys.offset + len(keys) + 1].astype(np.int64)
    starts, lengths = ends[:-1], np.diff(ends)
    content = keys.buffers()[2]
    octets = np.frombuffer(content, np.uint8) if content is not None and content.size else np.zeros(0, np.uint8)
    words = lengths // 4
    hashes = _SEED ^ lengths.astype(np.uint32)
    order = np.argsort(words, kind="stable")
    unfinished = np.searchsorted(words[order], np.arange(1, int(words.max(initial=0)) + 1))
    for word, begin in enumerate(unfinished.tolist()):
        rows = order[begin:]
        at = starts[rows] + 4 * word
        mixed = _octets(octets, at) | _octets(octets, at + 1) << np.uint32(8)
        mixed |= _octets(octets, at + 2) << np.uint32(16) | _octets(octets, at + 3) << np.uint32(24)
        mixed *= _MULTIPLIER
        mixed ^= mixed >> _SHIFT
        hashes[rows] = hashes[rows] * _MULTIPLIER ^ mixed * _MULTIPLIER
    rest, tails = lengths % 4, starts + 4 * words
    for place in (2, 1, 0):
        rows = np.flatnonzero(rest > place)
        hashes[rows] ^= _octets(octets, tails[rows] + place) << np.uint32(8 * place)
    rows = np.flatnonzero(rest)
    hashes[rows] *= _MULTIPLIER
    hashes ^= hashes >> np.uint32(13)
    hashes *= _MULTIPLIER
    return hashes ^ hashes >> np.uint32(15)


def _octets(octets: npt.NDArray[np.uint8], at: Ints) -> Words:
    return octets[at].astype(np.uint32)
