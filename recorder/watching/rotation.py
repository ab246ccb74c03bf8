"""A directory of consecutive captures: when the next one begins, and which of the old ones go.

What is kept is told by time or by size, as people think of it: ``10m``, ``2h``, ``1GB``, ``20GB``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.durable import sync_directory
from recorder.capture.manifest import MANIFEST_NAME, Manifest
from recorder.capture.reader import open_capture
from recorder.capture.writer import reporting_write_errors
from recorder.errors import UsageError
from recorder.window import format_time, parse_duration

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(i?)B", re.ASCII)
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z(-\d+)?")


@dataclass(frozen=True, slots=True)
class Limit:
    """A stretch of time (ms) or an amount of bytes; the other is None."""

    ms: int | None = None
    bytes: int | None = None


def parse_limit(text: str, option: str) -> Limit:
    """``10m``, ``2h``, ``500MB``, ``1GB`` (10^9), ``1GiB`` (2^30); UsageError for nothing and for nonsense."""
    if match := _SIZE.fullmatch(text.strip()):
        size = int(float(match[1]) * (1024 if match[3] else 1000) ** _POWERS[match[2]])
        limit = Limit(bytes=size)
    else:
        try:
            limit = Limit(ms=parse_duration(text))
        except UsageError:
            raise UsageError(f"{option} {text} is neither a time nor a size: write 10m, 2h, 500MB or 20GB.") from None
    if not (limit.ms or limit.bytes):
        raise UsageError(f"{option} {text} is nothing: write for example 10m, 2h, 500MB or 20GB.")
    return limit


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished capture of the row."""

    path: Path
    manifest: Manifest

    @property
    def bytes(self) -> int:
        """Of all its segments."""
        return sum(s.bytes for _, partition in self.manifest.topic_partitions() for s in partition.files)


def finished(directory: Path) -> list[Kept]:
    """The row's captures, oldest first; what else lies in the directory is none of them."""
    paths = [path for path in directory.glob("*") if _NAME.fullmatch(path.name) and (path / MANIFEST_NAME).exists()]
    found = [Kept(path, open_capture(path).manifest) for path in paths]
    return sorted(found, key=lambda one: (one.manifest.created_at_ms, one.path.name))


def unfinished(directory: Path) -> list[Path]:
    """What a killed recorder left of captures."""
    paths = directory.glob("*") if directory.is_dir() else ()
    return [path for path in paths if _NAME.fullmatch(path.name) and not (path / MANIFEST_NAME).exists()]


def next_path(directory: Path, now_ms: int) -> Path:
    """The path of a capture that begins now."""
    name = format_time(now_ms).replace("-", "").replace(":", "")
    path, number = directory / name, 1
    while path.exists():
        number += 1
        path = directory / f"{name}-{number}"
    return path


def surplus(row: Sequence[Kept], keep: Limit, now_ms: int) -> list[Kept]:
    """Those of a row (oldest first) that go: older than is kept, or the oldest beyond the size. Never the newest."""
    if keep.ms is not None:
        return [one for one in row[:-1] if one.manifest.created_at_ms < now_ms - keep.ms]
    assert keep.bytes is not None
    total, going = sum(one.bytes for one in row), []
    for one in row[:-1]:
        if total <= keep.bytes:
            break
        going.append(one)
        total -= one.bytes
    return going


def remove(path: Path) -> None:
    """Remove a capture so that at no time half of one can be taken for a whole. Raises CaptureError."""
    with reporting_write_errors(path):
        going = path.with_name(f".{path.name}.going")
        shutil.rmtree(going, ignore_errors=True)
        path.rename(going)
        sync_directory(path.parent)
        shutil.rmtree(going)


def size_of(directory: Path) -> int:
    """Bytes on disk below a directory, of what is still being written too."""
    total = 0
    for path in directory.rglob("*"):
        with suppress(FileNotFoundError):  # a temporary name that was renamed meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total
