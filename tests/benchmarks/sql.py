"""How fast questions are answered, beside the plain DuckDB call: `python -m tests.benchmarks.sql [RECORDS]`.

Prints a table of wall and processor seconds. Goals for 10 million records (about
3 GB of payloads): open 1 s, jump to a time 0.1 s, substring search 3 s, group by a JSON field 3 s warm, less than
600 MB resident. A million records of the same in Avro lie beside.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from recorder.capture.ledger import Ledger
from recorder.capture.manifest import Partition, Topic
from recorder.capture.reader import open_capture
from recorder.capture.schema import RECORD_SCHEMA
from recorder.capture.writer import PartitionWriter, create_directory, finish
from recorder.query.cache import ENVIRONMENT
from tests.benchmarks.cost import cost
from tests.builders import T0, describe
from tests.query.schemas import avro, framed, with_schemas

RECORDS = 10_000_000
BATCH = 20_000
PARTITIONS = 4
REPEATS = 3
SCHEMA = avro(1, "Paid", ("id", "string"), ("status", "string"), ("cents", "long"), subject="paid-value")
STATUS = ("open", "done", "failed", "late")


@dataclass(frozen=True, slots=True)
class Question:
    """SQL for a session, and the same for plain DuckDB, where `raw` are the segments; "" where it has no such thing."""

    name: str
    ours: str
    plain: str = ""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of wall, and of all processors without those of worker processes."""

    wall: float
    cpu: float


class Times(msgspec.Struct):
    """What each question took of us, first and again, and of plain DuckDB."""

    ours: dict[str, list[Took]] = {}
    plain: dict[str, list[Took]] = {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="?", type=int, default=RECORDS)
    parser.add_argument("--capture", type=Path, help="Keep the capture here, and use the one that is here already.")
    parser.add_argument("--ask", type=Path, metavar="FILE", help="Only ask, and write what it took to FILE.")
    asked = parser.parse_args()
    if asked.ask:
        asked.ask.write_bytes(msgspec.json.encode(ask(asked.capture)))
        return
    with tempfile.TemporaryDirectory() as directory:
        os.environ[ENVIRONMENT] = f"{directory}/cache"
        root, result = asked.capture or Path(directory) / "c", Path(directory) / "times.json"
        if not root.exists():
            build(root, asked.records)
        segments = [segment for _, part in open_capture(root).manifest.topic_partitions() for segment in part.segments]
        size = sum(segment.bytes for segment in segments)
        print(
            f"{sum(segment.records for segment in segments):,} records, {size / 1e6:,.0f} MB on disk; "
            f"load before {os.getloadavg()[0]:.1f}; again and plain in turns, best of {REPEATS}"
        )
        spent = cost([sys.executable, "-m", "tests.benchmarks.sql", "--capture", str(root), "--ask", str(result)])
        times = msgspec.json.decode(result.read_bytes(), type=Times)
        print(f"{'':<26}{'first s':>10}{'cpu s':>8}{'again s':>10}{'cpu s':>8}{'plain s':>10}{'cpu s':>8}")
        for name, (first, *again) in times.ours.items():
            cells = [first, *map(_best, (again, times.plain.get(name, [])))]
            print(f"{name:<26}" + "".join(f"{t.wall:>10.3f}{t.cpu:>8.2f}" if t else f"{'':>18}" for t in cells))
        print(f"most memory, of all processes and plain DuckDB: {spent.peak_mb:,.0f} MB resident")


def questions(records: int) -> list[Question]:
    """What is asked of so many records."""
    middle = T0 + records // 2
    jump = f"where timestamp_ms between {middle} and {middle + 49} order by timestamp_ms"
    group = "count(*) from {} group by all"
    return [
        Question("jump to a time", f"select key, value from payments {jump}", f"select key, value from raw {jump}"),
        Question(
            "substring of values",
            "select count(*) from payments where contains(value, 'note 77777 ')",
            "select count(*) from raw where contains(decode(value), 'note 77777 ')",
        ),
        Question(
            "group by a JSON field",
            f"select status, {group.format('payments')}",
            f"select decode(value)->>'$.status', {group.format('raw')}",
        ),
        Question("the same by value_json", f"select value_json->>'$.status', {group.format('payments')}"),
        Question("group by an Avro field", f"select status, {group.format('paid')}"),
        Question("ten rows of Avro", "from paid limit 10"),
    ]


def ask(root: Path) -> Times:
    """Every question to a session, first and again in turns with DuckDB alone."""
    times = Times()
    with _timed(times.ours, "open"):
        from recorder.query import Session

        capture = open_capture(root)
        session = Session(capture)
    topic = capture.manifest.topic("payments")
    paths = [f"{root}/{segment.path}" for partition in topic.partitions for segment in partition.segments]
    with session, duckdb.connect() as plain:
        plain.execute("set parquet_metadata_cache = true; set memory_limit = '1GiB'; set enable_progress_bar = false")
        plain.execute(f"create view raw as from read_parquet({paths})")
        for question in questions(topic.records):
            with _timed(times.ours, question.name):
                session.query(question.ours)
            for _ in range(REPEATS):
                with _timed(times.ours, question.name):
                    session.query(question.ours)
                if question.plain:
                    with _timed(times.plain, question.name):
                        plain.sql(question.plain).to_arrow_table()
    return times


@contextmanager
def _timed(times: dict[str, list[Took]], name: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), _cpu()
    yield
    times.setdefault(name, []).append(Took(time.perf_counter() - wall, _cpu() - cpu))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _best(took: list[Took]) -> Took | None:
    return min(took, key=lambda one: one.wall, default=None)


def build(root: Path, records: int) -> None:
    """A capture of so many JSON records, and a tenth of them in Avro, written without a broker."""
    shutil.rmtree(building := root.with_name(root.name + ".new"), ignore_errors=True)
    create_directory(building)
    topics = []
    for name, count, values in (("paid", records // 10, _avro), ("payments", records, _json)):
        parts = tuple(_partition(building, name, number, count // PARTITIONS, values) for number in range(PARTITIONS))
        topics.append(Topic(name=name, id=None, config={}, partitions=parts))
    finish(building, describe(tuple(topics), None, clean=False, notes=(), cluster_id="c", at_ms=T0 + records))
    with_schemas(open_capture(building), SCHEMA)
    building.rename(root)


def _partition(
    root: Path, topic: str, number: int, count: int, values: Callable[[list[int]], list[bytes]]
) -> Partition:
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
            "value": values(ids),
            "headers": [[]] * len(ids),
            "leader_epoch": [0] * len(ids),
        }
        arrays = [pa.array(columns[field.name], field.type) for field in RECORD_SCHEMA]
        writer.append(pa.RecordBatch.from_arrays(arrays, schema=RECORD_SCHEMA))
        ledger.saw(offsets, np.ones(len(offsets), np.bool_))
    writer.seal()
    return writer.describe(ledger)


def _json(ids: list[int]) -> list[bytes]:
    # What no compressor can guess, as in real events.
    traces = np.random.default_rng(ids[0]).bytes(16 * len(ids)).hex().encode()
    return [
        (
            b'{"id":"pay-%d","trace":"%s","status":"%s","cents":%d,"customer":{"name":"Customer %d","city":"Town %d"},'
            b'"lines":[{"sku":"A-%d","count":2},{"sku":"B-%d","count":1}],"note":"note %d of the payment that was '
            b'asked for on a day, with some words more to be as long as events are"}'
        )
        % (
            id,
            traces[32 * at : 32 * at + 32],
            STATUS[id % 4].encode(),
            id * 7_919 % 99_991,
            id * 31 % 50_077,
            id % 97,
            id * 17 % 10_009,
            id * 13 % 20_011,
            id,
        )
        for at, id in enumerate(ids)
    ]


def _avro(ids: list[int]) -> list[bytes]:
    return [framed(SCHEMA, {"id": f"pay-{id}", "status": STATUS[id % 4], "cents": id % 9973}) for id in ids]


if __name__ == "__main__":
    main()
