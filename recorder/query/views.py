"""The SQL of the views: how a segment's raw columns become columns that a person wants to ask about.

Everything is lazy: a text, a time or a JSON document is made only when a query asks for it. Each topic has a view
in the schema `topics_raw` under its position in the manifest, so that no topic's name can collide with another's;
the views that people type stand on these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from recorder.capture.manifest import Manifest, Topic

RECORDS, PROLOGUE, TRANSACTIONS = "records", "prologue", "transactions"
_OURS = {RECORDS, PROLOGUE, TRANSACTIONS}
_ROWS_AT_ONCE = 1_000
_SANE_MS = (-62_135_596_800_000, 253_402_300_799_999)  # years 1 to 9999, what RFC 3339 can write

RAW_TYPES = {
    "topic": "varchar",
    "partition": "integer",
    "offset": "bigint",
    "timestamp_ms": "bigint",
    "timestamp_type": "varchar",
    "key": "blob",
    "value": "blob",
    "headers": 'struct("key" varchar, "value" blob)[]',
    "leader_epoch": "integer",
}

COLUMNS = {
    "topic": "raw.topic",
    "partition": "raw.partition",
    "offset": 'raw."offset"',
    "timestamp": (
        f"case when raw.timestamp_type <> 'none' and raw.timestamp_ms between {_SANE_MS[0]} and {_SANE_MS[1]} "
        "then make_timestamptz(raw.timestamp_ms * 1000) end"
    ),
    "timestamp_ms": "raw.timestamp_ms",
    "timestamp_type": "raw.timestamp_type",
    "key": "try(decode(raw.key))",
    "value": "try(decode(raw.value))",
    "value_json": "try_cast(try(decode(raw.value)) as json)",
    "headers": (
        "list_transform(raw.headers, lambda h: {'key': h.key, 'value': try(decode(h.value)), 'value_bytes': h.value})"
    ),
    "key_bytes": "raw.key",
    "value_bytes": "raw.value",
    "leader_epoch": "raw.leader_epoch",
}
"""What the views `records` and one per topic show, in this order, and the expression over a segment's columns."""

MACROS = ("create macro header(headers, name) as list_filter(headers, lambda h: h.key = name)[-1].value",)
"""`header(headers, 'traceparent')`: the last value of that name, as Kafka's lastHeader."""

_ABORTED = (
    "create macro aborted(of_topic, of_partition, of_offset) as exists (from transactions t where t.state = 'aborted' "
    "and t.topic = of_topic and t.partition = of_partition and of_offset between t.first_offset and t.last_offset)"
)
"""`aborted(topic, partition, "offset")`: whether the record is marked as one of an aborted transaction."""


def statements(manifest: Manifest, root: Path | str) -> Iterator[str]:
    """The DDL of all views over the capture whose segments lie below `root`, an absolute path or URI."""
    yield from MACROS
    yield from _transactions(manifest)
    yield _ABORTED
    yield _view(quoted(RECORDS), _source(segment_paths(manifest.topics, root), manifest.records))
    yield _view(quoted(PROLOGUE), _source(prologue_paths(manifest.topics, root), manifest.prologue_records))
    yield "create schema topics_raw"
    spellings = Counter(topic.name.lower() for topic in manifest.topics)
    for index, topic in enumerate(manifest.topics):
        yield _view(topic_view(index), _source(segment_paths([topic], root), topic.records))
        if topic.name.lower() in _OURS:
            continue  # `records` stays what it is everywhere: all records
        if spellings[topic.name.lower()] == 1:
            yield f"create view {quoted(topic.name)} as from {topic_view(index)}"
        elif spellings[topic.name.lower()] > 1:
            # SQL names ignore case, so this name would silently stand for one of several topics.
            yield f"create view {quoted(topic.name)} as {_ambiguous(topic.name)}"
            spellings[topic.name.lower()] = 0


def topic_view(index: int) -> str:
    """The view of the manifest's topic number `index`, whatever the topic is called."""
    return f"topics_raw.t{index}"


def segment_paths(topics: Sequence[Topic], root: Path | str) -> list[str]:
    """Absolute paths of all segments of `topics`, partition by partition in offset order."""
    return [
        f"{root}/{segment.path}" for topic in topics for partition in topic.partitions for segment in partition.segments
    ]


def prologue_paths(topics: Sequence[Topic], root: Path | str) -> list[str]:
    """The same for the segments of their prologues."""
    return [
        f"{root}/{segment.path}"
        for topic in topics
        for partition in topic.partitions
        for segment in (partition.prologue.segments if partition.prologue else ())
    ]


def all_paths(topics: Sequence[Topic], root: Path | str) -> list[str]:
    """The paths of everything that the views read."""
    return segment_paths(topics, root) + prologue_paths(topics, root)


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Sequence[str]) -> str:
    """An SQL list of strings."""
    return "[" + ", ".join(map(literal, texts)) + "]"


def _view(name: str, source: str) -> str:
    columns = ", ".join(f"{expression} as {quoted(column)}" for column, expression in COLUMNS.items())
    return f"create view {name} as select {columns} from {source}"


def _transactions(manifest: Manifest) -> Iterator[str]:
    """The runs of records whose transaction was aborted, or is not decided, as a table."""
    yield (
        f"create table {TRANSACTIONS} "
        "(topic varchar, partition integer, first_offset bigint, last_offset bigint, state varchar)"
    )
    rows = [
        f"({literal(topic.name)}, {partition.partition}, {run.first_offset}, {run.last_offset}, {literal(state)})"
        for topic, partition in manifest.topic_partitions()
        for state, runs in (("aborted", partition.aborted), ("undecided", partition.undecided))
        for run in runs
    ]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield f"insert into {TRANSACTIONS} values {', '.join(rows[start : start + _ROWS_AT_ONCE])}"


def _source(paths: Sequence[str], records: int) -> str:
    if not paths:
        # Reading an empty list of files is an error, and nothing would say the types.
        typed = ", ".join(f"null::{kind} as {quoted(name)}" for name, kind in RAW_TYPES.items())
        return f"(select {typed} where false) as raw"
    # The count spares the planner a look into every file; partitioning by hive names must not be guessed
    # from a directory that happens to be called a=b.
    options = f"hive_partitioning = false, union_by_name = false, explicit_cardinality = {max(1, records)}"
    return f"read_parquet({literals(paths)}, {options}) as raw"


def _ambiguous(name: str) -> str:
    advice = f"Several topics are called {name} but for upper and lower case: use FROM records WHERE topic = '{name}'"
    nothing = ", ".join(f"null as {quoted(column)}" for column in COLUMNS)
    return f"select {nothing} from (select error({literal(advice)}) as refused) where refused is not null"
