"""Results of a query for eyes and for programs: rows of plain cells, CSV, JSON, NDJSON and Parquet, batch by batch.

Programs get full precision: JSON columns are embedded with their numbers as spelt, decimals and huge integers are
numbers, times are RFC 3339 in UTC, null and empty differ.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from recorder.capture.locations import Location, inside
from recorder.errors import BlackboxError, UsageError
from recorder.query.session import Result

Convert = Callable[[Any], Any]

_ROW_GROUP_BYTES = 16 << 20
_NUMBERS = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Head:
    """The first rows of a result as plain cells; `cut` says that there are more."""

    columns: list[str]
    rows: list[list[Any]]
    cut: bool


def head(result: Result, limit: int | None) -> Head:
    """At most `limit` rows (None: all), asking for one more to know whether that was all.

    Cells are None, bool, int, float, Decimal, bytes or text; nested values are JSON text.
    """
    columns = list(result.schema.names)
    collected: list[list[Any]] = []
    for batch in result.batches:
        cells = [_cells(column) for column in batch.columns]
        collected += [list(row) for row in zip(*cells, strict=True)]
        if limit is not None and len(collected) > limit:
            return Head(columns, collected[:limit], cut=True)
    return Head(columns, collected, cut=False)


def first(result: Result, limit: int | None) -> Result:
    """The result cut to `limit` rows; None or 0: all of them."""
    return Result(result.schema, _take(result.batches, limit)) if limit else result


def csv_text(result: Result) -> Iterator[str]:
    """CSV with a header, in pieces that a newline parts; text is quoted, null is nothing at all."""
    schema = pa.schema([pa.field(field.name, _csv_type(field.type)) for field in result.schema])
    yield _csv(pa.RecordBatch.from_pylist([], schema=schema), header=True)
    for batch in result.batches:
        columns = [
            column if field.type == column.type else _csv_text(column)
            for column, field in zip(batch.columns, schema, strict=True)
        ]
        yield _csv(pa.RecordBatch.from_arrays(columns, schema=schema), header=False)


def ndjson_text(result: Result) -> Iterator[str]:
    """One JSON object a row, in pieces of many rows that a newline parts."""
    for lines in _json_rows(result):
        yield b"\n".join(lines).decode()


def json_text(result: Result) -> Iterator[str]:
    """One JSON array with an object a row, in pieces that a newline parts."""
    opening = "["
    for lines in _json_rows(result):
        yield opening + b",\n ".join(lines).decode()
        opening = ","
    yield "]" if opening == "," else "[]"


def write_parquet(result: Result, file: BinaryIO) -> None:
    """Parquet (zstd) with the result's own types."""
    with pq.ParquetWriter(file, result.schema, compression="zstd") as writer:
        waiting: list[pa.RecordBatch] = []
        size = 0
        for batch in result.batches:
            waiting.append(batch)
            size += batch.nbytes
            if size >= _ROW_GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(waiting, result.schema))
                waiting, size = [], 0
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting, result.schema))


def _write_text(form: Callable[[Result], Iterator[str]]) -> Callable[[Result, BinaryIO], None]:
    def write(result: Result, file: BinaryIO) -> None:
        file.writelines(piece.encode() + b"\n" for piece in form(result))

    return write


_WRITERS: dict[str, Callable[[Result, BinaryIO], None]] = {
    ".parquet": write_parquet,
    ".csv": _write_text(csv_text),
    ".json": _write_text(json_text),
    ".ndjson": _write_text(ndjson_text),
}
"""By the extension of the file's name."""


def check_output(path: Path, *, capture: Location) -> None:
    """UsageError unless a result can be written to `path`: a known extension, nothing there yet, not in the capture."""
    if path.suffix not in _WRITERS:
        raise UsageError(f"{path}: the extension says how to write, use one of {', '.join(_WRITERS)}.")
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists already: choose another name with -o, or remove it first.")
    if inside(path, capture):
        raise UsageError(f"{path} lies inside the capture, which must stay as it is: choose a place outside.")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path.absolute().parent} is not a directory: create it first.")


def export(result: Result, path: Path) -> int:
    """Write to `path` (checked by `check_output`): it appears whole or not at all. Returns the number of rows."""
    temporary = path.with_name(path.name + ".tmp")
    count = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in result.batches:
            count += batch.num_rows
            yield batch

    try:
        with temporary.open("xb") as file:
            _WRITERS[path.suffix](Result(result.schema, counted()), file)
        temporary.replace(path)
    except FileExistsError:
        raise UsageError(f"{temporary} is in the way (another export, or one that was killed): remove it.") from None
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BlackboxError(f"Can't write {path}: {error.strerror or error}. Nothing was kept.") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return count


def _take(batches: Iterator[pa.RecordBatch], limit: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.slice(0, limit)
        limit -= batch.num_rows
        if limit <= 0:
            return


def _csv(batch: pa.RecordBatch, *, header: bool) -> str:
    buffer = BytesIO()
    pa_csv.write_csv(batch, buffer, pa_csv.WriteOptions(include_header=header))
    return buffer.getvalue().decode().removesuffix("\n")


def _csv_type(kind: pa.DataType) -> pa.DataType:
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return kind if plain or kind == pa.string() else pa.string()


def _json_rows(result: Result) -> Iterator[list[bytes]]:
    names = result.schema.names
    for batch in result.batches:
        columns = [_values(column) for column in batch.columns]
        yield [_NUMBERS.encode(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def _cells(column: pa.Array) -> list[Any]:
    """A column's values for one line of a table or of CSV."""
    if column.type == pa.json_() or pa.types.is_binary(column.type):
        return list(column.to_pylist())
    values = _values(column)
    if pa.types.is_nested(column.type):
        return [None if value is None else _NUMBERS.encode(value).decode() for value in values]
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        return [None if value is None else int(value) for value in values]
    return values


def _csv_text(column: pa.Array) -> pa.Array:
    text = column.storage if column.type == pa.json_() else _text(column)
    return pa.array(map(_as_text, _cells(column)), pa.string()) if text is None else text


def _as_text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return None if value is None else str(value)


def _text(column: pa.Array) -> pa.Array | None:
    """Times and bytes as text without a Python object each; None where that can't be."""
    if pa.types.is_timestamp(column.type):
        # By way of text: Python has no times outside the years 1 to 9999.
        text = pc.replace_substring_regex(pc.cast(column, pa.string()), r"^([-\d]+) ", r"\1T")
        return pc.replace_substring_regex(text, r"(\.\d{3})000(Z?)$", r"\1\2")
    if pa.types.is_date(column.type) or pa.types.is_time(column.type):
        return pc.cast(column, pa.string())
    if pa.types.is_binary(column.type):
        try:
            return pc.cast(column, pa.string())
        except pa.ArrowInvalid:
            return None  # not all of it is UTF-8
    return None


def _values(column: pa.Array) -> list[Any]:
    """A column's values as what JSON knows (and Decimal)."""
    if (text := _text(column)) is not None:
        return list(text.to_pylist())
    convert = _converter(column.type)
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError) as error:
        raise UsageError(f"A value can't be shown ({error}): cast the column to varchar in the query.") from None
    return values if convert is None else [None if value is None else convert(value) for value in values]


def _converter(kind: pa.DataType) -> Convert | None:
    """How to turn a Python value of this Arrow type into what JSON knows; None: it is that already."""
    if kind == pa.json_():
        return _embedded
    if pa.types.is_binary(kind):
        return _bytes
    if pa.types.is_temporal(kind):
        return _time
    if pa.types.is_map(kind):
        convert = _optional(_converter(kind.item_type))
        return lambda pairs: {str(key): convert(value) for key, value in pairs}
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        convert = _optional(_converter(kind.value_type))
        return lambda values: [convert(value) for value in values]
    if pa.types.is_struct(kind):
        converts = {field.name: _optional(_converter(field.type)) for field in kind}
        return lambda value: {name: convert(value[name]) for name, convert in converts.items()}
    return None


def _optional(convert: Convert | None) -> Convert:
    if convert is None:
        return lambda value: value
    return lambda value: None if value is None else convert(value)


def _embedded(text: str) -> Any:
    try:
        return msgspec.Raw(msgspec.json.format(text, indent=-1).encode())
    except (msgspec.DecodeError, RecursionError):
        return text  # DuckDB takes NaN and trailing commas for JSON; others don't


def _bytes(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _time(value: datetime.date | datetime.time | datetime.timedelta | Decimal) -> str:
    if isinstance(value, datetime.datetime):
        spec = "milliseconds" if value.microsecond % 1000 == 0 else "microseconds"
        return value.isoformat(timespec=spec).replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)
