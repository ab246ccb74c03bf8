"""A topic's view has the columns of its schemas, or of its JSON, whatever versions and names those have."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from recorder.payloads.choices import parse_choices
from recorder.payloads.protobuf_schema import message_class, with_descriptor
from recorder.payloads.reasons import Side
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.query import Session, query
from recorder.query.decoding import Decoded, TopicDecoder
from tests.builders import T0, make_capture
from tests.query.schemas import avro, framed, with_schemas

ONE = avro(
    1,
    "Order",
    ("id", "string"),
    ("amount", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}),
    ("placed", {"type": "long", "logicalType": "timestamp-millis"}),
    ("lines", {"type": "array", "items": {"type": "record", "name": "Line", "fields": [{"name": "n", "type": "int"}]}}),
    ("count", "int"),
    ("state", "string"),
)
TWO = avro(
    2,
    "Order",
    ("id", "string"),
    ("amount", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3}),
    ("count", "long"),
    ("state", "int"),
    ("note", ["null", "string"]),
    ("timestamp", "long"),
    version=2,
)
FIRST = {"id": "a", "amount": Decimal("1.50"), "placed": "2026-11-03T14:02:00.007Z", "lines": [{"n": 1}, {"n": 2}],
         "count": 3, "state": "new"}  # fmt: skip
SECOND = {"id": "b", "amount": Decimal("2.125"), "count": 2**40, "state": 7, "note": None, "timestamp": 5}


@pytest.fixture
def orders(tmp_path: Path) -> Any:
    records = [
        ("my.orders", 0, T0, "k1", framed(ONE, FIRST)),
        ("my.orders", 0, T0, "k2", framed(TWO, SECOND)),
        ("my.orders", 0, T0, "k3", b"\0\0\0\0\x09junk"),
        ("my.orders", 0, T0, "k4", framed(ONE, FIRST)[:-3]),
        ("my.orders", 0, T0, "k5", None),
    ]
    return with_schemas(make_capture(tmp_path / "c", records), ONE, TWO)


def test_versions_are_merged_by_name(orders: Any) -> None:
    sql = 'SELECT id, amount, placed, lines, count, state, state_string, note, value_timestamp FROM "my.orders"'
    table = query(orders, sql)
    assert str(table.schema.field("amount").type) == "decimal128(12, 3)"
    first, second, *rest = table.to_pylist()
    assert first == {
        "id": "a", "amount": Decimal("1.500"), "placed": datetime.datetime(2026, 11, 3, 14, 2, 0, 7000, datetime.UTC),
        "lines": [{"n": 1}, {"n": 2}], "count": 3, "state": None, "state_string": "new", "note": None,
        "value_timestamp": None,
    }  # fmt: skip
    assert (second["amount"], second["count"], second["state"], second["state_string"]) == (
        Decimal("2.125"), 2**40, 7, None,
    )  # fmt: skip
    assert second["value_timestamp"] == 5
    assert all(value is None for row in rest for value in row.values())


def test_every_decodable_payload_has_json_and_the_others_a_reason(orders: Any) -> None:
    rows = query(orders, "SELECT key, value_json, value_reason FROM records ORDER BY key").to_pylist()
    assert json.loads(rows[0]["value_json"]) == {**FIRST, "amount": "1.50"}
    assert json.loads(rows[1]["value_json"])["count"] == 2**40
    assert [row["value_reason"] for row in rows] == [None, None, "unknown schema id", "truncated", None]
    assert [row["value_json"] for row in rows[2:]] == [None, None, None]


def test_the_view_has_a_plain_alias_and_a_place_where_nothing_collides(orders: Any) -> None:
    with Session(orders) as session:
        for name in ("my_orders", '"my.orders"', 'topics."my.orders"', "MY_ORDERS"):
            assert session.query(f"SELECT count(id) AS n FROM {name}").to_pylist() == [{"n": 2}]


def test_alias_collisions_leave_the_names_apart(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("a.b", 0, T0, "k", '{"x":1}'), ("a_b", 0, T0, "k", '{"x":2}')])
    with Session(capture) as session:
        assert session.query('SELECT x FROM "a.b"').to_pylist() == [{"x": 1}]
        assert session.query("SELECT x FROM a_b").to_pylist() == [{"x": 2}]
        assert session.query('SELECT x FROM topics."a.b"').to_pylist() == [{"x": 1}]


def test_json_gets_columns_from_a_sample(tmp_path: Path) -> None:
    values = [
        {"id": 1, "who": {"name": "x", "tags": ["a"]}, "amount": 1.5, "ok": True, "mixed": 1, "key": "mine"},
        {"id": 2, "who": {"name": "y", "tags": []}, "amount": 2, "ok": False, "mixed": "s", 'it\'s "odd"/~': 1},
    ]
    records = [("t", 0, T0, "k", value) for value in values] + [("t", 0, T0, "k", "not json")]
    capture = make_capture(tmp_path / "c", records)
    sql = 'SELECT id, who, who.name AS name, amount, ok, mixed, value_key, "it\'s ""odd""/~" AS odd, value_json FROM t'
    rows = query(capture, sql).to_pylist()
    assert rows[0] == {
        "id": 1, "who": {"name": "x", "tags": ["a"]}, "name": "x", "amount": 1.5, "ok": True, "mixed": "1",
        "value_key": "mine", "odd": None, "value_json": json.dumps(values[0], separators=(",", ":")),
    }  # fmt: skip
    assert (rows[1]["id"], rows[1]["amount"], rows[1]["mixed"], rows[1]["odd"]) == (2, 2.0, '"s"', 1)
    assert (rows[2]["id"], rows[2]["value_json"]) == (None, '"not json"')


def test_a_json_value_that_does_not_fit_its_column_is_null_not_rounded(tmp_path: Path) -> None:
    records = [("t", 0, T0, "k", {"n": i}) for i in range(3_000)] + [("t", 0, T0, "k", {"n": 1.5})] * 3
    records += [("t", 0, T0, "k", {"n": i}) for i in range(3_000)]
    capture = make_capture(tmp_path / "c", records, segment_records=1_000)
    [row] = query(capture, "SELECT count(n) AS n, count(*) AS all, count(value_json) AS j FROM t").to_pylist()
    assert row == {"n": 6_000, "all": 6_003, "j": 6_003}


def test_javas_numbers_and_chosen_formats(tmp_path: Path) -> None:
    records = [
        ("t", 0, T0, (i * 1000).to_bytes(8, "big", signed=True), i.to_bytes(4, "big", signed=True))
        for i in range(-3, 9)
    ]
    capture = make_capture(tmp_path / "c", records)
    [row] = query(capture, "SELECT sum(key_decoded)::int AS k, min(key_json) AS j FROM t").to_pylist()
    assert row == {"k": 30_000, "j": "-1000"}
    choices = parse_choices(values=["t=int"])
    with Session(capture, choices=choices) as session:
        [row] = session.query("SELECT min(value_decoded) AS low, min(value_json) AS j FROM t").to_pylist()
    assert row == {"low": -3, "j": "-1"}


def test_a_schema_for_attack_harms_nothing(tmp_path: Path) -> None:
    evil = "\"); COPY (SELECT 1) TO '/tmp/evil'; --\x00\n"
    inner = {"type": "object", "properties": {evil: {"type": "integer"}, "B": {}, "b": {}}}
    members = {evil: {"type": "string"}, "": {"type": "integer"}, "a": inner}
    text = json.dumps({"type": "object", "properties": members})
    schema = Schema("json", text, id=3)
    payload = b"\0\0\0\0\x03" + json.dumps({evil: "x", "": 7, "a": {evil: 1, "B": 2, "b": 3}}).encode()
    capture = with_schemas(make_capture(tmp_path / "c", [("t", 0, T0, "k", payload)]), schema)
    [row] = query(capture, "SELECT * FROM t").to_pylist()
    assert "x" in row.values()
    assert 7 in row.values()
    assert json.loads(row["value_json"])["a"]["b"] == 3
    described = query(capture, "DESCRIBE t").to_pylist()
    assert len(described) == 16 + 3


PAYMENTS = """
syntax = "proto3";
package bank;
import "google/protobuf/timestamp.proto";
message Note { string text = 1; }
message Payment { string id = 1; int64 cents = 2; repeated Note notes = 3; google.protobuf.Timestamp at = 4; }
"""


def test_a_protobuf_topic_of_the_registry_has_columns_for_each_message(tmp_path: Path) -> None:
    schema = with_descriptor(Schema("protobuf", PAYMENTS, id=7, subjects=(SubjectVersion("pay-value", 1),)), {})
    note, payment = (message_class(schema, {}, indexes) for indexes in ((0,), (1,)))
    paid = payment(id="p", cents=5, notes=[{"text": "a"}, {"text": "b"}])
    paid.at.FromMilliseconds(T0)
    records = [
        ("pay", 0, T0, "k1", b"\0\0\0\0\x07\x02\x02" + paid.SerializeToString()),
        ("pay", 0, T0, "k2", b"\0\0\0\0\x07\x00" + note(text="alone").SerializeToString()),
        ("pay", 0, T0, "k3", b"\0\0\0\0\x07\x02\x09?"),
    ]
    capture = with_schemas(make_capture(tmp_path / "c", records), schema)
    first, second, third = query(
        capture, 'SELECT id, cents, notes, epoch_ms("at") AS placed, text, value_reason FROM pay ORDER BY "offset"'
    ).to_pylist()
    assert first == {
        "id": "p", "cents": 5, "notes": [{"text": "a"}, {"text": "b"}], "placed": T0, "text": None,
        "value_reason": None,
    }  # fmt: skip
    assert (second["text"], second["id"]) == ("alone", None)
    assert third["value_reason"] is not None


def test_a_condition_on_json_is_looked_at_before_other_columns_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [{"id": i, "status": "late" if i % 1_000 == 999 else "done"} for i in range(3_000)]
    capture = make_capture(tmp_path / "c", [("orders", 0, T0, f"k{value['id']}", value) for value in values])
    decoded, side = [], TopicDecoder.side

    def counting(self: TopicDecoder, of: Side, payloads: Any, headers: Any) -> Decoded:
        decoded.append(len(payloads))
        return side(self, of, payloads, headers)

    monkeypatch.setattr(TopicDecoder, "side", counting)
    rows = query(capture, "SELECT * FROM orders WHERE status = 'late' AND id > 0").to_pylist()
    assert [(row["id"], row["key_json"]) for row in rows] == [(i, f'"k{i}"') for i in (999, 1_999, 2_999)]
    assert 3 <= sum(decoded) <= 6  # for the JSON of the keys, and for the reasons
