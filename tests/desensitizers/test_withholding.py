"""Records that a policy sends to quarantine: left out of the batch, told with their cause, and the others as ever."""

from __future__ import annotations

import json
from typing import Any

import pytest

from desensitizers.policy import Policy
from recorder.payloads.schemas import Schema
from recorder.scrubbing.schemas import CaptureSchemas
from tests.desensitizers.helpers import batch, policy, problems
from tests.desensitizers.schemas import frame
from tests.desensitizers.test_protobuf import SCHEMA, framed, payment
from tests.payloads.avro_schemas import write

FOREIGN = "tests.desensitizers.rules.foreign"
ALL = "unknown_field: quarantine, undecodable: quarantine, unknown_schema: quarantine, plugin_error: quarantine"
ORDER = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}]}
KEPT = {"type": "record", "name": "More", "fields": [*ORDER["fields"], {"name": "fax", "type": "string"}]}  # type: ignore[misc]


def json_rows(*values: Any) -> list[bytes]:
    return [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]


def avro_rows() -> list[bytes]:
    return [
        frame(write(ORDER, {"id": "a"})),
        frame(write(KEPT, {"id": "b", "fax": "1"}), 8),
        frame(write(ORDER, {"id": "a"}))[:-1],
        frame(b"\x02a", 9),
        frame(write(ORDER, {"id": "c"})),
    ]


CASES: dict[str, tuple[str, tuple[Schema, ...], list[bytes], list[tuple[int, str, str]]]] = {
    "JSON": (
        "value: {format: json, id: keep, o.a: keep}",
        (),
        json_rows({"id": 1}, {"id": 1, "fax": 2}, {"o": {"b": 2}}, b"{cut", b'{"id":1,"id":2}', {"id": 3}),
        [(1, "unknown_field", "fax"), (2, "unknown_field", "o.b"), (3, "undecodable", ""), (4, "undecodable", "")],
    ),
    "Avro": (
        "value: {format: avro, id: keep}",
        (Schema("avro", json.dumps(ORDER), id=7), Schema("avro", json.dumps(KEPT), id=8)),
        avro_rows(),
        [(1, "unknown_field", "fax"), (2, "undecodable", ""), (3, "unknown_schema", "")],
    ),
    "Protobuf": (
        "value: {format: protobuf, id: keep}",
        (SCHEMA,),
        [
            *framed(payment(id="a"), payment(id="b", name="n"), payment(id="c").SerializeToString()[:-1]),
            *framed(payment(id="d").SerializeToString() + b"\xf8\x7f\x01"),
            *framed(payment(id="e")),
        ],
        [(1, "unknown_field", "name"), (2, "undecodable", ""), (3, "unknown_field", "$")],
    ),
    "a rule of others": (
        f'value: {{a: {{rule: custom, function: "{FOREIGN}:broken"}}, b: keep}}',
        (),
        json_rows({"b": 1}, {"a": "x"}, {"a": None}),
        [(1, "plugin_error", "a")],
    ),
    "text": ("value: {format: string, rule: mask}", (), [b"a", b"\xff", b"c"], [(1, "undecodable", "")]),
    "within a text": (
        "value: {t: {format: [base64, json], a: keep}}",
        (),
        json_rows({"t": "eyJhIjoxfQ=="}, {"t": "eyJiIjoxfQ=="}, {"t": "%"}),
        [(1, "unknown_field", "t (base64 json) b"), (2, "undecodable", "t (base64 json)")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_records_with_a_cause_are_left_out_and_told(case: str) -> None:
    topic, schemas, rows, expected = CASES[case]
    loaded = policy(topic, ALL)
    done = loaded.plan(schemas=CaptureSchemas(schemas)).for_topic("t").apply(batch(rows))
    assert not done.problems
    assert [(one.row, one.cause, one.path) for one in done.withheld] == expected
    gone = {one.row for one in done.withheld}
    assert done.batch is not None
    assert done.batch.column("offset").to_pylist() == [row for row in range(len(rows)) if row not in gone]


@pytest.mark.parametrize("case", CASES)
def test_without_the_setting_the_same_records_stop_the_copy(case: str) -> None:
    topic, schemas, rows, _expected = CASES[case]
    done = policy(topic).plan(schemas=CaptureSchemas(schemas)).for_topic("t").apply(batch(rows))
    assert done.batch is None
    assert done.problems and not done.withheld


def test_each_cause_has_a_setting_of_its_own_and_a_topic_may_set_it_otherwise() -> None:
    given = batch(json_rows({"id": 1}, b"{cut"))
    assert "not valid JSON" in problems("value: {id: keep}", given, "unknown_field: quarantine")
    text = problems("undecodable: fail\nvalue: {id: keep}", given, "undecodable: quarantine")
    assert "not valid JSON" in text
    done = policy("undecodable: quarantine\nvalue: {id: keep}").plan().for_topic("t").apply(given)
    assert [one.cause for one in done.withheld] == ["undecodable"]


def test_a_value_that_its_rule_cannot_take_always_fails() -> None:
    assert "is not a UUID" in problems("value: {format: uuid, rule: keep}", batch([b"x"]), ALL)
    assert "which rule 'mask' can't work on" in problems("value: {a: {rule: mask}}", batch(json_rows({"a": 1})), ALL)


def test_all_records_of_a_refused_key_are_withheld_in_later_batches_too() -> None:
    topic = policy("key: {format: json, id: keep}\nvalue: {'**': keep, '**.@key': keep}", ALL).plan().for_topic("t")
    keys = json_rows({"id": 1}, {"x": 1}, {"id": 1}, {"x": 1})
    for _again in range(2):
        done = topic.apply(batch(json_rows({}, {}, {}, {}), keys=keys))
        assert [(one.row, one.place) for one in done.withheld] == [(1, "key"), (3, "key")]
        assert done.batch is not None
        assert done.batch.column("key").to_pylist() == [keys[0], keys[2]]


def test_an_unnamed_header_withholds_its_record() -> None:
    rows = [[("a", b"1")], [("b", b"1"), ("a", b"1")], []]
    done = policy("headers: {a: keep}", ALL).plan().for_topic("t").apply(batch(headers=rows))
    assert [(one.row, one.place, one.cause) for one in done.withheld] == [(1, "header b", "unknown_field")]


def test_a_batch_of_which_all_goes_is_empty() -> None:
    done = policy("value: {a: keep}", ALL).plan().for_topic("t").apply(batch(json_rows({"b": 1}, b"{")))
    assert done.batch is not None and done.batch.num_rows == 0
    assert len(done.withheld) == 2


def test_what_the_rules_did_is_counted_for_records_that_stay_only() -> None:
    rows = json_rows({"id": "1", "a": 1}, {"id": "2", "x": 1}, {"id": "3", "a": 1})
    headers = [[("h", b"1")]] * 3
    text = "headers: {h: {domain: id}}\nvalue: {id: {domain: id}, a: keep}"
    topic = policy(text, ALL).plan().for_topic("t")
    alone = policy(text).plan().for_topic("t")
    topic.apply(batch(rows, headers=headers))
    alone.apply(batch([rows[0], rows[2]], headers=headers[:2]))
    topic.flush_counts()
    alone.flush_counts()
    assert topic.sink.counts == alone.sink.counts


def test_what_rules_would_have_taken_from_a_withheld_record_is_an_original_still() -> None:
    loaded = policy("key: {domain: id}\nvalue: {name: {domain: name}, t: {rule: mask}}", ALL)
    plan = loaded.plan()
    rows = json_rows({"name": "Zoë Müller", "t": "secret text", "unnamed": "no original"}, {"name": "Other"})
    done = plan.for_topic("t").apply(batch(rows, keys=[b"12345", b"67890"]))
    assert [one.row for one in done.withheld] == [0]
    found = {text for _domain, text in plan.findings.originals}
    assert {"Zoë Müller", "secret text", "12345", "Other"} <= found
    assert "no original" not in found


def test_a_policy_names_the_key_of_its_quarantine_beside_itself() -> None:
    text = "version: 1\nsecret: {env: K}\nquarantine: {key: keys/q.pub}\ntopics: [{match: a, value: keep}]"
    loaded = Policy.parse(text, file="some/where/p.yaml", env={"K": "x" * 32})
    assert loaded.spec.quarantine_key == "some/where/keys/q.pub"


def test_among_many_alike_the_odd_ones_are_found() -> None:
    rows = json_rows(*({"id": str(n), "a": n} if n % 30 else {"id": str(n), "x": n} for n in range(200)))
    rows[77] = b'{"id":"77","a":77'
    topic = policy("value: {id: {domain: id}, a: keep}", ALL).plan().for_topic("t")
    for _again in range(2):
        done = topic.apply(batch(rows))
        assert [one.row for one in done.withheld] == sorted([*range(0, 200, 30), 77])
        assert done.batch is not None
        kept = [json.loads(row) for row in done.batch.column("value").to_pylist()]
        assert [one["a"] for one in kept] == done.batch.column("offset").to_pylist()


@pytest.mark.parametrize("form", ["JSON", "Protobuf"])
def test_among_many_alike_a_text_that_holds_something_unnamed_is_found(form: str) -> None:
    """What is done by columns, too: there a whole column of texts meets the rule at once."""
    inner = [json.dumps({"a": n} if n != 33 else {"x": n}) for n in range(90)]
    rows = json_rows(*({"id": text} for text in inner))
    rows = framed(*(payment(id=text) for text in inner)) if form == "Protobuf" else rows
    rules = "value: {id: {format: json, a: keep}}"
    plan = policy(rules, ALL).plan(schemas=CaptureSchemas((SCHEMA,)))
    done = plan.for_topic("t").apply(batch(rows))
    assert [(one.row, one.cause, one.path) for one in done.withheld] == [(33, "unknown_field", "id (json) x")]
    stopped = policy(rules).plan(schemas=CaptureSchemas((SCHEMA,)))
    (problem,) = stopped.for_topic("t").apply(batch(rows)).problems
    assert (problem.offset, problem.path) == (33, "id (json) x")
