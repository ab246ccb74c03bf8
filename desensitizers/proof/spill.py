"""Items that name originals, kept on disk because there may be millions, readable only while this process lives.

Every block is sealed with AES-GCM under a key that exists only in memory: after a crash the files are noise.
Items are spread over buckets by their hash, so that duplicates meet in the same bucket and each bucket fits in memory.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

BUCKETS = 64
_BLOCK_BYTES = 16 << 10
_ONE_BUCKET_BYTES = 256 << 10
_HEAD = struct.Struct("<II")
"""Length of what follows, and the bucket."""
_LENGTH = struct.Struct("<I")


class Spill:
    """Bags of byte strings below a directory. Processes that share `key` may each add files of their own."""

    def __init__(self, directory: Path, key: bytes | None = None) -> None:
        self.directory = directory
        self.key = key or secrets.token_bytes(32)
        directory.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"Spill({str(self.directory)!r}, key hidden)"

    def writer(self, bag: str, *, buckets: int = BUCKETS, bucket: int = 0) -> SpillWriter:
        """Adds items to a bag, in a file of its own. If there is but one bucket it may be any: that is its number."""
        return SpillWriter(self, bag, buckets, bucket)

    def blocks(self, bag: str, bucket: int | None = None) -> Iterator[list[bytes]]:
        """The items of one bucket, or of all, block by block, from all writers."""
        for data, sizes in self.packs(bag, bucket):
            ends = np.cumsum(sizes)
            places = zip((ends - sizes).tolist(), ends.tolist(), strict=True)
            yield [data[start:end] for start, end in places]

    def packs(self, bag: str, bucket: int | None = None) -> Iterator[tuple[bytes, npt.NDArray[np.int64]]]:
        """The same, the items of a block one behind the other, with their sizes in bytes."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(self.key)
        for path in sorted(self._bag(bag).glob("*")):
            with path.open("rb") as file:
                while head := file.read(_HEAD.size):
                    length, owner = _HEAD.unpack(head)
                    if bucket is not None and bucket != owner:
                        file.seek(length, os.SEEK_CUR)
                        continue
                    sealed = file.read(length)
                    yield _unpack(cipher.decrypt(sealed[:12], sealed[12:], bag.encode()))

    def sealed_bytes(self, bag: str) -> int:
        """How much a bag takes on disk: a little more than its items."""
        return sum(path.stat().st_size for path in self._bag(bag).glob("*"))

    def distinct(self, bag: str, bucket: int) -> set[bytes]:
        """The different items of one bucket."""
        found: set[bytes] = set()
        for block in self.blocks(bag, bucket):
            found.update(block)
        return found

    def _bag(self, bag: str) -> Path:
        return self.directory / bag


class SpillWriter:
    """Buffers items and seals them in blocks; close it before anybody reads."""

    def __init__(self, spill: Spill, bag: str, buckets: int, first: int) -> None:
        self._key = spill.key
        self._bag = bag
        self._path = spill.directory / bag / secrets.token_hex(8)
        self._first = first
        self._buckets: list[list[bytes]] = [[] for _ in range(buckets)]
        self._sizes = [0] * buckets
        self._limit = _BLOCK_BYTES if buckets > 1 else _ONE_BUCKET_BYTES

    def add(self, item: bytes, by: bytes = b"") -> None:
        """Items with equal `by` (the item itself when empty) share a bucket."""
        buckets = len(self._buckets)
        bucket = crc32(by or item) % buckets if buckets > 1 else 0
        self._buckets[bucket].append(item)
        self._sizes[bucket] += len(item) + _LENGTH.size
        if self._sizes[bucket] >= self._limit:
            self._seal([bucket])

    def extend(self, items: Iterable[bytes]) -> None:
        for item in items:
            self.add(item)

    def close(self) -> None:
        self._seal([bucket for bucket, items in enumerate(self._buckets) if items])

    def _seal(self, buckets: list[int]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if not buckets:
            return
        cipher = AESGCM(self._key)
        self._path.parent.mkdir(exist_ok=True)  # not its parents: when they were removed, the run is over
        with self._path.open("ab") as file:
            for bucket in buckets:
                nonce = os.urandom(12)
                sealed = nonce + cipher.encrypt(nonce, _pack(self._buckets[bucket]), self._bag.encode())
                file.write(_HEAD.pack(len(sealed), self._first + bucket) + sealed)
                self._buckets[bucket] = []
                self._sizes[bucket] = 0


def _pack(items: list[bytes]) -> bytes:
    lengths = struct.pack(f"<{len(items)}I", *map(len, items))
    return _LENGTH.pack(len(items)) + lengths + b"".join(items)


def _unpack(block: bytes) -> tuple[bytes, npt.NDArray[np.int64]]:
    count = _LENGTH.unpack_from(block)[0]
    sizes = np.frombuffer(block, "<u4", count, offset=_LENGTH.size).astype(np.int64)
    return block[_LENGTH.size * (count + 1) :], sizes
