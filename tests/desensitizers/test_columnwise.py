"""Columns give, byte for byte and count for count, what the walk through each payload gives."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desensitizers.documents import Documents
from desensitizers.plan import TopicPlan
from desensitizers.types import Schemas
from recorder.payloads.schemas import Schema
from recorder.scrubbing.schemas import CaptureSchemas
from tests.conftest import examples
from tests.desensitizers.helpers import policy
from tests.desensitizers.schemas import frame
from tests.desensitizers.test_json import DOCUMENTS
from tests.payloads.test_protobuf import KIND, SCHEMA, payments

RULES = """
    value:
      "**.c": drop
      "**.d": "null"
      "**.a": {rule: mask, type: string}
      "**.b": {rule: noise, percent: 10, type: number}
      "**": keep
      "**.@key": keep
"""
LONG = "{rule: replace, with: a longer text than any that was there before, type: string}"
PROTOBUF_RULES = f"""
    value:
      "{{id,name}}": {LONG}
      "tags[*]": {LONG}
      "others.*.a": {LONG}
      "other.a": {LONG}
      "parent.**.@key": keep
      "parent.id": {LONG}
      "amount": {{rule: replace, with: 77}}
      "rate": drop
      "**": keep
      "**.@key": keep
"""
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x1e\x1f"), max_size=8)
NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1e300, -0.0, 1e-7])
)


def both(topic: str, rows: list[bytes | None], schemas: Schemas | None = None) -> TopicPlan:
    """The same rows through both ways; the plan that went by columns."""
    by_walk = policy(topic).plan(schemas=schemas).for_topic("t")
    columns = policy(topic).plan(schemas=schemas).for_topic("t")
    assert by_walk.value is not None
    assert columns.value is not None
    expected = by_walk.value.column(rows)
    assert columns.value.array(pa.array(rows, pa.binary())).to_pylist() == expected
    assert columns.sink.problems == by_walk.sink.problems
    assert counts(columns) == counts(by_walk)
    return columns


def by_columns(plan: TopicPlan, rows: list[bytes | None]) -> int:
    """How many rows the columns of a plan can do."""
    assert plan.value is not None
    assert isinstance(plan.value.documents, Documents)
    return sum(len(done) for done, _clean in plan.value.documents.columns(pa.array(rows, pa.binary())))


def counts(plan: TopicPlan) -> Counter[Any]:
    plan.flush_counts()
    return +plan.sink.counts


def refilled(draw: st.DrawFn, value: Any) -> Any:
    """A document of the same structure with other leaves."""
    if isinstance(value, dict):
        return {name: refilled(draw, below) for name, below in value.items()}
    if isinstance(value, list):
        return [refilled(draw, below) for below in value]
    if isinstance(value, str):
        return draw(TEXTS)
    return value if value is None or isinstance(value, bool) else draw(NUMBERS)


@st.composite
def alike(draw: st.DrawFn) -> list[bytes | None]:
    """Many documents of a few shapes, some of them broken."""
    shapes = draw(st.lists(DOCUMENTS, min_size=1, max_size=2))
    spaces, plain = draw(st.sampled_from([None, 1])), draw(st.booleans())
    rows: list[bytes | None] = []
    for number in range(draw(st.integers(20, 40))):
        shape = shapes[number % len(shapes)]
        text = json.dumps(refilled(draw, shape) if number % 3 else shape, indent=spaces, ensure_ascii=plain)
        rows.append(text.encode("utf-8", "replace"))
    return broken(draw, rows)


def broken(draw: st.DrawFn, rows: list[bytes | None]) -> list[bytes | None]:
    for place, byte in draw(st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=1)), max_size=4)):
        row = bytearray(rows[place % len(rows)] or b"{}")
        row[place * 7 % len(row)] = byte[0]
        rows[place % len(rows)] = bytes(row)
    if draw(st.booleans()):
        rows.insert(3, None)
        rows.insert(9, b"")
    return rows


@given(alike())
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
def test_json_by_columns_is_json_by_the_walk(rows: list[bytes | None]) -> None:
    both(RULES, rows)


@pytest.mark.parametrize(
    "odd",
    [
        b'{"a": "x", "n": 01}',
        b'{"a": "x", "n": 1.}',
        b'{"a": "x", "n": -}',
        b'{"a": "x", "n": 1e999999}',
        b'{"a": "x", "n": 1E+5}',
        b'{"a": "x\n", "n": 1}',
        b'{"a": "\xff", "n": 1}',
        b'{"a": "\xed\xa0\x80", "n": 1}',
        b'{"a": "\\u00fc", "n": 1}',
        b'{"a": "x\\", "n": 1}',
        b'{"a": "x", "n":  1}',
        b'{"a":\n"x", "n": 1}',
        b'{"a": "x", "a": 1}',
        b'{"a": "x", "n": "1"}',
        b'{"a": "x", "n": 1}}',
        b' {"a": "x", "n": 1}',
        b"[]",
    ],
)
def test_a_document_that_is_almost_of_the_shape_is_walked(odd: bytes) -> None:
    rows: list[bytes | None] = [f'{{"a": "{"y" * number}", "n": {number}}}'.encode() for number in range(40)]
    both(RULES, [*rows[:20], odd, *rows[20:]])
    both(RULES, [odd, *rows])


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"\xc3", b"\x00"])
def test_a_text_that_stays_must_be_text_too(text: bytes) -> None:
    rows: list[bytes | None] = [f'{{"a": "x", "k": "{"y" * number}"}}'.encode() for number in range(40)]
    both(RULES, [*rows, b'{"a": "x", "k": "' + text + b'"}'])


@pytest.mark.parametrize(
    "inner",
    [b"\x0a\x01x\x12\x01y", b"\x0a\x01x\x0a\x01y", b"\x0a\x05x", b"\x0a", b"\x08\x01", b"\x0a\x81\x00x", b""],
)
def test_a_message_within_that_is_not_as_expected_is_walked(inner: bytes) -> None:
    rows: list[bytes | None] = [
        frame(b"\x02\x02" + KIND(id="i", other={"a": "x" * number}).SerializeToString(), 5) for number in range(40)
    ]
    both(PROTOBUF_RULES, [*rows, frame(b"\x02\x02\x72" + bytes([len(inner)]) + inner, 5)], CaptureSchemas([SCHEMA]))


def test_json_behind_a_frame_goes_by_columns_too() -> None:
    schema = Schema("json", '{"type": "object"}', id=0x22_5C_22)  # an id that reads as quotes
    rows: list[bytes | None] = [
        frame(f'{{"a": "y{number}", "n": {number}}}'.encode(), 0x22_5C_22) for number in range(40)
    ]
    assert by_columns(both(RULES, rows, CaptureSchemas([schema])), rows) == 40


def test_documents_of_a_few_shapes_all_go_by_columns() -> None:
    rows: list[bytes | None] = []
    for number in range(60):
        rows.append(json.dumps({"a": "x", "b": number, "x": [True, "y" * number]}).encode())
        rows.append(json.dumps({"a": "x", "e": {"b": number, "c": 1}, "f": None}, indent=1).encode())
    assert by_columns(both(RULES, rows), rows) == 120


@given(st.lists(payments(), min_size=18, max_size=24), st.data())
@settings(max_examples=examples(20), deadline=None, suppress_health_check=list(HealthCheck))
def test_protobuf_by_columns_is_protobuf_by_the_walk(messages: list[Any], data: st.DataObject) -> None:
    for message in messages[2:]:  # what repeats is for the walk
        for name in data.draw(
            st.sampled_from([("tags", "counts", "others", "inner", "parent", "states", "extra"), ()])
        ):
            message.ClearField(name)
    rows: list[bytes | None] = [frame(b"\x02\x02" + one.SerializeToString(), 5) for one in messages]
    both(PROTOBUF_RULES, broken(data.draw, rows), CaptureSchemas([SCHEMA]))


def test_messages_without_what_repeats_all_go_by_columns() -> None:
    rows: list[bytes | None] = []
    for number in range(40):
        message = KIND(id="x" * number * 9, amount=number % 3, raw=b"\0" * number * 60)
        if number % 2:
            message.other.a, message.name, message.parent.id = "a" * number, "n", "p" * number * 13
            message.at.seconds, message.parent.amount = number, -1
        rows.append(frame(b"\x02\x02" + message.SerializeToString(), 5))
    plan = both(PROTOBUF_RULES, rows, CaptureSchemas([SCHEMA]))
    assert by_columns(plan, rows) == 20  # a message within itself is for the walk


def test_a_learning_plan_learns_the_same_by_columns() -> None:
    rows: list[bytes | None] = [json.dumps({"a": f"x{number}", "b": 1}).encode() for number in range(40)]
    topic = "value: {a: hash, b: drop}"
    found = []
    for way in ("walk", "columns"):
        plan = policy(topic).plan(learning=True)
        rule = plan.for_topic("t").value
        assert rule is not None
        after = rule.column(rows) if way == "walk" else rule.array(pa.array(rows, pa.binary())).to_pylist()
        assert after == rows
        found.append(plan.findings.originals)
    assert found[0] == found[1] != set()
