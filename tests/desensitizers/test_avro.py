from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recorder.payloads.avro import AvroCodec
from recorder.payloads.schemas import Schema
from tests.conftest import examples
from tests.desensitizers.schemas import ID, MARKS, avro, clean, frame, refused
from tests.payloads.avro_schemas import schemas, write

CUSTOMER = {
    "type": "record",
    "name": "Customer",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "emails", "type": {"type": "array", "items": "string"}},
        {"name": "labels", "type": {"type": "map", "values": "string"}},
        {"name": "born", "type": {"type": "int", "logicalType": "date"}},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["OPEN", "SHUT"]}},
    ],
}
PERSON = {
    "id": 42,
    "name": "Anna",
    "emails": ["anna@firma.de", ""],
    "labels": {"vip": "yes"},
    "born": 10957,
    "status": "OPEN",
}
REST = "'{labels,born,status}': keep, 'labels.@key': keep, 'labels.*': keep"


def read(schema: Schema, payload: bytes) -> Any:
    return AvroCodec(schema, {}).decode(payload[5:]).value


def test_each_leaf_is_rewritten_in_its_type_under_the_same_schema_id() -> None:
    schema, rows = avro(CUSTOMER, PERSON, PERSON | {"name": None, "emails": []})
    first, second = clean(
        f"value: {{id: {{domain: id}}, name: {{rule: mask}}, 'emails[*]': {{domain: email}}, {REST}}}", schema, rows
    )
    value = read(schema, first)
    assert first[:5] == rows[0][:5]
    assert value["id"] != 42
    assert value["name"] == "****"
    assert value["emails"][0].endswith("@example.test")
    assert value["emails"][1] == ""
    assert {**value, "id": 0, "name": 0, "emails": 0} == {
        **read(schema, rows[0]),
        "id": 0,
        "name": 0,
        "emails": 0,
    }
    assert read(schema, second)["name"] is None


def test_one_customer_is_one_surrogate_as_json_number_and_as_avro_long() -> None:
    schema, rows = avro({"type": "record", "name": "R", "fields": [{"name": "id", "type": "long"}]}, {"id": 471100})
    framed, text = clean("value: {id: {domain: id}}", schema, [*rows, b'{"id":471100}'])
    assert read(schema, framed) == json.loads(text)


@given(schemas().flatmap(lambda pair: st.tuples(st.just(pair[0]), st.lists(pair[1], min_size=1, max_size=4))))
@settings(max_examples=examples(50), deadline=None)
def test_a_record_of_which_all_is_kept_keeps_its_bytes(given: tuple[Any, list[Any]]) -> None:
    schema, rows = avro(given[0], *given[1])
    assume(not MARKS & set(b"".join(rows)))  # no path can name a key with these
    assert clean("value: {'**': keep, $: keep, '**.@key': keep}", schema, rows) == rows


@given(schemas().flatmap(lambda pair: st.tuples(st.just(pair[0]), st.lists(pair[1], min_size=1, max_size=4))))
@settings(max_examples=examples(50), deadline=None)
def test_masked_texts_change_and_nothing_else_does(given: tuple[Any, list[Any]]) -> None:
    plain = _without_uuid(given[0])
    schema, rows = avro(plain, *given[1])
    mask = "{rule: replace, with: X, type: string}"
    assume(not _has_other_texts(plain))
    assume(not MARKS & set(b"".join(rows)))
    rules = f"value: {{'**.@key': keep, '@key': keep, '**': {mask}, $: {mask}, '**.**': keep}}"
    for before, after in zip(rows, clean(rules, schema, rows), strict=True):
        assert read(schema, after) == _replaced(read(schema, before))


def _replaced(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner) for inner in value]
    return "X" if isinstance(value, str) and value else value


def _without_uuid(schema: Any) -> Any:
    if isinstance(schema, dict):
        logical = schema.get("logicalType") == "uuid"
        return {key: _without_uuid(inner) for key, inner in schema.items() if not (logical and key == "logicalType")}
    return [_without_uuid(inner) for inner in schema] if isinstance(schema, list) else schema


def _has_other_texts(schema: Any) -> bool:
    """Enums and times, which show as text and can't become X."""
    text = json.dumps(schema)
    return '"enum"' in text or "date" in text or "time" in text


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("id: keep", "name: string is not named by the policy"),
        ("id: keep, name: keep", "emails[*]: string is not named"),
        ("id: keep, name: keep, 'emails[*]': keep", "labels.@key"),
        ("id: keep, name: keep, 'emails[*]': keep, 'labels.@key': keep", "labels.*: string is not named"),
        ("id: {rule: mask}", "test.yaml:13: rule 'mask' does not fit id, which is a long in id 7"),
        ("id: drop", "can't take id out"),
        ("id: keep, name: keep, born: {rule: mask}, '**': keep", "rule 'mask' does not fit born, which is a date"),
        ("id: keep, status: {rule: mask}, '**': keep", "does not give one of the 2 symbols"),
        ("status: {rule: replace, with: CLOSED}, '**': keep", "does not give one of the 2 symbols"),
        ("id: {rule: replace, with: 9223372036854775808}, '**': keep", "doesn't fit long"),
    ],
)
def test_what_does_not_fit_or_is_not_named_passes_nothing(rules: str, says: str) -> None:
    schema, rows = avro(CUSTOMER, PERSON)
    said = refused(f"value: {{{rules}}}", schema, rows)
    assert says in said
    assert "Anna" not in said


def test_dropped_fields_become_null_and_dropped_lists_empty() -> None:
    schema, rows = avro(CUSTOMER, PERSON)
    (after,) = clean("value: {name: drop, emails: drop, labels: drop, '**': keep, '**.@key': keep}", schema, rows)
    assert read(schema, after) == read(schema, rows[0]) | {"name": None, "emails": [], "labels": {}}


def test_a_dropped_entry_of_a_map_goes_and_its_neighbours_stay() -> None:
    schema, rows = avro({"type": "map", "values": "string"}, {"a": "1", "b": "2"}, {"a": "1"}, {"b": "2"})
    after = clean("value: {a: drop, '**': keep, '**.@key': keep}", schema, rows)
    assert [read(schema, row) for row in after] == [{"b": "2"}, {}, {"b": "2"}]


def test_keys_of_maps_are_leaves_with_rules_of_their_own() -> None:
    schema, rows = avro({"type": "map", "values": "int"}, {"anna@firma.de": 1, "eva@firma.de": 2})
    (after,) = clean("value: {'@key': {domain: email}, '*': keep}", schema, rows)
    value = read(schema, after)
    assert list(value.values()) == [1, 2]
    assert all(name.endswith("@example.test") for name in value)
    assert "became one" in refused("value: {'@key': {rule: replace, with: x}, '*': keep}", schema, rows)


def test_a_unions_branches_stand_at_one_path_and_at_their_labels() -> None:
    schema, rows = avro(["null", "long", "string"], None, ("long", 5), ("string", "Anna"))
    assert [
        read(schema, row) for row in clean("value: {long: keep, $: {rule: mask, type: string}}", schema, rows[1:])
    ] == [
        {"long": 5},
        {"string": "****"},
    ]
    assert "null is not named" in refused("value: {long: keep}", schema, rows[:1])


def test_types_within_themselves_are_followed_to_every_depth() -> None:
    node = {
        "type": "record",
        "name": "Node",
        "fields": [{"name": "name", "type": "string"}, {"name": "next", "type": ["null", "Node"]}],
    }
    value: Any = None
    for depth in range(20):
        value = {"name": f"n{depth}", "next": value}
    schema, rows = avro(node, value)
    (after,) = clean("value: {'**.name': {rule: mask}, '**': keep, '**.@key': keep}", schema, rows)
    assert b"n1" not in after
    assert "next.next: null is not named" in refused(
        "value: {name: keep, next.name: keep}",
        schema,
        avro(node, {"name": "a", "next": {"name": "b", "next": None}})[1],
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"\x02", b"\x0aabc", b"\x0aabcde!", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x01", b"\x02\xff"],
)
def test_a_torn_body_is_undecodable(body: bytes) -> None:
    schema = Schema("avro", '"string"', id=ID)
    text = refused("value: {$: {rule: mask}}", schema, [frame(body)])
    assert "can't be decoded" in text or "not valid UTF-8" in text
    (marker,) = clean("value: {$: {rule: mask}}", schema, [frame(body)], "undecodable: replace")
    assert marker.startswith(b"undecodable:")


def test_a_schema_that_is_not_here_fails_and_is_never_replaced() -> None:
    schema = Schema("avro", '"string"', id=ID)
    text = refused("value: {$: keep}", schema, [frame(b"\x02a", 8)], "undecodable: replace")
    assert "names schema id 8, which is not in the capture" in text


def test_blocks_that_say_their_size_stay_right() -> None:
    schema = Schema("avro", json.dumps({"type": "array", "items": "string"}), id=ID)
    body = b"\x03\x08\x02a\x02b\x02\x02c\x00"
    assert read(schema, frame(body)) == ["a", "b", "c"]
    assert clean("value: {'[*]': keep}", schema, [frame(body)]) == [frame(body)]
    (after,) = clean("value: {'[*]': {rule: replace, with: XY}}", schema, [frame(body)])
    assert read(schema, after) == ["XY", "XY", "XY"]


def test_times_decimals_and_uuids_meet_rules_as_what_they_show() -> None:
    fields = [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "raw", "type": {"type": "fixed", "name": "F", "size": 4}},
    ]
    row = {"at": 1_700_000_000_000, "price": b"\x04\xd2", "id": "3f2b8c1e-5d4a-4c6b-9e8f-0a1b2c3d4e5f", "raw": b"abcd"}
    schema, rows = avro({"type": "record", "name": "R", "fields": fields}, row)
    (after,) = clean(
        """
        value:
          at: {rule: replace, with: "2001-02-03T04:05:06Z"}
          price: {rule: replace, with: 9.5}
          id: {rule: replace, with: "00000000-0000-4000-8000-000000000000"}
          raw: {rule: replace, with: "0000"}
        """,
        schema,
        rows,
    )
    value = read(schema, after)
    assert value["at"] == "2001-02-03T04:05:06.000Z"
    assert str(value["price"]) == "9.50"
    assert value["raw"] == b"0000"
    for rule, says in (
        ("price: {rule: replace, with: 12345.6}", "more than 6 digits"),
        ("price: {rule: replace, with: 1.234}", "more than 2 digits"),
        ("id: {rule: mask}, '**': keep", "does not give a UUID"),
        ("raw: {rule: replace, with: abc}, '**': keep", "gives 3 bytes where there must be 4"),
    ):
        if "**" not in rule:
            rule = f"at: keep, {rule}"
        assert says in refused(f"value: {{{rule}}}", schema, rows)


def test_unknown_fields_are_dropped_or_blanked_where_the_schema_can() -> None:
    schema, rows = avro(CUSTOMER, PERSON)
    (after,) = clean("value: {id: keep, born: keep, status: keep}", schema, rows, "unknown_field: drop")
    assert read(schema, after) == read(schema, rows[0]) | {"name": None, "emails": [], "labels": {}}
    (after,) = clean("value: {name: keep, '**.@key': keep}", schema, rows, "unknown_field: mask")
    assert read(schema, after) == {
        "id": 0,
        "name": "Anna",
        "emails": ["****@*****.**", ""],
        "labels": {"vip": "***"},
        "born": "1970-01-01",
        "status": "OPEN",
    }


def test_a_key_in_avro_is_a_key_with_a_format() -> None:
    from recorder.scrubbing.schemas import CaptureSchemas
    from tests.desensitizers.helpers import batch, policy

    schema, rows = avro("string", "cust-1", "cust-2", "cust-1")
    plan = policy('key: {format: avro, extract: "cust-(?P<id>\\\\d+)", id: {domain: id}}').plan(
        schemas=CaptureSchemas([schema])
    )
    done = plan.for_topic("t").apply(batch(keys=rows))
    first, second, third = done.batch.column("key").to_pylist()
    assert first == third != second
    assert read(schema, first).startswith("cust-")
    assert first != rows[0]
    assert "key of t" in plan.findings.pairs


def test_originals_of_what_goes_whole_are_told() -> None:
    from recorder.scrubbing.schemas import CaptureSchemas
    from tests.desensitizers.helpers import batch, policy

    schema, rows = avro(CUSTOMER, PERSON)
    plan = policy("value: {name: drop, emails: drop, labels: drop, '**': keep, '**.@key': keep}").plan(
        schemas=CaptureSchemas([schema])
    )
    topic = plan.for_topic("t")
    topic.apply(batch(rows))
    assert {text for _domain, text in plan.findings.originals} == {"Anna", "anna@firma.de", "vip", "yes"}
    topic.flush_counts()
    assert topic.sink.counts["value", "emails", "drop"] == 2
    assert topic.sink.counts["value", "**", "keep"] == 3


def test_a_header_can_name_the_schema() -> None:
    from recorder.scrubbing.schemas import CaptureSchemas
    from tests.desensitizers.helpers import batch, policy

    schema = Schema("avro", '"string"', guid="3f2b8c1e-5d4a-4c6b-9e8f-0a1b2c3d4e5f")
    name = b"\1" + bytes.fromhex("3f2b8c1e5d4a4c6b9e8f0a1b2c3d4e5f")
    plan = policy("headers: {__value_schema_id: {format: bytes, rule: keep}}\nvalue: {$: {rule: mask}}").plan(
        schemas=CaptureSchemas([schema])
    )
    given = batch([write("string", "Anna"), b'"Eva"'], headers=[[("__value_schema_id", name)], []])
    done = plan.for_topic("t").apply(given)
    assert done.batch.column("value").to_pylist() == [write("string", "****"), b'"***"']
