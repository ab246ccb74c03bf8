"""The SQL of the views' columns: how a segment's raw columns become columns that a person wants to ask about.

Everything is lazy: a text, a time or a JSON document is made only when a query asks for it. Payloads that are JSON
objects or arrays are read by the database itself; what is anything else goes to `recorder.payloads`, by a function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from recorder.capture.manifest import Manifest, Topic

RECORDS, PROLOGUE, TRANSACTIONS = "records", "prologue", "transactions"
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
    "key_json": "try_cast(try(decode(raw.key)) as json)",
    "value_json": "try_cast(try(decode(raw.value)) as json)",
    "headers": (
        "list_transform(raw.headers, lambda h: {'key': h.key, 'value': try(decode(h.value)), 'value_bytes': h.value})"
    ),
    "key_bytes": "raw.key",
    "value_bytes": "raw.value",
    "leader_epoch": "raw.leader_epoch",
}
"""What a condition over records sees, in this order, and the expression over a segment's columns."""

PLAIN_COLUMNS = frozenset({*COLUMNS, "key_reason", "value_reason"})
"""The columns that every topic has, whatever its payloads are."""

MACROS = ("create macro header(headers, name) as list_filter(headers, lambda h: h.key = name)[-1].value",)
"""`header(headers, 'traceparent')`: the last value of that name, as Kafka's lastHeader."""


def aborted_macro(catalog: str) -> str:
    """`aborted(topic, partition, "offset")`: whether the record is marked as one of an aborted transaction."""
    return (
        f"create macro {quoted(catalog)}.main.aborted(of_topic, of_partition, of_offset) as exists "
        f"(from {quoted(catalog)}.main.{TRANSACTIONS} t where t.state = 'aborted' and t.topic = of_topic "
        "and t.partition = of_partition and of_offset between t.first_offset and t.last_offset)"
    )


def json_function(number: int) -> str:
    """The function that gives the JSON of what the database can't read itself, in the session's capture `number`."""
    return f"payload_json_{number}"


def facts_function(number: int) -> str:
    """The same function, asked for what it says of every payload: reasons and schemas."""
    return f"payload_facts_{number}"


def typed_function(number: int, topic: int, side: str) -> str:
    """The function that gives a topic's typed columns."""
    return f"typed_{number}_{topic}_{side}"


def record_columns(number: int, chosen: Sequence[str] = ()) -> dict[str, str]:
    """The columns of `records` over segments; of the topics `chosen` somebody said what their payloads are."""
    columns = dict(COLUMNS)
    for side in ("key", "value"):
        native = f"raw.{side}[1:1] in ('{{'::blob, '['::blob)"
        if chosen:
            native += f" and raw.topic not in {literals(chosen)}"
        native = f"case when {native} then try_cast(try(decode(raw.{side})) as json) end"
        other = f"{json_function(number)}(raw.topic, '{side}', raw.{side}, raw.headers)"
        columns[f"{side}_json"] = f"coalesce({native}, {other}.json::json)"
        columns[f"{side}_reason"] = (
            f"case when octet_length(raw.{side}) > 0 and {native} is null then {other}.reason end"
        )
    return columns


def decoded_columns() -> dict[str, str]:
    """The same over segments that are decoded already."""
    decoded = {
        f"{side}_{what}": expression
        for side in ("key", "value")
        for what, expression in (
            ("json", f"raw.{side}_json::json"),
            ("reason", f"case when raw.{side}_json is null then raw.{side}_reason end"),
        )
    }
    return {**COLUMNS, **decoded}


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


def select(columns: Mapping[str, str], source: str) -> str:
    """A query of named expressions."""
    return f"select {', '.join(f'{sql} as {quoted(name)}' for name, sql in columns.items())} from {source}"


def select_more(columns: Mapping[str, str], source: str) -> str:
    """A query of all that `source` has, and of named expressions."""
    return f"select *, {', '.join(f'{sql} as {quoted(name)}' for name, sql in columns.items())} from {source}"


def transactions_table(manifest: Manifest, catalog: str) -> Iterator[str]:
    """The runs of records whose transaction was aborted, or is not decided, as a table."""
    name = f"{quoted(catalog)}.main.{TRANSACTIONS}"
    yield (
        f"create table {name} "
        "(topic varchar, partition integer, first_offset bigint, last_offset bigint, state varchar)"
    )
    rows = [
        f"({literal(topic.name)}, {partition.partition}, {run.first_offset}, {run.last_offset}, {literal(state)})"
        for topic, partition in manifest.topic_partitions()
        for state, runs in (("aborted", partition.aborted), ("undecided", partition.undecided))
        for run in runs
    ]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield f"insert into {name} values {', '.join(rows[start : start + _ROWS_AT_ONCE])}"


def source_of(paths: Sequence[str], records: int) -> str:
    """The records of Parquet files, under the name `raw`."""
    if not paths:
        # Reading an empty list of files is an error, and nothing would say the types.
        typed = ", ".join(f"null::{kind} as {quoted(name)}" for name, kind in RAW_TYPES.items())
        return f"(select {typed} where false) as raw"
    # The count spares the planner a look into every file; partitioning by hive names must not be guessed
    # from a directory that happens to be called a=b.
    options = f"hive_partitioning = false, union_by_name = false, explicit_cardinality = {max(1, records)}"
    return f"read_parquet({literals(paths)}, {options}) as raw"
