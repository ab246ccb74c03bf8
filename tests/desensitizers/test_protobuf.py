from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from recorder.payloads.protobuf_schema import with_descriptor
from recorder.payloads.schemas import Schema
from tests.conftest import examples
from tests.desensitizers.schemas import ID, MARKS, clean, frame, refused
from tests.payloads.test_protobuf import KIND, SCHEMA, payments

INDEXES = b"\x02\x02"  # the second message of the file


def framed(*messages: Message | bytes) -> list[bytes]:
    bodies = (one if isinstance(one, bytes) else one.SerializeToString() for one in messages)
    return [frame(INDEXES + body, 5) for body in bodies]


def read(payload: bytes) -> Any:
    assert payload[5:7] == INDEXES
    return KIND.FromString(payload[7:])


def payment(**members: Any) -> Any:
    return KIND(**members)


@given(st.lists(payments(), min_size=1, max_size=3))
@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_message_of_which_all_is_kept_keeps_its_bytes(messages: list[Message]) -> None:
    rows = framed(*messages)
    assume(not MARKS & set(b"".join(rows)))  # no path can name a key with these
    assert clean("value: {'**': keep, '**.@key': keep}", SCHEMA, rows) == rows


@given(payments())
@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_masked_fields_change_and_nothing_else_does(message: Any) -> None:
    (row,) = framed(message)
    assume(not MARKS & set(row))
    mask = "{rule: replace, with: a longer text than any that was there before, type: string}"
    rules = f"value: {{'{{id,name}}': {mask}, 'tags[*]': {mask}, 'others.*.a': {mask}, 'parent.**.@key': keep, "
    rules += f"parent.id: {mask}, amount: {{rule: replace, with: 77}}, '**': keep, '**.@key': keep}}"
    (after,) = clean(rules, SCHEMA, [row])
    text = "a longer text than any that was there before"
    message.id = text if message.id else ""
    if message.HasField("name"):
        message.name = text if message.name else ""
    message.tags[:] = [text if tag else tag for tag in message.tags]
    for other in message.others.values():
        other.a = text if other.a else ""
    if message.HasField("parent") and message.parent.id:
        message.parent.id = text
    message.amount = 77 if message.amount else 0
    assert read(after) == message


def test_every_kind_of_number_is_written_in_its_own_range() -> None:
    (row,) = framed(payment(amount=-5, maybe=-7, big=9, counts={"a": -3}, states=[1, 2]))
    (after,) = clean(
        "value: {amount: {rule: replace, with: -9}, maybe: {rule: replace, with: -2147483648}, "
        "big: {rule: replace, with: 18446744073709551615}, 'counts.@key': keep, 'counts.*': {rule: replace, with: -1}, "
        "'states[*]': {rule: replace, with: OPEN}}",
        SCHEMA,
        [row],
    )
    assert read(after) == payment(
        amount=-9, maybe=-2147483648, big=18446744073709551615, counts={"a": -1}, states=[1, 1]
    )


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("amount: keep", "id: string is not named by the policy"),
        ("id: keep, amount: {rule: mask}", "rule 'mask' does not fit amount, which is a int64"),
        ("maybe: {rule: replace, with: 2147483648}, '**': keep", "doesn't fit int32"),
        ("big: {rule: replace, with: -1}, '**': keep", "doesn't fit uint64"),
        ("status: {rule: replace, with: GONE}, '**': keep", "does not give one of the 3 values"),
        ("at: {rule: mask}, '**': keep", "rule 'mask' does not fit at, which is a Timestamp"),
        ("id: keep, amount: keep, 'counts.Adam': keep", "counts.@key: a name is not written out by any path"),
        ("id: keep, amount: keep, 'counts.@key': keep", "counts.*: number is not named"),
    ],
)
def test_what_does_not_fit_or_is_not_named_passes_nothing(rules: str, says: str) -> None:
    (row,) = framed(payment(id="Anna", amount=5, counts={"Eva": 1}))
    said = refused(f"value: {{{rules}}}", SCHEMA, [row])
    assert says in said
    assert "Anna" not in said and "Eva" not in said


def test_fields_go_when_they_are_dropped_or_emptied_and_their_originals_are_told() -> None:
    from recorder.scrubbing.schemas import CaptureSchemas
    from tests.desensitizers.helpers import batch, policy

    before = payment(
        id="Anna", amount=5, tags=["x1", "x2"], counts={"Eva": 1}, name="Zoë", states=[1], note={"value": "psst"}
    )
    rules = "value: {id: drop, name: 'null', tags: drop, counts: drop, 'states[*]': drop, note: drop, amount: keep}"
    plan = policy(rules).plan(schemas=CaptureSchemas([SCHEMA]))
    topic = plan.for_topic("t")
    done = topic.apply(batch(framed(before)))
    assert not done.problems
    assert read(done.batch.column("value")[0].as_py()) == payment(amount=5)
    originals = {text for _domain, text in plan.findings.originals}
    assert originals >= {"Anna", "Zoë", "x1", "x2", "Eva", "psst"}
    topic.flush_counts()
    assert topic.sink.counts["value", "tags", "drop"] == 2


def test_a_field_that_the_schema_does_not_know_is_refused_or_goes() -> None:
    known = payment(id="a", inner=[{"n": 3}]).SerializeToString()
    unknown = b"\xfa\x07\x04Anna"  # field 127
    rows = framed(known + unknown)
    said = refused("value: {'**': keep, '**.@key': keep}", SCHEMA, rows)
    assert "a field 127 that its schema does not know" in said
    assert "Anna" not in said
    assert clean("value: {'**': keep, '**.@key': keep}", SCHEMA, rows, "unknown_field: drop") == framed(known)
    inside = payment(id="a").SerializeToString() + b"\x72" + bytes([len(unknown)]) + unknown
    assert "value other: has a field 127" in refused("value: {'**': keep, '**.@key': keep}", SCHEMA, framed(inside))
    assert clean("value: {'**': keep, '**.@key': keep}", SCHEMA, framed(inside), "unknown_field: drop") == framed(
        payment(id="a", other={})
    )


def test_a_kept_time_can_not_carry_anything_along() -> None:
    row = b"\x8a\x01\x06\x1a\x04Anna"  # field 17, a Timestamp, with a field 3
    assert "holds a field that its schema does not know" in refused(
        "value: {'**': keep, '**.@key': keep}", SCHEMA, framed(row)
    )


def test_wrappers_and_plain_json_stand_at_their_own_place() -> None:
    message = payment(note={"value": "Anna"})
    message.extra.update({"who": {"email": "anna@firma.de"}, "n": [1, None, True]})
    (row,) = framed(message)
    (after,) = clean(
        "value: {note: {rule: mask}, extra.who.email: {domain: email}, 'extra.**.@key': keep, 'extra.@key': keep, "
        "'extra.n[*]': keep}",
        SCHEMA,
        [row],
    )
    done = read(after)
    assert done.note.value == "****"
    assert done.extra["who"]["email"].endswith("@example.test")
    assert list(done.extra["n"]) == [1, None, True]


def test_times_and_durations_meet_rules_as_what_they_show() -> None:
    message = payment()
    message.at.FromJsonString("2026-03-14T15:09:26.5Z")
    message.took.FromJsonString("-1.5s")
    (after,) = clean(
        'value: {at: {rule: replace, with: "2001-02-03T04:05:06.25Z"}, took: {rule: replace, with: -2.25}}',
        SCHEMA,
        framed(message),
    )
    assert read(after).at.ToJsonString() == "2001-02-03T04:05:06.250Z"
    assert read(after).took.ToJsonString() == "-2.250s"


def test_keys_of_maps_are_rewritten_and_may_not_meet() -> None:
    (row,) = framed(payment(counts={"anna@firma.de": 1, "eva@firma.de": 2}, others={5: {"a": "x"}}))
    (after,) = clean("value: {'counts.@key': {domain: email}, '**': keep, '**.@key': keep}", SCHEMA, [row])
    assert sorted(read(after).counts.values()) == [1, 2]
    assert all(name.endswith("@example.test") for name in read(after).counts)
    assert list(read(after).others) == [5]
    same = "value: {'counts.@key': {rule: replace, with: x}, '**': keep, '**.@key': keep}"
    assert "became one" in refused(same, SCHEMA, [row])


@pytest.mark.parametrize(
    "body", [b"\x0a\x05Anna", b"\x0a", b"\x08", b"\x0b\x0c", b"\x00\x01", b"\x21\x00", b"\x0a\x01\xff"]
)
def test_a_torn_body_is_undecodable(body: bytes) -> None:
    rules = "value: {id: {rule: mask}, '**': keep, '**.@key': keep}"
    text = refused(rules, SCHEMA, framed(body), "unknown_field: drop")
    assert "can't be decoded" in text or "not valid UTF-8" in text


def test_message_indexes_that_make_no_sense_are_undecodable() -> None:
    assert "can't be decoded" in refused("value: {'**': keep, '**.@key': keep}", SCHEMA, [frame(b"\x02", 5)])
    assert "can't be decoded" in refused("value: {'**': keep, '**.@key': keep}", SCHEMA, [frame(b"\x02\x60a", 5)])


def test_a_required_field_can_not_be_dropped() -> None:
    text = 'syntax="proto2"; message R { required string id = 1; optional string name = 2; }'
    schema = Schema("protobuf", text, id=ID)
    rows = [frame(b"\0\x0a\x01a\x12\x01b")]
    assert "can't take id out" in refused("value: {id: drop, name: keep}", schema, rows)
    assert clean("value: {id: keep, name: drop}", schema, rows) == [frame(b"\0\x0a\x01a")]


EXTENDED = """syntax = "proto2";
message Outer { optional string id = 1; optional Inner inner = 2; extensions 100 to 199; }
message Inner { optional int64 n = 1; extensions 100 to 199; }
extend Outer { optional string note = 100; }
extend Inner { optional string within = 101; }
"""


@pytest.mark.parametrize("place", ["outer", "inner"])
def test_extensions_pass_by_no_wildcard_and_go_where_the_unknown_goes(place: str) -> None:
    schema = with_descriptor(Schema("protobuf", EXTENDED, id=5), {})
    extension = b"\xa2\x06\x04Anna" if place == "outer" else b"\xaa\x06\x04Anna"
    plain = b"\x0a\x01a\x12\x02\x08\x07"
    body = plain + extension if place == "outer" else b"\x0a\x01a\x12\x09\x08\x07" + extension
    row = frame(b"\0" + body, 5)
    said = refused("value: {'**': keep}", schema, [row])
    assert "unknown field or extension" in said
    assert "Anna" not in said
    for setting in ("drop", "mask"):
        assert clean("value: {'**': keep}", schema, [row], f"unknown_field: {setting}") == [frame(b"\0" + plain, 5)]
