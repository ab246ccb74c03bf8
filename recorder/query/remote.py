"""The segments of a capture in an object store, as a file system for DuckDB that knows these names and no others.

DuckDB asks for the ranges that a query needs: footers, and columns of the row groups that may match. They are fetched
through the same client as everywhere else, so that no extension, no second set of credentials and no copy on disk is
needed; what was fetched last stays in memory, because paging through a capture asks for the same again and again.
"""

from __future__ import annotations

import datetime
import io
import threading
from collections import OrderedDict
from typing import Any

from fsspec import AbstractFileSystem

from recorder.capture.locations import ObjectPath
from recorder.capture.manifest import Segment
from recorder.capture.reader import Capture, reading

CACHE_BYTES = 256 << 20
_UNCHANGING = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)  # sealed


class Segments(AbstractFileSystem):  # type: ignore[misc]
    """Read-only, and only what the manifest names, below `root`; `number` tells several captures apart."""

    cachable = False

    def __init__(self, capture: Capture, number: int) -> None:
        super().__init__()
        self.protocol = f"capture{number}"
        self.root = f"{self.protocol}://segments"
        self._segments = {
            f"{self.root}/{segment.path}": (capture.root / segment.path, segment)
            for _, partition in capture.manifest.topic_partitions()
            for segment in partition.files
        }
        self._ranges = _Ranges()

    def open(self, path: str, mode: str = "rb", **_options: Any) -> _Object:
        location, segment = self._named(path)
        if mode != "rb":
            raise PermissionError(f"{path} is sealed")
        return _Object(location, segment, self._ranges)

    def info(self, path: str, **_options: Any) -> dict[str, Any]:
        return {"name": path, "size": self._named(path)[1].bytes, "type": "file"}

    def size(self, path: str) -> int:
        return self._named(path)[1].bytes

    def exists(self, path: str, **_options: Any) -> bool:
        return path in self._segments

    isfile = exists

    def glob(self, path: str, **_options: Any) -> list[str]:
        return [path] if path in self._segments else []

    def modified(self, _path: str) -> datetime.datetime:
        return _UNCHANGING

    def _named(self, path: str) -> tuple[ObjectPath, Segment]:
        found = self._segments.get(path)
        if found is None or not isinstance(found[0], ObjectPath):
            raise FileNotFoundError(path)
        return found[0], found[1]


class _Object(io.RawIOBase):
    """One open segment. It is opened in the store with the first byte that is asked for."""

    def __init__(self, location: ObjectPath, segment: Segment, ranges: _Ranges) -> None:
        self._location, self._size, self._ranges = location, segment.bytes, ranges
        self._at = threading.local()  # DuckDB seeks and reads from several threads
        self._file: Any = None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        self._at.position = start + offset
        return self.tell()

    def tell(self) -> int:
        return getattr(self._at, "position", 0)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        start = self.tell()
        length = max(0, self._size - start if size < 0 else min(size, self._size - start))
        content = self._ranges.get((str(self._location), start, length))
        if content is None:
            with reading(self._location):
                if self._file is None:
                    self._file = self._location.open()
                content = self._file.read_at(length, start)
            self._ranges.put((str(self._location), start, length), content)
        self._at.position = start + len(content)
        return content

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)


class _Ranges:
    """The ranges that were read last, up to CACHE_BYTES of them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int, int]) -> bytes | None:
        with self._lock:
            content = self._kept.get(key)
            if content is not None:
                self._kept.move_to_end(key)
        return content

    def put(self, key: tuple[str, int, int], content: bytes) -> None:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = content
                self._bytes += len(content)
            while self._bytes > CACHE_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1])
