"""Decoded segments as Parquet files in the user's cache directory, safe to delete at any time.

Not beside the capture: that is sealed, may be read-only or in an object store, and what is signed must stay as it is.
The key is the segment's SHA-256, how it is decoded and the version of this code, so captures that share a segment
share its file. Of a raw capture these files are as sensitive as the capture itself: only their user may read them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from recorder.capture.manifest import Segment

VERSION = 1
"""Of what decoding gives; another one, and nothing that was kept before is used."""
LIMIT_BYTES = 10 << 30
ENVIRONMENT = "BLACKBOX_CACHE_DIR"


class CacheError(Exception):
    """A file can't be written into the cache, as when the disk is full: queries do without."""


def cache_directory() -> Path:
    """`$BLACKBOX_CACHE_DIR`, else `kafka-blackbox` in the user's cache directory."""
    if given := os.environ.get(ENVIRONMENT):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kafka-blackbox"


def make_cache() -> Path:
    """The directory of decoded segments, made when there is none, readable by its user only. OSError: it can't be."""
    path = cache_directory() / "decoded"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.is_symlink():
        raise NotADirectoryError(f"{path} is a link")  # who laid it may want customers' data elsewhere
    path.parent.chmod(0o700) if path.parent.stat().st_uid == os.getuid() else None
    path.chmod(0o700)
    return path


def file_of(directory: Path, segment: Segment, topic: str, fingerprint: str) -> Path:
    """Where a segment's decoded file lies, whether it is there or not."""
    parts = "\0".join((str(VERSION), segment.sha256, str(segment.bytes), topic, fingerprint))
    return directory / f"{hashlib.sha256(parts.encode()).hexdigest()}.parquet"


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A private file to write that becomes `path` when all went well, and nothing otherwise."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def shelve(file: Path, shelf: Path) -> bool:
    """Link a decoded file into the directory `shelf`; False when it is not there.

    Removed from the cache, it still stays there. Something else in its place, such as a link, is removed.
    """
    link = shelf / file.name
    if link.exists():
        return True
    try:
        os.link(file, link, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(link.lstat().st_mode):
        link.unlink()
        file.unlink(missing_ok=True)
        return False
    with contextlib.suppress(OSError):
        os.utime(file, follow_symlinks=False)
    return True


def shrink(directory: Path, limit: int = LIMIT_BYTES) -> int:
    """Remove what was not used for longest until all fits into `limit` bytes; the number of bytes removed."""
    files = []
    for path in (*directory.glob("*.parquet"), *directory.glob(".new-*")):
        with contextlib.suppress(OSError):
            facts = path.lstat()
            files.append((facts.st_mtime, facts.st_size, path))
    excess = sum(size for _, size, _ in files) - limit
    removed = 0
    for _, size, path in sorted(files):
        if removed >= excess:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            removed += size
    return removed


def clear() -> int:
    """Remove all decoded segments; the number of bytes that were freed. Running queries keep what they use."""
    directory = cache_directory() / "decoded"
    return shrink(directory, 0) if directory.is_dir() and not directory.is_symlink() else 0
