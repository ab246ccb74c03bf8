"""What a segment's file holds beside the records that a reader sees: its footer, and places where more could stand.

A dictionary page can have entries that no row uses, and between columns and footer there can be anything. A copy's
files have neither, so the proof needs no guess about what would stand there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder.capture.locations import Location, parquet_source
from recorder.capture.reader import reading
from recorder.capture.schema import RECORD_SCHEMA
from recorder.scrubbing.number_dictionaries import unused

_MAGIC = 4
_TAIL = 8
"""The footer's length and the magic number."""
_FORMAT_NAMES = sorted({name.encode() for name in (*RECORD_SCHEMA.names, "element", "schema")}, key=len, reverse=True)


def footer(path: Location) -> bytes:
    """A Parquet file's footer (schema, statistics, metadata) without the names that the format itself puts there."""
    start, size = _footer_place(path)
    with path.open("rb") as file:
        file.seek(start)
        content: bytes = file.read(size - _TAIL - start)
    for name in _FORMAT_NAMES:
        content = content.replace(name, b"")
    return content


def unseen(path: Location) -> Iterator[str]:
    """Where the file holds bytes that no record has, whatever they are. Raises CaptureError on torn data."""
    with reading(path), pq.ParquetFile(**parquet_source(path)) as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    if not _tiled(columns, _footer_place(path)[0]):
        yield "between columns and footer"
    for name in unused(path):
        yield f"dictionary of {name}"
    coded = {one.path_in_schema for one in columns if one.has_dictionary_page and one.physical_type == "BYTE_ARRAY"}
    if not coded:
        return
    with reading(path), pq.ParquetFile(**parquet_source(path), read_dictionary=sorted(coded)) as file:
        for number in range(len(groups)):
            for name in sorted(coded):
                table = file.read_row_group(number, columns=[name], use_threads=False)
                if _has_unused([part for chunk in table.column(0).chunks for part in _coded(chunk)]):
                    yield f"dictionary of {name}"
                    coded.discard(name)


def _footer_place(path: Location) -> tuple[int, int]:
    """(where it starts, the file's size)."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        length = int.from_bytes(file.read(4), "little")
    return max(0, size - _TAIL - length), size


def _tiled(columns: list[Any], end: int) -> bool:
    """Whether the columns of all row groups follow each other without a gap, from the magic number to the footer."""
    position = _MAGIC
    for one in columns:
        offsets = (one.dictionary_page_offset, one.data_page_offset)
        if min(offset for offset in offsets if offset is not None) != position:
            return False
        position += one.total_compressed_size
    return position == end


def _coded(array: pa.Array) -> Iterator[pa.DictionaryArray]:
    """The dictionary-coded arrays within."""
    if pa.types.is_dictionary(array.type):
        yield array
    elif pa.types.is_list(array.type):
        yield from _coded(array.flatten())
    elif pa.types.is_struct(array.type):
        for field in array.flatten():
            yield from _coded(field)


def _has_unused(arrays: list[pa.DictionaryArray]) -> bool:
    """Whether their dictionaries have an entry that no row refers to."""
    entries = {entry for array in arrays for entry in array.dictionary.to_pylist()}
    used = {
        entry for array in arrays for entry in array.dictionary.take(pc.unique(array.indices).drop_null()).to_pylist()
    }
    return entries != used
