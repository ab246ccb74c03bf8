"""A file of a copy holds its records and nothing else: no unused entry of a dictionary, nothing between its parts."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder.capture.manifest import Manifest, encode
from recorder.capture.reader import open_capture
from recorder.capture.schema import RECORD_SCHEMA
from recorder.capture.verify import failed
from recorder.capture.writer import PartitionWriter
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.hidden import unseen
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.stamp import sealed
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import make_capture
from tests.scrubbing.helpers import orders, policy

NAME = "Zoë Müller-Łuczak"


def with_unused_entry(path: Path, name: str) -> None:
    """Writes a segment anew, with an entry in a dictionary that no row has."""
    table = pq.read_table(path).cast(RECORD_SCHEMA)
    if name == "headers":
        lists = table.column("headers").combine_chunks()
        names = _more(lists.values.field("key"))
        pairs = pa.StructArray.from_arrays([names, lists.values.field("value")], ["key", "value"])
        column = pa.ListArray.from_arrays(lists.offsets, pairs)
    else:
        column = _more(table.column(name).combine_chunks())
    table = table.set_column(table.schema.get_field_index(name), name, column)
    _write(table, path, ["topic", "key", "headers.list.element.key"], "zstd")


def with_unused_number(path: Path, name: str) -> None:
    """Writes a segment anew, with a number in a dictionary that no row has: the last row's, which then gets another."""
    table = pq.read_table(path).cast(RECORD_SCHEMA)
    numbers = table.column(name).to_pylist()
    assert len(set(numbers)) == 1
    place = table.schema.get_field_index(name)
    column = pa.array([*numbers[:-1], 4711], pa.int32())
    _write(table.set_column(place, table.schema.field(place), column), path, [name], "none")
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(pq.ParquetFile(path).schema.names.index(name))
    content = bytearray(path.read_bytes())
    last = chunk.dictionary_page_offset + chunk.total_compressed_size - 1
    assert content[last]  # indices of one bit: the last one is the only one that is not 0
    content[last] = 0
    path.write_bytes(content)


def with_dictionary_of_offsets(path: Path) -> None:
    _write(pq.read_table(path).cast(RECORD_SCHEMA), path, ["offset"], "zstd")


def _write(table: pa.Table, path: Path, coded: list[str], compression: str) -> None:
    plain = {"write_statistics": False, "store_schema": False}
    pq.write_table(table, path, compression=compression, use_dictionary=coded, **plain)


def _more(column: pa.Array) -> pa.Array:
    coded = column.dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices, pa.array([*coded.dictionary.to_pylist(), NAME], column.type))


def with_bytes_between(path: Path) -> None:
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    path.write_bytes(content[:footer] + NAME.encode() + content[footer:])


PLANTS: dict[str, Callable[[Path], None]] = {
    "dictionary of topic": lambda path: with_unused_entry(path, "topic"),
    "dictionary of key": lambda path: with_unused_entry(path, "key"),
    "dictionary of headers.list.element.key": lambda path: with_unused_entry(path, "headers"),
    "dictionary of partition": lambda path: with_unused_number(path, "partition"),
    "dictionary of leader_epoch": lambda path: with_unused_number(path, "leader_epoch"),
    "dictionary of offset": with_dictionary_of_offsets,
    "between columns and footer": with_bytes_between,
}


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    raw = make_capture(tmp_path / "raw", orders(40), segment_records=10)
    scrub(raw, policy(tmp_path), tmp_path / "clean")
    return tmp_path / "clean"


def test_a_copy_hides_nothing(clean: Path) -> None:
    files = list(clean.rglob("*.parquet"))
    assert files
    assert [place for path in files for place in unseen(path)] == []


@pytest.mark.parametrize("place", PLANTS)
def test_what_no_record_has_fails_without_the_originals_and_however_well_it_is_stamped(clean: Path, place: str) -> None:
    segment = next((clean / "records/orders").rglob("*.parquet"))
    rows = pq.read_table(segment).cast(RECORD_SCHEMA)
    PLANTS[place](segment)
    assert pq.read_table(segment).cast(RECORD_SCHEMA).equals(rows)
    stamp(clean, segment)
    checks = verify_clean(clean)
    assert [check.name for check in checks if check.status == "FAILED" and check.name != "report"] == ["leaks"] * 2
    (first,) = [check.detail for check in checks if check.detail.endswith("something that no record has")]
    assert place in first
    assert "Zo" not in "".join(check.detail for check in checks)


def stamp(clean: Path, changed: Path) -> None:
    """The manifest as if the file had always been so."""
    manifest = open_capture(clean).manifest
    content = changed.read_bytes()
    facts = {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
    tree = msgspec.to_builtins(manifest)
    for topic in tree["topics"]:
        for partition in topic["partitions"]:
            for segment in partition["segments"]:
                if clean / segment["path"] == changed:
                    segment.update(facts)
    edited = msgspec.convert(tree, Manifest)
    assert edited.clean is not None
    (clean / "manifest.json").write_bytes(encode(sealed(edited, edited.clean)))


@pytest.mark.parametrize("place", PLANTS)
def test_a_writer_that_left_something_would_end_the_scrub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    raw = make_capture(tmp_path / "raw", orders(40))
    seal = PartitionWriter.seal

    def careless(writer: PartitionWriter) -> None:
        seal(writer)
        if writer.topic == "orders" and writer.segments:
            PLANTS[place](writer.root / writer.segments[-1].path)

    monkeypatch.setattr(PartitionWriter, "seal", careless)
    with pytest.raises(ScrubError) as caught:
        scrub(raw, policy(tmp_path), tmp_path / "clean")
    assert f"{place}: something that no record has" in str(caught.value)
    assert "Zo" not in str(caught.value)
    assert not (tmp_path / "clean").exists()


def test_a_file_is_its_rows_alone_however_they_came(tmp_path: Path) -> None:
    """Neither the neighbours of a slice nor what stands under a null reaches it."""
    raw = make_capture(tmp_path / "raw", orders(40))
    segment = next((raw.root / "records/orders").rglob("*.parquet"))
    rows = pq.read_table(segment).cast(RECORD_SCHEMA).combine_chunks()
    place = RECORD_SCHEMA.get_field_index("key")
    masked = rows.set_column(place, rows.schema.field(place), _null_over(rows.column("key").combine_chunks()))
    written = []
    plain = pa.Table.from_pylist(masked.slice(7, 11).to_pylist(), RECORD_SCHEMA)
    for number, table in enumerate((masked.slice(7, 11), plain)):
        (tmp_path / str(number)).mkdir()
        writer = PartitionWriter(tmp_path / str(number), "orders", 0, key_bloom_filter=False)
        writer.append(table)
        writer.seal()
        written.append((tmp_path / str(number) / writer.segments[0].path).read_bytes())
    assert written[0] == written[1]


def _null_over(keys: pa.Array) -> pa.Array:
    """All null, with the values still in the buffers."""
    _validity, offsets, values = keys.buffers()
    gone = pa.py_buffer(bytes((len(keys) + 7) // 8))
    return pa.Array.from_buffers(keys.type, len(keys), [gone, offsets, values])


def test_the_checks_hold_for_an_empty_copy(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", orders(0))
    scrub(raw, policy(tmp_path), tmp_path / "clean")
    assert not failed(verify_clean(tmp_path / "clean"))
