"""What an export writes a topic to: a Parquet file, a CSV file, or a table of a DuckDB database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import duckdb
import pyarrow as pa

from recorder.errors import BlackboxError
from recorder.query.results import csv_text, write_parquet
from recorder.query.session import Result
from recorder.query.views import literal, quoted

_MEMORY_LIMIT = "512MiB"


@dataclass(frozen=True, slots=True)
class Described:
    """What an export says of where it comes from."""

    capture_id: str
    clean: bool

    def __str__(self) -> str:
        state = "clean" if self.clean else "raw: may hold personal data"
        return f"exported by blackbox from capture {self.capture_id}, {state}"


class TopicWriter(Protocol):
    """Writes topics into a directory; complete when its block is left."""

    as_text: bool
    """Whether bytes have to be text, in base64."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, stem: str, topic: str, result: Result) -> None:
        """All rows of a topic, batch by batch."""
        ...

    def name_of(self, stem: str) -> str:
        """The file that holds a topic."""
        ...


class _Files:
    suffix = ""
    as_text = False

    def __init__(self, root: Path, described: Described) -> None:
        self.root = root
        self.described = described

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def name_of(self, stem: str) -> str:
        return f"{stem}{self.suffix}"


class ParquetFiles(_Files):
    """Typed; the file's metadata names the topic, the capture and whether that is clean."""

    suffix = ".parquet"

    def write(self, stem: str, topic: str, result: Result) -> None:
        said = {
            "blackbox.topic": topic,
            "blackbox.capture_id": self.described.capture_id,
            "blackbox.clean": "true" if self.described.clean else "false",
        }
        with (self.root / self.name_of(stem)).open("xb") as file:
            write_parquet(Result(result.schema.with_metadata(said), result.batches), file)


class CsvFiles(_Files):
    """A column for each member of the values; what is nested is JSON."""

    suffix = ".csv"
    as_text = True

    def write(self, stem: str, topic: str, result: Result) -> None:
        with (self.root / self.name_of(stem)).open("xb") as file:
            file.writelines(piece.encode() + b"\n" for piece in csv_text(result))


class DatabaseFile:
    """A table for each topic, with a comment that says where it comes from."""

    as_text = False

    def __init__(self, root: Path, described: Described) -> None:
        self.described = described
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY_LIMIT,
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
        }
        self._connection = duckdb.connect(str(root / self.name_of("")), config=config)
        self._connection.execute("set timezone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def write(self, stem: str, topic: str, result: Result) -> None:
        failed: list[BaseException] = []

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                yield from result.batches
            except BaseException as error:
                failed.append(error)
                raise

        reader = pa.RecordBatchReader.from_batches(result.schema, batches())
        try:
            self._connection.register("arrived", reader)
            self._connection.execute(f"create table {quoted(stem)} as from arrived")
            self._connection.unregister("arrived")
            self._connection.execute(f"comment on table {quoted(stem)} is {literal(f'{topic}, {self.described}')}")
        except duckdb.Error as error:
            if failed:
                raise failed[0] from None
            raise BlackboxError(f"Can't write the table {topic}: {error}") from None

    def name_of(self, stem: str) -> str:
        return "export.duckdb"


Form = Literal["parquet", "csv", "duckdb"]
WRITERS: dict[Form, Callable[[Path, Described], TopicWriter]] = {
    "parquet": ParquetFiles,
    "csv": CsvFiles,
    "duckdb": DatabaseFile,
}
