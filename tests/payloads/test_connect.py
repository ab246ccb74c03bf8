"""What Kafka Connect and Debezium write: types that only `connect.name` tells, and change events in every format."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from recorder.payloads.columns import decode, decode_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.facets import change_of
from recorder.payloads.protobuf_schema import message_class, with_descriptor
from recorder.payloads.schemas import Schema, SchemaBook
from tests.builders import record
from tests.payloads.avro_schemas import schema_of, write
from tests.payloads.framed import capture_with

SCALED = {"type": "record", "name": "VariableScaleDecimal", "namespace": "io.debezium.data",
          "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
          "connect.name": "io.debezium.data.VariableScaleDecimal"}  # fmt: skip
POINT = {"type": "record", "name": "Point", "namespace": "io.debezium.data.geometry",
         "fields": [{"name": "x", "type": "double"}, {"name": "y", "type": "double"}],
         "connect.name": "io.debezium.data.geometry.Point"}  # fmt: skip


def named(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "connect.version": 1, "connect.name": name, **more}


CONNECT, TIME = "org.apache.kafka.connect.data.", "io.debezium.time."
DAY, DAY_MS = "2026-11-03", 20_760 * 86_400_000
TYPES: list[tuple[Any, Any, str, pa.DataType]] = [
    (named("int", CONNECT + "Date"), 20_760, '"2026-11-03"', pa.date32()),
    (named("int", CONNECT + "Time"), 50_520_001, '"14:02:00.001"', pa.time32("ms")),
    (named("long", CONNECT + "Timestamp"), DAY_MS, '"2026-11-03T00:00:00.000Z"', pa.timestamp("ms", "UTC")),
    (named("int", TIME + "Date"), 20_760, '"2026-11-03"', pa.date32()),
    (named("int", TIME + "Time"), 50_520_001, '"14:02:00.001"', pa.time32("ms")),
    (named("long", TIME + "MicroTime"), 50_520_000_001, '"14:02:00.000001"', pa.time64("us")),
    (named("long", TIME + "NanoTime"), 50_520_000_000_001, '"14:02:00.000000001"', pa.time64("ns")),
    (named("long", TIME + "Timestamp"), DAY_MS + 1, '"2026-11-03T00:00:00.001"', pa.timestamp("ms")),
    (named("long", TIME + "MicroTimestamp"), DAY_MS * 1000, f'"{DAY}T00:00:00.000000"', pa.timestamp("us")),
    (named("long", TIME + "NanoTimestamp"), DAY_MS * 10**6, f'"{DAY}T00:00:00.{0:09}"', pa.timestamp("ns")),
    (named("long", TIME + "Date"), 7, "7", pa.int64()),  # not what a date stands on
    (named("long", TIME + "MicroDuration"), 7, "7", pa.int64()),
    (named("string", TIME + "ZonedTimestamp"), "2026-11-03T14:02:00+01:00", '"2026-11-03T14:02:00+01:00"', pa.string()),
    (named("string", "io.debezium.data.Enum", **{"connect.parameters": {"allowed": "a,b"}}), "a", '"a"', pa.string()),
    (named("bytes", CONNECT + "Decimal", **{"connect.parameters": {"scale": "2"}}),
     b"\x04\xe2", '"12.50"', pa.string()),
    (named("bytes", CONNECT + "Decimal", **{"connect.parameters": {"scale": "2", "connect.decimal.precision": "9"}}),
     b"\x04\xe2", '"12.50"', pa.decimal128(9, 2)),
    (SCALED, {"scale": 2, "value": b"\x04\xe2"}, '"12.50"', pa.string()),
    (SCALED, {"scale": 0, "value": b"\xff"}, '"-1"', pa.string()),
    (SCALED, {"scale": -3, "value": b"\x01"}, '"1000"', pa.string()),
    (POINT, {"x": 1.5, "y": 2.5}, '{"x":1.5,"y":2.5}', pa.struct([("x", pa.float64()), ("y", pa.float64())])),
]  # fmt: skip


@pytest.mark.parametrize("count", [1, 50], ids=["rows", "lockstep"])
@pytest.mark.parametrize(("kind", "value", "text", "type"), TYPES)
def test_a_type_that_only_its_name_tells(kind: Any, value: Any, text: str, type: pa.DataType, count: int) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", kind]}]}
    payload = b"\0\0\0\0\1" + write(schema, {"a": value})
    decoder = Decoder(Codecs(SchemaBook([schema_of(schema, 1)])), "t", "value")
    decoded = decoder.decode(payload)
    assert (decoded.reason, decoded.json, decoded.exact) == (None, f'{{"a":{text}}}', True)
    assert decoded.encode({"a": None}) == b"\0\0\0\0\1\0"
    (group,) = decode(decoder, pa.array([payload] * count))
    assert group.values.type.field("a").type == type
    assert decode_json(decoder, pa.array([payload] * count)).json.to_pylist() == [decoded.json] * count


@given(st.lists(st.tuples(st.integers(-2000, 2000), st.binary(max_size=20)), min_size=1, max_size=40))
def test_numbers_that_bring_their_scale_along(numbers: list[tuple[int, bytes]]) -> None:
    decoder = Decoder(Codecs(SchemaBook([schema_of(SCALED, 1)])), "t", "value")
    payloads = [b"\0\0\0\0\1" + write(SCALED, {"scale": scale, "value": raw}) for scale, raw in numbers]
    decoded = [decoder.decode(payload) for payload in payloads]
    for (scale, raw), item in zip(numbers, decoded, strict=True):
        assert item.readable
        if item.reason is None:
            whole = int.from_bytes(raw, "big", signed=True)
            assert item.value == Decimal((int(whole < 0), tuple(map(int, str(abs(whole)))), -scale))
        else:
            assert (item.reason, item.value) == ("out of range", {"scale": scale, "value": raw})
    found = decode_json(decoder, pa.array(payloads))
    assert found.reasons.to_pylist() == [item.reason for item in decoded]
    assert list(map(json.loads, found.json.to_pylist())) == [json.loads(item.json) for item in decoded]


CHANGE = {"before": None, "after": {"id": 1}, "op": "c"}
ROW = {"type": "record", "name": "Row", "fields": [{"name": "id", "type": "long"}]}
ENVELOPE = {"type": "record", "name": "Envelope", "fields": [
    {"name": "before", "type": ["null", ROW]}, {"name": "after", "type": ["null", "Row"]},
    {"name": "op", "type": "string"}]}  # fmt: skip
PROTO = 'syntax="proto3"; message Envelope { Row before=1; Row after=2; string op=3; } message Row { int64 id=1; }'


def test_change_events_are_known_in_every_format() -> None:
    protobuf = with_descriptor(Schema("protobuf", PROTO, 2), {})
    message: Message = message_class(protobuf, {})(op="d", before={"id": 1})  # type: ignore[call-arg]
    book = SchemaBook([schema_of(ENVELOPE, 1), protobuf, Schema("json", '{"type":"object"}', 3)])
    decoder = Decoder(Codecs(book), "t", "value")
    plain = json.dumps({"schema": {}, "payload": CHANGE}).encode()
    for payload in (
        b"\0\0\0\0\1" + write(ENVELOPE, CHANGE),
        b"\0\0\0\0\2\0" + message.SerializeToString(),
        b"\0\0\0\0\3" + plain,
        plain,
    ):
        assert change_of(decoder.decode(payload).value) is not None, payload
    for other in ({"op": "replace", "after": 1}, {"op": 1, "before": 1, "after": 2}, {"op": "c"}):
        assert change_of(other) is None


def test_a_query_shows_them_as_what_they_are(tmp_path: Path) -> None:
    members = [{"name": f"c{at}", "type": kind} for at, (kind, *_) in enumerate(TYPES) if kind not in (SCALED, POINT)]
    members.append({"name": "number", "type": SCALED})
    schema = schema_of({"type": "record", "name": "R", "fields": members}, 1)
    body: dict[str, Any] = {f"c{at}": value for at, (kind, value, *_) in enumerate(TYPES)}
    payload = b"\0\0\0\0\1" + write(json.loads(schema.text), {**body, "number": {"scale": 2, "value": b"\x04\xe2"}})
    capture = capture_with(tmp_path / "c", [record("t", value=payload)], [schema])
    (row,) = capture.sql('SELECT * FROM "t"').to_pylist()
    assert (row["c0"], row["c2"]) == (date(2026, 11, 3), datetime(2026, 11, 3, tzinfo=UTC))
    assert (row["c4"], row["c7"]) == (time(14, 2, 0, 1000), datetime(2026, 11, 3, 0, 0, 0, 1000))
    assert (row["c15"], row["number"]) == (Decimal("12.50"), "12.50")
    (said,) = capture.sql('SELECT value_json, typeof(c9) AS kind FROM "t"').to_pylist()
    assert said["kind"] == "TIMESTAMP"  # of microseconds; the text has all that was sent
    assert json.loads(said["value_json"]) == {
        **{f"c{at}": json.loads(text) for at, (kind, _, text, _) in enumerate(TYPES) if kind not in (SCALED, POINT)},
        "number": "12.50",
    }
