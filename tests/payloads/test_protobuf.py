"""Protobuf messages as trees and columns: from text, descriptor sets and base64; unknown fields are kept."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.payloads import protobuf_lockstep
from recorder.payloads.columns import decode, decode_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.protobuf import ProtobufCodec
from recorder.payloads.protobuf_schema import message_class, with_descriptor
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.schemas import Reference, Schema, SchemaBook, SubjectVersion
from tests.conftest import examples

TEXT = """
syntax = "proto3";
package bank;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
enum Status { UNKNOWN = 0; OPEN = 1; DONE = 2; }
message Other { string a = 1; message Inner { int32 n = 1; } }
message Payment {
  string id = 1;
  int64 amount = 2;
  uint64 big = 3;
  double rate = 4;
  float small = 5;
  bool ok = 6;
  bytes raw = 7;
  Status status = 8;
  optional int32 maybe = 9;
  repeated string tags = 10;
  map<string, int64> counts = 11;
  map<int32, Other> others = 12;
  repeated Other.Inner inner = 13;
  Other other = 14;
  oneof who { string name = 15; int32 number = 16; }
  google.protobuf.Timestamp at = 17;
  google.protobuf.Duration took = 18;
  google.protobuf.StringValue note = 19;
  google.protobuf.Struct extra = 20;
  Payment parent = 21;
  repeated Status states = 22;
  google.protobuf.Value any = 23;
}
"""
SCHEMA = with_descriptor(Schema("protobuf", TEXT, id=5, message="bank.Payment"), {})
KIND: Any = message_class(SCHEMA, {})
CODEC = ProtobufCodec(SCHEMA, {})
INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def payments(draw: st.DrawFn, depth: int = 1) -> Message:
    message = KIND()
    message.id, message.amount, message.big = draw(NAMES), draw(INT64), draw(st.integers(0, 2**64 - 1))
    message.rate, message.small = draw(st.floats(allow_nan=False)), draw(st.floats(width=32, allow_nan=False))
    message.ok, message.raw, message.status = draw(st.booleans()), draw(st.binary(max_size=5)), draw(st.integers(0, 4))
    message.tags.extend(draw(st.lists(NAMES, max_size=3)))
    message.states.extend(draw(st.lists(st.integers(0, 3), max_size=3)))
    for value in draw(st.lists(INT32, max_size=3)):
        message.inner.add(n=value)
    if draw(st.booleans()):
        message.maybe = draw(INT32)
        message.counts["one"] = draw(INT64)
        message.others[-3].a = draw(NAMES)
        message.other.SetInParent()
        message.note.value = draw(NAMES)
    if draw(st.booleans()):
        message.at.seconds, message.at.nanos = draw(INT64 | st.integers(0, 2**33)), draw(st.integers(0, 10**9 - 1))
        message.took.seconds = draw(st.integers(-100, 100))
        message.any.string_value = draw(NAMES)
    if draw(st.booleans()):
        message.extra.update(draw(st.dictionaries(NAMES, JSON, max_size=2)))
        message.number = draw(INT32)
    if depth and draw(st.booleans()):
        message.parent.CopyFrom(draw(payments(depth - 1)))
    return message


@settings(max_examples=examples(25))
@given(payments())
def test_bytes_come_back_exactly(message: Message) -> None:
    body = message.SerializeToString(deterministic=True)
    value, doubt = CODEC.decode(body)
    assert doubt is None
    again = KIND.FromString(CODEC.encode(value))
    assert again == message
    assert again.SerializeToString(deterministic=True) == body
    assert KIND.FromString(CODEC.encode(value, body)) == message


def test_a_tree_says_what_the_message_says() -> None:
    message = KIND(id="p1", amount=-(2**63), big=2**64 - 1, status=1, states=[2, 9], number=0)
    message.at.FromJsonString("2026-03-14T15:09:26.535897932Z")
    message.took.FromJsonString("-1.5s")
    message.note.value = ""
    message.extra.update({"a": [1, None]})
    message.counts["x"] = 1
    message.others[7].a = "seven"
    value = CODEC.decode(message.SerializeToString()).value
    assert value == {
        "id": "p1",
        "amount": -(2**63),
        "big": 2**64 - 1,
        "rate": 0.0,
        "small": 0.0,
        "ok": False,
        "raw": b"",
        "status": "OPEN",
        "tags": [],
        "counts": {"x": 1},
        "others": {"7": {"a": "seven"}},
        "inner": [],
        "number": 0,
        "at": "2026-03-14T15:09:26.535897932Z",
        "took": Decimal("-1.5"),
        "note": "",
        "extra": {"a": [1.0, None]},
        "states": ["DONE", "9"],
    }


def test_unknown_fields_stay_when_a_known_one_changes() -> None:
    body = KIND(id="p1").SerializeToString() + b"\xf8\x3f\x01"
    value: Any = CODEC.decode(body).value
    value["id"] = "p2"
    assert CODEC.encode(value, body) == KIND(id="p2").SerializeToString() + b"\xf8\x3f\x01"


@pytest.fixture(params=[1, 1000], ids=["lockstep", "library"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Below this many the library takes over."""
    monkeypatch.setattr(protobuf_lockstep, "FEW", request.param)
    return int(request.param)


def same_as_rows(bodies: list[bytes | None]) -> None:
    """Columns as JSON equal what trees say; the same bodies fail."""
    decoder = Decoder(Codecs(SchemaBook([SCHEMA])), "t", "value")
    payloads = [None if body is None else b"\0\0\0\0\5\2\2" + body for body in bodies]
    found = decode_json(decoder, pa.array(payloads, pa.binary()))
    for payload, text in zip(payloads, found.json.to_pylist(), strict=True):
        decoded = decoder.decode(payload)
        assert (text is None) == (not decoded.readable), (payload, decoded)
        if text is not None:
            assert json.loads(text) == json.loads(decoded.json)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))
@given(st.lists(payments(), min_size=1, max_size=5))
def test_columns_hold_what_trees_hold(few: int, messages: list[Any]) -> None:
    same_as_rows([message.SerializeToString() for message in messages])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))
@given(payments(), payments(), st.lists(st.none() | st.binary(max_size=30), max_size=4), st.integers(0, 100))
def test_bodies_in_any_order_and_broken_ones_read_as_the_library_reads(
    few: int, one: Any, two: Any, noise: list[bytes | None], cut: int
) -> None:
    first, second = one.SerializeToString(), two.SerializeToString()
    unknown = b"\xf8\x3f\x01"
    same_as_rows([first, first + second, unknown + first, second + unknown, second[:cut], *noise, second])


def test_what_is_no_such_message_has_a_reason_and_the_rest_is_read() -> None:
    good = KIND(id="p1").SerializeToString()
    late = KIND(id="p2")
    late.at.seconds = 2**60
    values, reasons = CODEC.column(pa.array([good, b"\x0a\x7f", None, late.SerializeToString()], pa.binary()))
    assert [row and row["id"] for row in values.to_pylist()] == ["p1", None, None, "p2"]
    assert reasons.to_pylist() == [None, "malformed", None, "out of range"]
    with pytest.raises(PayloadError, match="malformed"):
        CODEC.decode(b"\x0a\x7f")


def test_message_indexes_choose_the_message() -> None:
    book = SchemaBook([SCHEMA])
    inner = message_class(SCHEMA, {}, (0, 0))(n=7)  # type: ignore[call-arg]
    payloads = [
        b"\0\0\0\0\5\2\2" + KIND(id="p1").SerializeToString(),
        b"\0\0\0\0\5\4\0\0" + inner.SerializeToString(),
        b"\0\0\0\0\5\0" + b"\x0a\1x",
        b"\0\0\0\0\5\x7f",
        b"\0\0\0\0\5\2\x08",
    ]
    decoder = Decoder(Codecs(book), "t", "value")
    decoded = [decoder.decode(payload) for payload in payloads]
    assert [item.value["id"] if index == 0 else item.value for index, item in enumerate(decoded)] == [  # type: ignore[index,call-overload]
        "p1",
        {"n": 7},
        {"a": "x"},
        None,
        None,
    ]
    assert [item.reason for item in decoded[3:]] == [Reason.TRUNCATED_FRAME, Reason.TRUNCATED_FRAME]
    assert all(item.exact for item in decoded[:3])
    groups = {group.rows[0]: group for group in decode(decoder, pa.array(payloads))}
    assert groups[1].values.to_pylist() == [{"n": 7}]
    assert groups[3].reasons.to_pylist() == groups[4].reasons.to_pylist() == ["truncated frame"]


def test_references_are_compiled_with_it() -> None:
    base = Schema(
        "protobuf", 'syntax="proto3"; package b; message B { int32 n = 1; }', 1, None, (SubjectVersion("b", 1),)
    )
    text = 'syntax="proto3"; import "dir/b.proto"; import "confluent/meta.proto"; message A { b.B b = 1; }'
    schema = Schema("protobuf", text, 2, references=(Reference("dir/b.proto", "b", 1),))
    codecs = Codecs(SchemaBook([base, schema]))
    assert codecs.of(schema).decode(b"\x0a\2\x08\5").value == {"b": {"n": 5}}
    with pytest.raises(PayloadError, match=r"missing schema reference: dir/b\.proto = b v1"):
        Codecs(SchemaBook([schema])).of(schema)


def test_a_descriptor_in_the_place_of_text_is_read() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="x.proto", syntax="proto3")
    file.message_type.add(name="M").field.add(name="n", number=1, type=5, label=1)
    schema = Schema("protobuf", base64.b64encode(file.SerializeToString()).decode())
    assert ProtobufCodec(schema, {}).decode(b"\x08\5").value == {"n": 5}


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("message {", None, Reason.BAD_SCHEMA),
        ('syntax="proto3";', None, Reason.TRUNCATED_FRAME),
        ('import "/etc/passwd"; message M {}', None, Reason.MISSING_REFERENCE),
        ('import "../../../../etc/passwd"; message M {}', None, Reason.BAD_SCHEMA),
        ('import "no/such.proto"; message M {}', None, Reason.MISSING_REFERENCE),
        ("message M { optional M m = 1; }" + "message N {" * 500, None, Reason.BAD_SCHEMA),
        ('syntax="proto3"; message M {}', "../../x.proto", Reason.BAD_SCHEMA),
        ('syntax="proto3"; message M {}', "/tmp/x.proto", Reason.BAD_SCHEMA),
    ],
)
def test_text_that_is_no_schema_is_refused_and_reads_nothing(text: str, name: str | None, reason: Reason) -> None:
    other = {} if name is None else {name: Schema("protobuf", "")}
    with pytest.raises(PayloadError) as caught:
        ProtobufCodec(Schema("protobuf", text), other)
    assert (caught.value.reason, "root:" in str(caught.value)) == (reason, False)


@given(st.binary(max_size=60))
def test_no_body_breaks_it(body: bytes) -> None:
    values, reasons = CODEC.column(pa.array([body]))
    try:
        CODEC.decode(body)
    except PayloadError:
        assert values.to_pylist() == [None]
        assert reasons.to_pylist() != [None]
