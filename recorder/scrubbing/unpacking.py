"""Archives and compressed files, laid open in a directory that is gone afterwards."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from recorder.errors import BlackboxError

MOST_BYTES = 8 << 30
MOST_FILES = 100_000
_PIECE = 1 << 20
_ZIP, _GZIP, _BZIP2, _XZ, _ZSTD = b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
_TAR_AT, _TAR = 257, b"ustar"
_BAD = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError)


class TooMuchError(BlackboxError):
    """An archive that can't be looked into whole; the sentence says why."""


@contextmanager
def unpacked(file: Path) -> Iterator[Path | None]:
    """A directory with what an archive holds (zip, tar, gzip, bzip2, xz, zstd); None when the file is none.

    Members get names of their own below it, so that none can lie outside. Raises TooMuchError.
    """
    with file.open("rb") as opened:
        head = opened.read(_TAR_AT + len(_TAR))
    if not head.startswith((_ZIP, _GZIP, _BZIP2, _XZ, _ZSTD)) and head[_TAR_AT:] != _TAR:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="blackbox-guard-") as name:
        directory = Path(name)
        try:
            _unpack(file, head, directory)
        except _BAD as error:
            raise TooMuchError(f"can't be looked into: {type(error).__name__}. Take it out, or unpack it.") from None
        except OSError as error:
            raise TooMuchError(f"can't be looked into: {error.strerror or 'it is torn'}.") from None
        yield directory


def _unpack(file: Path, head: bytes, directory: Path) -> None:
    budget = _Budget()
    if head.startswith(_ZIP):
        with zipfile.ZipFile(file) as archive:
            for one in archive.infolist():
                if not one.is_dir():
                    with archive.open(one) as content:
                        budget.copy(content, directory, one.filename)
        return
    with _plain(file, head) as stream:
        is_tar = stream.read(_TAR_AT + len(_TAR))[_TAR_AT:] == _TAR
    with _plain(file, head) as stream:
        if not is_tar:
            budget.copy(stream, directory, file.with_suffix("").name or "content")
            return
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                inner = archive.extractfile(member) if member.isfile() else None
                if inner is not None:
                    budget.copy(inner, directory, member.name)


def _plain(file: Path, head: bytes) -> Any:
    if head.startswith(_GZIP):
        return gzip.open(file)
    if head.startswith(_BZIP2):
        return bz2.open(file)
    if head.startswith(_XZ):
        return lzma.open(file)
    if head.startswith(_ZSTD):
        import pyarrow as pa

        return pa.input_stream(str(file), compression="zstd")
    return file.open("rb")


class _Budget:
    """How much may still be unpacked."""

    def __init__(self) -> None:
        self._bytes, self._files = MOST_BYTES, MOST_FILES

    def copy(self, content: IO[bytes] | Any, directory: Path, name: str) -> None:
        parts = [part for part in Path(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
        target = directory.joinpath(*parts or ("content",))
        self._files -= 1
        while target.exists():  # a name that stands twice must not hide what came first
            target = target.with_name(target.name + "+")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while piece := content.read(_PIECE):
                self._bytes -= len(piece)
                if self._bytes < 0 or self._files < 0:
                    raise TooMuchError(
                        f"is too large to look into (above {MOST_BYTES >> 30} GiB or {MOST_FILES:,} files): unpack it."
                    )
                file.write(piece)
