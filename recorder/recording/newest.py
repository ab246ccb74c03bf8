"""The newest offset of each key of a log that may be larger than memory: hashes of keys, spilled to disk in buckets."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]

_ROW = np.dtype([("high", "<u8"), ("low", "<u8"), ("offset", "<i8"), ("tombstone", "?")])
_BUCKETS = 64
ROWS_IN_MEMORY = 1 << 18
"""Of one partition: about 6 MB, and as much again while they are sorted."""


class NewestPerKey:
    """Takes keys in offset order and tells which offsets hold the last record of a key that was not deleted.

    Keys are known by 128 bits of BLAKE2b: two different ones are never taken for the same.
    """

    def __init__(self, directory: Path, rows_in_memory: int | None = None) -> None:
        """`directory` is made when the keys need more room than memory; whoever made this removes it."""
        self._directory = directory
        self._limit = rows_in_memory or ROWS_IN_MEMORY
        self._pieces: list[npt.NDArray[np.void]] = []
        self._rows = 0
        self._spilled = False

    def add(self, keys: list[bytes], offsets: Offsets, tombstones: npt.NDArray[np.bool_]) -> None:
        """The next records' keys, offsets and whether each deletes its key."""
        if not keys:
            return
        rows = np.empty(len(keys), _ROW)
        digests = b"".join(blake2b(key, digest_size=16).digest() for key in keys)
        hashes = np.frombuffer(digests, "<u8").reshape(-1, 2)
        rows["high"], rows["low"], rows["offset"], rows["tombstone"] = hashes[:, 0], hashes[:, 1], offsets, tombstones
        self._pieces.append(rows)
        self._rows += len(rows)
        if self._rows >= self._limit:
            newest = _newest(self._pieces)
            if len(newest) > self._limit // 2:
                self._spill(newest)
                newest = newest[:0]
            self._pieces, self._rows = [newest], len(newest)

    def offsets(self) -> Offsets:
        """The offsets to keep, in order; on disk where they were spilled. Call it once, at the end."""
        if not self._spilled:
            return np.sort(_kept(_newest(self._pieces)))
        self._spill(_newest(self._pieces))
        path = self._directory / "kept"
        with path.open("wb") as file:
            for bucket in self._buckets():
                _kept(_newest([np.fromfile(bucket, _ROW)])).tofile(file)
        if not path.stat().st_size:
            return np.empty(0, np.int64)
        kept = np.memmap(path, np.int64, "r+")
        kept.sort()
        return kept

    def _spill(self, rows: npt.NDArray[np.void]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._spilled = True
        of_row = rows["high"] >> np.uint64(64 - _BUCKETS.bit_length() + 1)
        order = np.argsort(of_row, kind="stable")
        cuts = np.searchsorted(of_row[order], np.arange(_BUCKETS + 1))
        for bucket in range(_BUCKETS):
            part = rows[order[cuts[bucket] : cuts[bucket + 1]]]
            if len(part):
                with (self._directory / f"{bucket:02d}").open("ab") as file:
                    part.tofile(file)

    def _buckets(self) -> Iterator[Path]:
        return (path for bucket in range(_BUCKETS) if (path := self._directory / f"{bucket:02d}").exists())


def _newest(pieces: list[npt.NDArray[np.void]]) -> npt.NDArray[np.void]:
    """Of each key, the row with the largest offset."""
    rows = np.concatenate(pieces) if pieces else np.empty(0, _ROW)
    rows = rows[np.lexsort((rows["offset"], rows["low"], rows["high"]))]
    last = np.ones(len(rows), np.bool_)
    last[:-1] = (rows["high"][1:] != rows["high"][:-1]) | (rows["low"][1:] != rows["low"][:-1])
    return rows[last]


def _kept(rows: npt.NDArray[np.void]) -> Offsets:
    kept: Offsets = rows["offset"][~rows["tombstone"]]
    return kept
