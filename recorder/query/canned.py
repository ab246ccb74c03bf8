"""Questions that are asked again and again, as views and macros beside `records`: `blackbox sql CAPTURE --list`.

They stand on `records` of their own capture, whatever its topics are called.
"""

# ruff: noqa: E501  (SQL is read clause by clause)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recorder.capture.manifest import Manifest
from recorder.query.views import facts_function, literal, quoted

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Canned:
    """A view, or with `parameters` a macro; in `sql`, {records}, {gaps} and {facts} stand for this capture's own."""

    name: str
    parameters: str
    says: str
    example: str
    sql: str


_EVENT_ID = (
    "coalesce(list_filter(headers, lambda h: h.key = 'ce_id')[-1].value, "
    "case when value_json->>'specversion' is not null then value_json->>'id' end)"
)
_SIDES = (
    "select topic, partition, \"offset\", 'key' as side, {facts}(topic, 'key', key_bytes, h) as facts from raw "
    "union all "
    "select topic, partition, \"offset\", 'value', {facts}(topic, 'value', value_bytes, h) from raw"
)
_RAW = (
    "raw as (select *, list_transform(headers, lambda h: {{'key': h.key, 'value': h.value_bytes}}) as h from {records})"
)

CANNED = (
    Canned(
        "by_second",
        "of_topic",
        "records, payload bytes and keys of a topic in each second",
        "FROM by_second('orders')",
        "select date_trunc('second', timestamp) as second, count(*) as records, "
        "sum(coalesce(octet_length(key_bytes), 0) + coalesce(octet_length(value_bytes), 0))::bigint as payload_bytes, "
        "count(distinct key_bytes) as keys from {records} where topic = of_topic group by 1 order by 1",
    ),
    Canned(
        "keys",
        "",
        "each key of each topic: records, tombstones, partitions, first and last time",
        "FROM keys ORDER BY records DESC LIMIT 10",
        "select topic, any_value(coalesce(key, key_bytes::varchar)) as key, count(*) as records, "
        "count(*) filter (value_bytes is null) as tombstones, count(distinct partition) as partitions, "
        "min(timestamp) as first, max(timestamp) as last from {records} group by topic, key_bytes",
    ),
    Canned(
        "gaps",
        "",
        "offsets that are missing, and why: the ledger",
        "FROM gaps WHERE reason = 'unexplained'",
        "",
    ),
    Canned(
        "duplicates",
        "",
        "the same event id (CloudEvents), or the same key and value, more than once in a topic",
        "FROM duplicates",
        f"select 'id' as same, topic, {_EVENT_ID} as what, count(*) as records, min(timestamp) as first, "
        "max(timestamp) as last, list({{'partition': partition, 'offset': \"offset\"}} order by timestamp)[:10] as places "
        f"from {{records}} where {_EVENT_ID} is not null group by all having count(*) > 1 union all "
        "select 'key and value', topic, any_value(coalesce(key, key_bytes::varchar)), count(*), min(timestamp), "
        "max(timestamp), list({{'partition': partition, 'offset': \"offset\"}} order by timestamp)[:10] "
        "from {records} where value_bytes is not null group by topic, key_bytes, sha256(value_bytes) having count(*) > 1",
    ),
    Canned(
        "late",
        "",
        "records that are older than one before them in their partition, and by how many milliseconds",
        "SELECT topic, count(*), max(late_ms) FROM late GROUP BY ALL",
        'select topic, partition, "offset", timestamp, key, newest_ms - timestamp_ms as late_ms from (select *, '
        'max(timestamp_ms) over (partition by topic, partition order by "offset" rows between unbounded preceding '
        "and 1 preceding) as newest_ms from {records}) where timestamp_ms < newest_ms",
    ),
    Canned(
        "decode_errors",
        "",
        "payloads that can't be read, or only with a doubt: counts by topic, side and reason, with an example",
        "FROM decode_errors",
        f"with {_RAW}, sides as ({_SIDES}) select topic, side, facts.reason as reason, count(*) as records, "
        'min(facts.schema_id) as schema_id, arg_min(partition, "offset") as partition, min("offset") as first_offset '
        "from sides where facts.reason is not null group by topic, side, facts.reason, facts.schema_id",
    ),
    Canned(
        "schema_changes",
        "",
        "where the schema id changes from one record of a partition to the next",
        "FROM schema_changes ORDER BY timestamp",
        'select topic, partition, "offset", timestamp, before_id, schema_id from (select *, lag(schema_id) over '
        '(partition by topic, partition order by "offset") as before_id from (with '
        + _RAW
        + " select topic, partition, \"offset\", timestamp, {facts}(topic, 'value', value_bytes, h).schema_id "
        "as schema_id from raw) where schema_id is not null) where before_id <> schema_id",
    ),
    Canned(
        "latency",
        "from_topic, to_topic, id",
        "per id, the time from its first record in one topic to its first in another; id: 'key', a JSON field or path, "
        "or a header",
        "SELECT median(latency_ms) FROM latency('payments', 'receipts', 'key')",
        "with ids as (select topic, timestamp_ms, case when id = 'key' then key else coalesce(value_json->>id, "
        "list_filter(headers, lambda h: h.key = id)[-1].value) end as found from {records} "
        "where topic in (from_topic, to_topic)), starts as (select found, min(timestamp_ms) as start_ms from ids "
        "where topic = from_topic and found is not null group by 1), ends as (select found, min(timestamp_ms) as end_ms "
        "from ids where topic = to_topic and found is not null group by 1) select found as id, "
        "make_timestamptz(start_ms * 1000) as started, make_timestamptz(end_ms * 1000) as ended, "
        "end_ms - start_ms as latency_ms from starts left join ends using (found)",
    ),
    Canned(
        "trace",
        "id",
        "every record that an id is in: as its key, in a header, or anywhere in its value",
        "FROM trace('pay-1')",
        "select timestamp, topic, partition, \"offset\", case when key = id then 'key' "
        "when len(list_filter(headers, lambda h: contains(h.value, id))) > 0 then 'header' else 'value' end as found_in, "
        "key, coalesce(value_json::varchar, value) as value from {records} where key = id "
        "or contains(key_json::varchar, id) or len(list_filter(headers, lambda h: contains(h.value, id))) > 0 "
        'or contains(value, id) or contains(value_json::varchar, id) order by timestamp, topic, partition, "offset"',
    ),
    Canned(
        "state_at",
        "of_topic, instant",
        "the last value of each key as it was at a time; deleted keys are not there",
        "FROM state_at('accounts', '2026-11-03T14:05:00Z')",
        'select key, value, value_json, timestamp, partition, "offset", key_bytes, value_bytes from (from {records} '
        "where topic = of_topic and timestamp <= instant::timestamptz qualify row_number() over (partition by key_bytes "
        'order by timestamp_ms desc, "offset" desc) = 1) where value_bytes is not null',
    ),
)

NAMES = tuple(canned.name for canned in CANNED)


def statements(manifest: Manifest, catalog: str, number: int) -> Iterator[str]:
    """Their DDL, in the database `catalog` of the session's capture `number`."""
    place = f"{quoted(catalog)}.main"
    yield from _gaps_table(manifest, f"{place}.gaps")
    for canned in CANNED:
        if not canned.sql:
            continue
        query = canned.sql.format(records=f"{place}.records", facts=facts_function(number))
        if canned.parameters:
            yield f"create macro {place}.{canned.name}({canned.parameters}) as table {query}"
        else:
            yield f"create view {place}.{canned.name} as {query}"


def _gaps_table(manifest: Manifest, name: str) -> Iterator[str]:
    yield (
        f"create table {name} (topic varchar, partition integer, first_offset bigint, last_offset bigint, "
        "missing bigint, reason varchar)"
    )
    rows = [
        f"({literal(topic.name)}, {partition.partition}, {gap.first_offset}, {gap.last_offset}, {gap.missing}, "
        f"{literal(gap.reason)})"
        for topic, partition in manifest.topic_partitions()
        for gap in partition.gaps
    ]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield f"insert into {name} values {', '.join(rows[start : start + _ROWS_AT_ONCE])}"
