"""Files outside of any capture that hold its records: segments, exports, quarantines, printed records.

Parquet and DuckDB files say where they come from. CSV and JSON say nothing: they are known by the names of their
columns alone, and what has none of these can't be told from any other text.
"""

from __future__ import annotations

import codecs
import csv
import json
import mmap
import re
from collections.abc import Set
from pathlib import Path

from recorder.capture.schema import RECORD_SCHEMA
from recorder.scrubbing.exports import not_vouched
from recorder.scrubbing.quarantine.sealed import MAGIC
from recorder.scrubbing.signing import Verifier

_OURS = frozenset({"topic", "partition", "offset", "timestamp_ms", "key", "value"})
_WHERE = frozenset({"topic", "partition", "offset"})
_WHAT = frozenset({"key", "value", "headers", "payload", "key_bytes", "value_bytes", "key_base64", "value_base64"})
_PARQUET = b"PAR1"
_DUCKDB, _DUCKDB_AT = b"DUCK", 8
_EXPORTED, _EXPORTED_RAW = b"exported by blackbox from capture ", b", raw: may hold personal data"
_RAW, _CLEAN = "is an export from a raw capture", "says that it is an export from a clean capture, but "
_PRINTED = "holds Kafka records as {}, which can't say whether they are clean, and "
_WIDE = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HEAD, _NEAR = 1 << 10, 1 << 12
_TEXT_BYTES = 4 << 20
"""As much of a text is looked at: its first line, or its first record."""


def stray(file: Path, verifier: Verifier | None) -> str:
    """Why such a file may not leave; empty when it is none of ours, or a signed export. Raises OSError."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
        if b"\0" not in head or head.startswith(tuple(bom for bom, _name in _WIDE)):
            head += opened.read(_TEXT_BYTES)
    if head.startswith(MAGIC):
        return "is a quarantine: it holds raw records, encrypted, and stays with whoever may see them"
    if head.startswith(_PARQUET):
        said = _parquet_says(file)
    elif head[_DUCKDB_AT:].startswith(_DUCKDB):
        said = _database_says(file)
    else:
        said = _text_says(head)
    if not said.endswith(" "):
        return said
    why = not_vouched(file, verifier)
    return why and f"{said}{why}"


def _parquet_says(file: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError):
        return "is a torn segment of a capture" if file.name.endswith(".parquet.tmp") else ""
    said = (schema.metadata or {}).get(b"blackbox.clean")
    if said is not None:
        return _CLEAN if said == b"true" else _RAW
    if schema.names == RECORD_SCHEMA.names or _OURS.issubset(schema.names):
        return "holds Kafka records outside of a capture: no clean stamp vouches for it"
    return ""


def _database_says(file: Path) -> str:
    """The comments on the tables of an export stand in the file as they are."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(_EXPORTED) < 0:
            return ""
        return _RAW if content.find(_EXPORTED_RAW) >= 0 else _CLEAN


def _text_says(head: bytes) -> str:
    """By the first line of a CSV, or the first object of JSON lines or of an array."""
    wide = next((name for bom, name in _WIDE if head.startswith(bom)), "")
    if b"\0" in head[:_HEAD] and not wide:
        return ""
    text = head.decode(wide or "utf-8", "replace").lstrip("\ufeff \t\r\n")
    if text.startswith(("{", "[")):
        return _PRINTED.format("JSON") if _is_record(_first_names(text)) else ""
    line = text.partition("\n")[0].strip("\r").lower()
    if any(_is_record(_columns(line, delimiter)) for delimiter in ",;\t|"):
        return _PRINTED.format("CSV")
    return ""


def _is_record(names: Set[str]) -> bool:
    return names >= _WHERE and not _WHAT.isdisjoint(names)


def _columns(line: str, delimiter: str) -> Set[str]:
    if not all(name in line for name in _WHERE):
        return frozenset()
    try:
        return {name.strip() for row in csv.reader([line], delimiter=delimiter) for name in row}
    except csv.Error:
        return frozenset()


def _first_names(text: str) -> Set[str]:
    """The names of the first object's members; those near its start, when it is longer than was read."""
    try:
        found, _end = json.JSONDecoder().raw_decode(text, max(text.find("{"), 0))
    except (json.JSONDecodeError, RecursionError):
        return {name.lower() for name in re.findall(r'"(\w+)"\s*:', text[:_NEAR])}
    return set(map(str.lower, found)) if isinstance(found, dict) else frozenset()
