"""Is a canary left? Looked for with other means than the proof's: the very bytes that were planted, and the mark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from desensitizers.proof.peel import layers
from recorder.capture.reader import open_capture
from tests.canaries.channels import CHANNELS, MARK, number_of, topic_of


def left(clean: Path, canaries: dict[str, list[str]]) -> dict[str, int]:
    """By channel, how many canaries a copy still holds; under "files", in how many files the mark stands,
    under "pages", in how many entries of dictionary pages and statistics."""
    rows: dict[str, list[bytes]] = {}
    for one in open_capture(clean).records():
        pieces = [
            one.key or b"",
            one.value or b"",
            *(part for name, value in one.headers for part in (name.encode(), value or b"")),
        ]
        rows.setdefault(one.topic, []).append(b"\n".join(pieces))
    found = {}
    for name, texts in canaries.items():
        hay = b"\n".join(rows.get(topic_of(name), []))
        forms = {text: _forms(name, text) for text in texts}
        found[name] = sum(any(form in hay for form in one) for one in forms.values())
        found[name] += sum(layer.lower().count(MARK.encode()) for layer in layers(hay))
    files = [path.read_bytes().lower() for path in clean.rglob("*") if path.is_file()]
    found["files"] = sum(MARK.encode() in content for content in files)
    found["pages"] = sum(in_pages(path) for path in clean.rglob("*.parquet"))
    return found


def in_pages(segment: Path) -> int:
    """How many entries of dictionary pages, and bounds in statistics, hold the mark, whether a row has them or not."""
    with pq.ParquetFile(segment) as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    bounds = [one.statistics for one in columns if one.physical_type == "BYTE_ARRAY" and one.is_stats_set]
    texts = [text for one in bounds if one.has_min_max for text in (one.min_raw, one.max_raw)]
    names = {one.path_in_schema for one in columns if one.physical_type == "BYTE_ARRAY"}
    with pq.ParquetFile(segment, read_dictionary=sorted(names)) as file:
        for number in range(file.num_row_groups):
            for column in file.read_row_group(number).columns:
                texts += [text for chunk in column.chunks for text in _entries(chunk)]
    return sum(MARK in (text if isinstance(text, str) else text.decode("utf-8", "replace")) for text in texts)


def _entries(array: pa.Array) -> Iterator[bytes | str]:
    if pa.types.is_dictionary(array.type):
        yield from array.dictionary.drop_null().to_pylist()
    elif pa.types.is_list(array.type):
        yield from _entries(array.values)
    elif pa.types.is_struct(array.type):
        for field in array.flatten():
            yield from _entries(field)


def _forms(channel: str, text: str) -> list[bytes]:
    _key, value, _headers = CHANNELS[channel].plant(text)
    if CHANNELS[channel].name == "number":
        return [value[6:], str(number_of(text)).encode()]
    inner = value.get("x") if isinstance(value, dict) else None
    forms = [text.encode(), json.dumps(text)[1:-1].encode()]
    return [*forms, inner.encode()] if isinstance(inner, str) else forms
