from __future__ import annotations

import json
from typing import Any

import pytest

from tests.desensitizers.helpers import batch, policy, problems, scrub
from tests.desensitizers.schemas import avro, clean, refused
from tests.desensitizers.test_avro import read
from tests.desensitizers.test_protobuf import framed, payment
from tests.desensitizers.test_protobuf import read as read_protobuf
from tests.payloads.test_protobuf import SCHEMA


@pytest.mark.parametrize(
    ("when", "record", "masked"),
    [
        ("{type: person}", {"type": "person"}, True),
        ("{type: person}", {"type": "company"}, False),
        ("{type: person}", {}, False),
        ("{n: 5}", {"n": 5}, True),
        ("{n: 5}", {"n": "5"}, True),
        ("{n: 5}", {"n": 5.0}, True),
        ("{n: 5}", {"n": 5.5}, False),
        ("{b: true}", {"b": True}, True),
        ("{b: true}", {"b": False}, False),
        ("{type: {in: [a, b]}}", {"type": "b"}, True),
        ("{type: {not_in: [a, b]}}", {"type": "b"}, False),
        ("{type: {not_in: [a, b]}}", {"type": "c"}, True),
        ("{type: {not_in: [a, b]}}", {}, True),
        ("{type: {matches: 'pers.*'}}", {"type": "person"}, True),
        ("{type: {matches: 'pers'}}", {"type": "person"}, False),
        ("{x.y: {exists: true}}", {"x": {"y": 0}}, True),
        ("{x.y: {exists: true}}", {"x": {"y": None}}, False),
        ("{x.y: {exists: false}}", {"x": 5}, True),
        ("{'t[*]': pii}", {"t": ["a", "pii"]}, True),
        ("{'t[*]': pii}", {"t": []}, False),
        ("{'**.kind': p}", {"x": {"kind": "p"}}, True),
        ("{type: person, n: {exists: true}}", {"type": "person"}, False),
    ],
)
def test_a_rule_is_there_when_its_conditions_hold(when: str, record: dict[str, Any], masked: bool) -> None:
    rules = f"value: {{name: {{rule: mask, when: {when}}}, '**': keep, '**.@key': keep}}"
    (after,) = scrub(rules, {"name": "Anna", **record})
    assert after == {"name": "****" if masked else "Anna", **record}


def test_without_its_rule_a_field_is_not_named() -> None:
    rules = "value: {type: keep, name: {rule: keep, when: {type: company}}}"
    text = problems(rules, batch([b'{"type":"company","name":"ACME"}', b'{"type":"person","name":"Anna"}']))
    assert "t-0@1 value name: string is not named" in text
    assert "Anna" not in text


def test_all_conditions_see_the_record_as_it_came() -> None:
    rules = """
        value:
          type: {rule: replace, with: gone}
          a: {rule: mask, when: {type: x}}
          b: {rule: mask, when: {a: Anna}}
          "**": keep
          "**.@key": keep
    """
    assert scrub(rules, {"type": "x", "a": "Anna", "b": "Eva"}) == [{"type": "gone", "a": "****", "b": "***"}]


def test_conditions_are_asked_of_avro_and_protobuf_too() -> None:
    fields = [{"name": "type", "type": ["null", "string"]}, {"name": "name", "type": "string"}]
    schema, rows = avro(
        {"type": "record", "name": "R", "fields": fields},
        {"type": "person", "name": "Anna"},
        {"type": "company", "name": "ACME"},
        {"type": None, "name": "Eva"},
    )
    rules = "value: {name: {rule: mask, when: {type: {not_in: [company]}}}, '**': keep, '**.@key': keep}"
    after = clean(rules, schema, rows)
    assert [read(schema, row)["name"] for row in after] == ["****", "ACME", "***"]
    messages = framed(payment(id="Anna", amount=1), payment(id="Eva", amount=2), payment(id="Zoë"))
    done = clean("value: {id: {rule: mask, when: {amount: 1}}, '**': keep, '**.@key': keep}", SCHEMA, messages)
    assert [read_protobuf(row).id for row in done] == ["****", "Eva", "Zoë"]


def test_a_rule_under_a_condition_must_fit_its_schema_all_the_same() -> None:
    fields = [{"name": "type", "type": "string"}, {"name": "n", "type": "long"}]
    schema, rows = avro({"type": "record", "name": "R", "fields": fields}, {"type": "x", "n": 1})
    assert "does not fit n" in refused(
        "value: {n: {rule: mask, when: {type: x}}, '**': keep, '**.@key': keep}", schema, rows
    )


def test_dates_of_one_person_move_alike_by_another_field_of_the_record() -> None:
    rules = "value: {at: {rule: date_shift, by: who.id}, '**': keep, '**.@key': keep}"
    rows = [
        {"at": "2026-03-01", "who": {"id": 1}},
        {"at": "2026-03-11", "who": {"id": "1"}},
        {"at": "2026-03-01", "who": {"id": 2}},
    ]
    first, second, third = (row["at"] for row in scrub(rules, *rows))
    assert first != "2026-03-01"
    assert (int(second[8:]) - int(first[8:])) % 30 in (10, 9, 12, 11)
    assert third != first
    plan = policy(rules).plan().for_topic("t")
    assert "has no 'who.id' beside it" in str(plan.apply(batch([b'{"at":"2026-03-01"}'])).problems)


def test_dates_move_alike_in_avro_and_json() -> None:
    fields = [
        {"name": "born", "type": {"type": "int", "logicalType": "date"}},
        {"name": "id", "type": "long"},
    ]
    schema, rows = avro({"type": "record", "name": "R", "fields": fields}, {"born": 10957, "id": 7})
    rules = "value: {born: {rule: date_shift, by: id}, '**': keep, '**.@key': keep}"
    framed_row, text = clean(rules, schema, [*rows, b'{"born":"2000-01-01","id":7}'])
    assert read(schema, framed_row)["born"] == json.loads(text)["born"] != "2000-01-01"


def test_a_record_with_a_map_can_be_asked() -> None:
    fields = [{"name": "type", "type": "string"}, {"name": "more", "type": {"type": "map", "values": "string"}}]
    schema, rows = avro(
        {"type": "record", "name": "R", "fields": [*fields, {"name": "text", "type": "string"}]},
        {"type": "a", "more": {"x": "1"}, "text": "Anna"},
        {"type": "b", "more": {"x": "1"}, "text": "Anna"},
    )
    first, second = clean("value: {text: {rule: mask, when: {type: a}}, '**': keep, '**.@key': keep}", schema, rows)
    assert b"****" in first
    assert second == rows[1]
