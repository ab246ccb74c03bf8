"""Dictionaries of numbers in a segment's file, by their entries: Arrow shows those of texts, and of numbers only rows.

Their pages are read here as our own writer makes them; one that is otherwise, or stands where it makes none, holds
something that nobody has looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder.capture.locations import Location, parquet_source
from recorder.capture.reader import reading

_VARINT = rb"([\x80-\xff]*[\x00-\x7f])"
_HEADER = re.compile(
    rb"\x15\x04\x15%b\x15%b(?:\x15%b\x3c|\x4c)\x15%b\x15%b[\x11\x12]?\x00\x00" % ((_VARINT,) * 5), re.DOTALL
)
"""Of a dictionary page, in Thrift's compact protocol: its type, bytes before and after compression, CRC, and within it
the count of entries, their encoding, whether they are sorted."""


def unused(path: Location) -> Iterator[str]:
    """The columns of numbers whose dictionaries hold anything but numbers that the rows have. Raises CaptureError on
    torn data."""
    with reading(path), path.open("rb") as raw, pq.ParquetFile(**parquet_source(path)) as file:
        for place in range(file.metadata.num_columns):
            chunks = [(group, file.metadata.row_group(group).column(place)) for group in range(file.num_row_groups)]
            for group, chunk in chunks:
                if not chunk.has_dictionary_page or chunk.physical_type == "BYTE_ARRAY":
                    continue
                raw.seek(chunk.dictionary_page_offset)
                end = chunk.data_page_offset - chunk.dictionary_page_offset
                page = raw.read(end if end > 0 else chunk.total_compressed_size)  # without rows no page follows
                if chunk.physical_type != "INT32" or not _has(page, chunk, _numbers(file, group, chunk)):
                    yield str(chunk.path_in_schema)
                    break


def _numbers(file: pq.ParquetFile, group: int, chunk: Any) -> set[int]:
    column = file.read_row_group(group, columns=[chunk.path_in_schema], use_threads=False).column(0)
    return set(pc.unique(column).drop_null().to_pylist()) if pa.types.is_int32(column.type) else set()


def _has(page: bytes, chunk: Any, numbers: set[int]) -> bool:
    """Whether the page holds nothing but these numbers, each at most once: not all, where a dictionary grew too large
    and the rows after that do without."""
    header = _HEADER.match(page)
    if header is None:
        return False
    size, stored = _integer(header[1]), _integer(header[2])
    body = page[header.end() :]
    if len(body) != stored or size != 4 * _integer(header[4]) or not 0 <= size <= 4 * len(numbers):
        return False
    if chunk.compression != "UNCOMPRESSED":
        body = pa.Codec(chunk.compression.lower()).decompress(body, decompressed_size=size, asbytes=True)
    entries = np.frombuffer(body, "<i4").tolist()
    return len(set(entries)) == len(entries) and numbers.issuperset(entries)


def _integer(varint: bytes) -> int:
    """Of Thrift's zigzag form."""
    number = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))
    return (number >> 1) ^ -(number & 1)
