"""How fast questions are answered, beside the plain DuckDB call: `python -m tests.benchmarks.sql [RECORDS]`.

Prints a table of wall seconds. Goals for 10 million records: open 1 s, jump 0.1 s, substring search 3 s, group by a
JSON field 3 s warm, less than 600 MB resident.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from recorder.capture.ledger import Ledger
from recorder.capture.manifest import Partition, Topic
from recorder.capture.reader import Capture, open_capture
from recorder.capture.schema import RECORD_SCHEMA
from recorder.capture.writer import PartitionWriter, create_directory, finish
from recorder.query import Session
from tests.builders import T0, describe
from tests.query.schemas import avro, framed, with_schemas

BATCH = 20_000
PARTITIONS = 4
SCHEMA = avro(1, "Paid", ("id", "string"), ("status", "string"), ("cents", "long"))
STATUS = ("open", "done", "failed", "late")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="?", type=int, default=1_000_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as directory:
        os.environ["BLACKBOX_CACHE_DIR"] = f"{directory}/cache"
        capture = build(Path(directory) / "c", records)
        size = sum(segment.bytes for _, part in capture.manifest.topic_partitions() for segment in part.segments)
        print(f"{records:,} JSON and {records // 10:,} Avro records, {size / 1e6:,.0f} MB on disk")
        print(f"{'':<26}{'first':>12}{'again':>12}{'plain':>12}")
        measure(capture, records)
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB resident")


def measure(capture: Capture, records: int) -> None:
    paths = [
        f"{capture.root}/{segment.path}"
        for topic, part in capture.manifest.topic_partitions()
        if topic.name == "payments"
        for segment in part.segments
    ]
    plain = duckdb.connect()
    plain.execute("create view raw as from read_parquet(?)".replace("?", str(paths)))
    middle = T0 + records // 2
    began = time.perf_counter()
    with Session(capture) as session:
        row("open", time.perf_counter() - began)
        jump = f"where timestamp_ms between {middle} and {middle + 49} order by timestamp_ms"
        group = "count(*) from {} group by all"
        for name, ours, theirs in (
            ("jump to a time", f"select key, value from payments {jump}", f"select key, value from raw {jump}"),
            ("substring of values", "select count(*) from payments where contains(value, 'note 77777 ')",
             "select count(*) from raw where contains(decode(value), 'note 77777 ')"),
            ("group by a JSON field", f"select status, {group.format('payments')}",
             f"select decode(value)->>'$.status', {group.format('raw')}"),
            ("the same by value_json", f"select value_json->>'$.status', {group.format('payments')}", ""),
            ("group by an Avro field", f"select status, {group.format('paid')}", ""),
            ("ten rows of Avro", "from paid limit 10", ""),
        ):  # fmt: skip
            cold, warm = seconds(lambda ours=ours: session.query(ours)), seconds(lambda ours=ours: session.query(ours))
            row(name, cold, warm, seconds(lambda theirs=theirs: plain.execute(theirs).fetchall()) if theirs else None)


def build(root: Path, records: int) -> Capture:
    create_directory(root)
    topics = []
    for name, count, value in (("paid", records // 10, _avro), ("payments", records, _json)):
        parts = tuple(_partition(root, name, number, count // PARTITIONS, value) for number in range(PARTITIONS))
        topics.append(Topic(name=name, id=None, config={}, partitions=parts))
    finish(root, describe(tuple(topics), None, clean=False, notes=(), cluster_id="c", at_ms=T0 + records))
    return with_schemas(open_capture(root), SCHEMA)


def _partition(root: Path, topic: str, number: int, count: int, value: Callable[[int], bytes]) -> Partition:
    writer, ledger = PartitionWriter(root, topic, number), Ledger(0)
    for start in range(0, count, BATCH):
        offsets = np.arange(start, min(start + BATCH, count))
        ids = (offsets * PARTITIONS + number).tolist()
        columns: dict[str, Any] = {
            "topic": [topic] * len(ids),
            "partition": [number] * len(ids),
            "offset": offsets,
            "timestamp_ms": [T0 + id for id in ids],
            "timestamp_type": ["create"] * len(ids),
            "key": [b"pay-%d" % (id % 100_000) for id in ids],
            "value": [value(id) for id in ids],
            "headers": [[]] * len(ids),
            "leader_epoch": [0] * len(ids),
        }
        arrays = [pa.array(columns[field.name], field.type) for field in RECORD_SCHEMA]
        writer.append(pa.RecordBatch.from_arrays(arrays, schema=RECORD_SCHEMA))
        ledger.saw(offsets, np.ones(len(offsets), np.bool_))
    writer.seal()
    return writer.describe(ledger)


def _json(id: int) -> bytes:
    return (
        b'{"id":"pay-%d","status":"%s","cents":%d,"customer":{"name":"Customer %d","city":"Town %d"},'
        b'"lines":[{"sku":"A-%d","count":2},{"sku":"B-%d","count":1}],"note":"note %d of the payment that was asked '
        b'for on a day, with some words more to be as long as events are"}'
    ) % (id, STATUS[id % 4].encode(), id % 9973, id % 5077, id % 97, id % 1009, id % 2003, id)


def _avro(id: int) -> bytes:
    return framed(SCHEMA, {"id": f"pay-{id}", "status": STATUS[id % 4], "cents": id % 9973})


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def row(name: str, cold: float, warm: float | None = None, plain: float | None = None) -> None:
    """One line of the table."""
    cells = "".join(f"{'' if cell is None else f'{cell:.3f} s':>12}" for cell in (cold, warm, plain))
    print(f"{name:<26}{cells}", flush=True)


if __name__ == "__main__":
    main()
