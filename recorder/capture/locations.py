"""Where a capture lies: a directory, or a prefix in an object store.

An `ObjectPath` speaks pathlib's words as far as a capture needs them, so that a capture's root is either, and local
files stay exactly what they are: paths.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recorder.capture.object_stores import Store, explaining, file_system, is_uri, no_bucket, parse_uri, store_trouble
from recorder.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ObjectPath:
    """An object, or all objects below a prefix. What the store answers with an error raises StoreUnavailableError."""

    store: Store
    key: str
    """Without the bucket; empty for the bucket itself."""

    def __str__(self) -> str:
        return f"{self.store.scheme}://{self.store.bucket}" + (f"/{self.key}" if self.key else "")

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(self.store, f"{self.key}/{name}" if self.key else name)

    @property
    def uri(self) -> str:
        """What to type to get here again, without credentials."""
        return f"{self}{self.store.query}"

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2] or self.store.bucket

    def resolve(self) -> ObjectPath:
        return self

    def open(self, mode: Literal["rb"] = "rb") -> pa.NativeFile:
        """The object for reading at any place; FileNotFoundError when there is none. Asks for its size."""
        with self.explaining("read"):
            return self._files().open_input_file(self._path)

    def explain(self, error: BaseException | None) -> None:
        """Raises StoreUnavailableError when `error`, met while reading this object, is the store's."""
        if error is not None and (trouble := store_trouble(error, self.store, f"read {self}")):
            raise trouble from error

    def read_bytes(self) -> bytes:
        """The whole object; FileNotFoundError when there is none."""
        with self.explaining("read"):
            content: bytes = self._files().open_input_file(self._path).read()
        return content

    @contextmanager
    def create(self) -> Iterator[Any]:
        """The object for writing; it appears when the block ends. Leaving it by an error may leave a torn one."""
        with self.explaining("write"):
            file = self._files().open_output_stream(self._path)
        yield file
        with self.explaining("write"):
            file.close()

    def unlink(self) -> None:
        """Delete the object; FileNotFoundError when there is none."""
        with self.explaining("delete"):
            self._files().delete_file(self._path)

    def size(self) -> int:
        """Bytes of the object; FileNotFoundError when there is none."""
        with self.explaining("read"):
            info = self._files().get_file_info(self._path)
        if info.size is None:
            raise FileNotFoundError(str(self))
        return int(info.size)

    def etag(self) -> str | None:
        """The store's own mark of the object's content, often a digest."""
        with self.explaining("read"):
            found = self._files().open_input_stream(self._path).metadata() or {}
        etag = next((value for name, value in found.items() if str(name).lower() == "etag"), None)
        return None if etag is None else etag.decode("latin-1").strip('"')

    def explaining(self, doing: str) -> AbstractContextManager[None]:
        """See `object_stores.explaining`."""
        return explaining(self.store, f"{doing} {self}")

    def exists(self) -> bool:
        """Whether there is such an object, or any object below; an error when there is no such bucket."""
        return self._kind() != "NotFound"

    def is_dir(self) -> bool:
        """Whether there is any object below."""
        return self._kind() == "Directory"

    def walk(self) -> Iterator[tuple[str, int]]:
        """Names of all objects below, relative to this prefix, with their sizes in bytes."""
        from pyarrow.fs import FileSelector, FileType

        with self.explaining("list"):
            found = self._files().get_file_info(FileSelector(self._path, recursive=True, allow_not_found=True))
        for info in found:
            if info.type == FileType.File:
                yield info.path.removeprefix(f"{self._path}/"), info.size

    def _kind(self) -> str:
        with self.explaining("read"):
            kind: str = self._files().get_file_info(self._path).type.name
            if kind == "NotFound" and self._files().get_file_info(self.store.bucket).type.name == "NotFound":
                raise no_bucket(self.store)
        return kind

    @property
    def _path(self) -> str:
        """As Arrow's file systems name it."""
        return f"{self.store.bucket}/{self.key}" if self.key else self.store.bucket

    def _files(self) -> Any:
        return file_system(self.store)


Location = Path | ObjectPath


def locate(place: str | Location) -> Location:
    """What a person typed, or a program gave; UsageError for a URI that can't mean anything."""
    if isinstance(place, str) and is_uri(place):
        return ObjectPath(*parse_uri(place))
    return Path(place) if isinstance(place, str) else place


def local(place: str, *, why: str) -> Path:
    """A directory; UsageError with the reason when an object store was named."""
    located = locate(place)
    if isinstance(located, ObjectPath):
        raise UsageError(f"{located} is an object store, {why}.")
    return located


def inside(path: Path, root: Location) -> bool:
    """Whether a local path lies in a capture."""
    return isinstance(root, Path) and path.resolve().is_relative_to(root.resolve())


def parquet_source(path: Location) -> dict[str, Any]:
    """The arguments that make a `pyarrow.parquet.ParquetFile` of a segment, wherever it lies.

    From an object store a row group's columns are fetched together; the file's memory holds no more than that.
    """
    return {"source": path} if isinstance(path, Path) else {"source": path.open(), "pre_buffer": True}


@contextmanager
def whole(path: Location) -> Iterator[Any]:
    """A segment that is read more than once, as a binary file: an object is fetched into memory for it."""
    if isinstance(path, Path):
        with path.open("rb") as file:
            yield file
    else:
        import pyarrow as pa

        with pa.BufferReader(path.read_bytes()) as file:
            yield file


def names_below(root: Location) -> Iterator[tuple[str, bool]]:
    """All files below a capture's root, as relative names with `/`, and whether each is a link."""
    if isinstance(root, ObjectPath):
        yield from ((name, False) for name, _ in sorted(root.walk()))
        return
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(root).as_posix(), path.is_symlink()


def shown(root: Location) -> str:
    """A location for a command line that is printed: what to type to get there."""
    return shlex.quote(root.uri) if isinstance(root, ObjectPath) else str(root)
