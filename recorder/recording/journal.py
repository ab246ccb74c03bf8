"""The journal of an unfinished recording: a line for every seal, and the lock that keeps a second recorder out.

A line costs the same however many partitions, segments and holes there are already. It is written after what it tells
is sealed, so it may lag behind the segments but never run ahead of them (FORMAT.md 19).
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from recorder.capture.ledger import Offsets
from recorder.capture.manifest import JOURNAL_NAME, Segment
from recorder.capture.writer import reporting_write_errors
from recorder.errors import UsageError
from recorder.kafka.offsets import Place

_SYNC_SECONDS = 1.0
_LOCK_SECONDS = 2.0


class Sealed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a partition stood at `position`, when all its records before were sealed: a line of the journal.

    `segment`, `rows` and `headers_lost` are what came since the partition's last line, the rest is as it stood.
    """

    topic: str
    partition: int
    position: int
    """The offset where reading goes on."""
    done: bool = False
    """Nothing more is to be read of it."""
    segment: Segment | None = None
    payload_bytes: int = 0
    """Of `segment`."""
    rows: bytes = b""
    """Of the ledger, packed."""
    headers_lost: tuple[int, ...] = ()
    beyond: int = 0
    newest_ms: int = -(2**63)
    late_records: int = 0
    latest_ms: int = 0

    @property
    def place(self) -> Place:
        return self.topic, self.partition


def pack_rows(rows: Offsets) -> bytes:
    """A ledger's rows, (n, 4), in few bytes: a million holes differ little from each other."""
    if not len(rows):
        return b""
    steps = rows.copy()
    steps[1:, 0] -= rows[:-1, 0]
    steps[:, 1] -= rows[:, 0]
    return zlib.compress(np.ascontiguousarray(steps.T).astype("<i8").tobytes(), 1)


def unpack_rows(packed: bytes) -> Offsets:
    """The inverse of `pack_rows`."""
    if not packed:
        return np.empty((0, 4), np.int64)
    rows = np.frombuffer(zlib.decompress(packed), "<i8").reshape(4, -1).T.astype(np.int64)
    rows[:, 0] = np.cumsum(rows[:, 0])
    rows[:, 1] += rows[:, 0]
    return rows


class Journal:
    """The journal of the recording in a directory, locked for as long as it is open: one process records there."""

    def __init__(self, root: Path) -> None:
        """Begin a journal, or go on with the one that is there. Raises UsageError when another process holds it."""
        self._path = root / JOURNAL_NAME
        self._synced = 0.0
        self._waiting = False
        self._adding = threading.Lock()
        with reporting_write_errors(self._path):
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            _lock(self._file)
        except BlockingIOError:
            os.close(self._file)
            raise UsageError(f"{root} is being recorded by another process: wait for it, or end it.") from None
        except OSError:
            pass  # a file system without locks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    @property
    def lock(self) -> int:
        """The descriptor that holds the lock: processes that have it too hold it with us."""
        return self._file

    def lines(self) -> Iterator[Sealed]:
        """What is in it, oldest first; whatever follows the first torn line is cut off."""
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                sealed = _decode(line)
                if sealed is None:
                    break
                whole += len(line)
                yield sealed
        if os.fstat(self._file).st_size > whole:
            with reporting_write_errors(self._path):
                os.ftruncate(self._file, whole)

    def add(self, lines: Iterable[Sealed]) -> None:
        """Note what is sealed; call it after the seal, never before. A kill loses nothing of it, a power cut at most
        the last second, which is then read again.
        """
        with self._adding, reporting_write_errors(self._path):
            for line in lines:
                content = memoryview(_encode(line))
                while content:
                    content = content[os.write(self._file, content) :]
                self._waiting = self._waiting or line.segment is not None
            if self._waiting and time.monotonic() - self._synced >= _SYNC_SECONDS:
                self.sync()

    def sync(self) -> None:
        """Make durable what was added."""
        with reporting_write_errors(self._path):
            os.fsync(self._file)
        self._synced, self._waiting = time.monotonic(), False


def _lock(file: int) -> None:
    """Take the lock; those who worked for a recorder that was killed have it for a moment longer."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _encode(line: Sealed) -> bytes:
    content = msgspec.json.encode(line)
    return b"%08x %b\n" % (zlib.crc32(content), content)


def _decode(line: bytes) -> Sealed | None:
    with suppress(ValueError, msgspec.DecodeError):
        if line.endswith(b"\n") and int(line[:8], 16) == zlib.crc32(line[9:-1]):
            return msgspec.json.decode(line[9:-1], type=Sealed)
    return None
