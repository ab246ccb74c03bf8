"""Items that name originals, kept on disk because there may be millions, readable only while this process lives.

Every block is sealed with AES-GCM under a key that exists only in memory: after a crash the files are noise.
Items are spread over buckets by their hash, so that duplicates meet in the same bucket and each bucket fits in memory.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

BUCKETS = 64
_BLOCK_BYTES = 256 << 10
_LENGTH = struct.Struct("<I")


class Spill:
    """Bags of byte strings below a directory. Processes that share `key` may each add files of their own."""

    def __init__(self, directory: Path, key: bytes | None = None) -> None:
        self.directory = directory
        self.key = key or secrets.token_bytes(32)
        directory.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"Spill({str(self.directory)!r}, key hidden)"

    def writer(self, bag: str, *, buckets: int = BUCKETS) -> SpillWriter:
        """Adds items to a bag; one bucket keeps the order in which they came."""
        return SpillWriter(self, bag, buckets)

    def blocks(self, bag: str, bucket: int) -> Iterator[list[bytes]]:
        """The items of one bucket, block by block, from all writers."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(self.key)
        for path in sorted(self.directory.glob(f"{bag}.{bucket:02d}.*")):
            with path.open("rb") as file:
                while head := file.read(_LENGTH.size):
                    sealed = file.read(_LENGTH.unpack(head)[0])
                    yield _unpack(cipher.decrypt(sealed[:12], sealed[12:], bag.encode()))

    def distinct(self, bag: str, bucket: int) -> set[bytes]:
        """The different items of one bucket."""
        found: set[bytes] = set()
        for block in self.blocks(bag, bucket):
            found.update(block)
        return found

    def remove(self, bag: str = "") -> None:
        """Deletes one bag, or all of them and the directory."""
        for path in self.directory.glob(f"{bag}.*" if bag else "*"):
            path.unlink(missing_ok=True)
        if not bag:
            self.directory.rmdir()


class SpillWriter:
    """Buffers items and seals them in blocks; close it before anybody reads."""

    def __init__(self, spill: Spill, bag: str, buckets: int) -> None:
        self._spill = spill
        self._bag = bag
        self._buckets: list[list[bytes]] = [[] for _ in range(buckets)]
        self._sizes = [0] * buckets
        self._limit = max(16 << 10, _BLOCK_BYTES // buckets * 4)
        self._name = secrets.token_hex(6)
        self.items = 0

    def add(self, item: bytes, by: bytes = b"") -> None:
        """Items with equal `by` (the item itself when empty) share a bucket."""
        buckets = len(self._buckets)
        bucket = blake2b(by or item, digest_size=1).digest()[0] % buckets if buckets > 1 else 0
        self._buckets[bucket].append(item)
        self._sizes[bucket] += len(item) + _LENGTH.size
        self.items += 1
        if self._sizes[bucket] >= self._limit:
            self._seal(bucket)

    def extend(self, items: Iterable[bytes]) -> None:
        for item in items:
            self.add(item)

    def close(self) -> None:
        for bucket, items in enumerate(self._buckets):
            if items:
                self._seal(bucket)

    def _seal(self, bucket: int) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(12)
        sealed = AESGCM(self._spill.key).encrypt(nonce, _pack(self._buckets[bucket]), self._bag.encode())
        path = self._spill.directory / f"{self._bag}.{bucket:02d}.{self._name}"
        with path.open("ab") as file:
            file.write(_LENGTH.pack(len(nonce) + len(sealed)) + nonce + sealed)
        self._buckets[bucket] = []
        self._sizes[bucket] = 0


def _pack(items: list[bytes]) -> bytes:
    lengths = struct.pack(f"<{len(items)}I", *map(len, items))
    return _LENGTH.pack(len(items)) + lengths + b"".join(items)


def _unpack(block: bytes) -> list[bytes]:
    count = _LENGTH.unpack_from(block)[0]
    lengths = struct.unpack_from(f"<{count}I", block, _LENGTH.size)
    position = _LENGTH.size * (count + 1)
    out = []
    for length in lengths:
        out.append(block[position : position + length])
        position += length
    return out
