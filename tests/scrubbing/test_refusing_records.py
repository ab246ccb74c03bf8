"""One record among good ones that the policy can't answer for: there is no clean copy, nor anything of one, afterwards.

How the kill and the full disk end is in `test_failing_closed`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import open_capture
from recorder.capture.schema import Record
from recorder.errors import BlackboxError
from recorder.payloads.schemas import Schema
from recorder.scrubbing.scrub import scrub
from tests.builders import T0, record
from tests.desensitizers.schemas import frame
from tests.desensitizers.test_protobuf import SCHEMA, framed, payment
from tests.payloads.avro_schemas import write
from tests.payloads.framed import capture_with
from tests.scrubbing.helpers import HIDDEN, policy

HEAD = """
version: 1
secret: {env: BLACKBOX_KEY}
domains: {name: {surrogate: name}, id: {surrogate: digits}}
topics:
"""
_PERSON = {"type": "record", "name": "Person", "fields": [{"name": "name", "type": "string"}]}
_FAX = {**_PERSON, "fields": [*_PERSON["fields"], {"name": "fax", "type": "string"}]}


def _orders(person: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": "Order",
        "fields": [{"name": "people", "type": {"type": "array", "items": person}}],
    }


KNOWN = Schema("avro", json.dumps(_orders(_PERSON)), id=7)
NEWER = Schema("avro", json.dumps(_orders(_FAX)), id=8)
AVRO = "value: {'people[*].name': {domain: name}}"
PROTO = "value: {'**.@key': keep, name: {domain: name}, id: keep, 'other.inner[*].n': keep}"
JSON = "value: {'**.name': {domain: name}, 'n': keep, '**.@key': keep}"
FOREIGN = 'value: {{name: {{rule: custom, function: "tests.desensitizers.rules.foreign:{}"}}}}'


def deep(depth: int, name: str, value: Any) -> Any:
    """`{"a": [{"a": [… {"name": …, NAME: value}]}]}`: a member at some depth, in objects and arrays by turns."""
    inner: Any = {"name": "Zoë", name: value}
    for _ in range(depth):
        inner = {"a": [inner]}
    return inner


@dataclass(frozen=True, slots=True)
class Case:
    """What a topic of the policy says, a record's value or key that it takes, and one that it does not."""

    rules: str
    good: Any
    bad: Any
    key: bool = False


_AVRO_ROW = frame(write(_orders(_PERSON), {"people": [{"name": "Zoë"}]}))
_UNKNOWN_TAG = b"\xfa\x07" + bytes([len(HIDDEN)]) + HIDDEN.encode()
_PAID = payment(name="Zoë").SerializeToString()
CASES: dict[str, Case] = {
    **{
        f"unknown field in JSON, {depth} deep": Case(JSON, deep(depth, "name", "Zoë"), deep(depth, "fax", HIDDEN))
        for depth in (0, 1, 5, 40)
    },
    "unknown field in JSON in a text": Case(
        "value: {x: {format: [base64, json], name: {domain: name}}}",
        {"x": "eyJuYW1lIjoiWm/DqyJ9"},
        {"x": "eyJuYW1lIjoiWm/DqyIsImZheCI6IjEyMyJ9"},
    ),
    "a name that nobody named": Case("value: {name: keep, 'm.*': keep}", {"name": 1}, {"m": {HIDDEN: 1}}),
    "unknown field in Avro": Case(
        AVRO, _AVRO_ROW, frame(write(_orders(_FAX), {"people": [{"name": "Zoë", "fax": HIDDEN}]}), 8)
    ),
    "unknown field in Protobuf": Case(PROTO, *framed(_PAID, _PAID + _UNKNOWN_TAG)),
    "unknown field within Protobuf": Case(
        PROTO, *framed(_PAID, _PAID + b"\x72" + bytes([len(_UNKNOWN_TAG)]) + _UNKNOWN_TAG)
    ),
    "a header that nobody named": Case("headers: {user: drop}, value: {n: keep}", {"n": 1}, {"n": 1, "header": HIDDEN}),
    "wrong type in JSON": Case("value: {n: {domain: id}}", {"n": 4711}, {"n": HIDDEN}),
    "an object for a leaf": Case("value: {n: keep}", {"n": 1}, {"n": {"name": HIDDEN}}),
    "undecodable JSON": Case("value: {n: keep}", {"n": 1}, b'{"n": "' + HIDDEN.encode()),
    "undecodable text": Case("value: {format: string, domain: name}", b"Zoe", b"\xff" + HIDDEN.encode()),
    "undecodable Avro": Case(AVRO, _AVRO_ROW, _AVRO_ROW[:-2]),
    "undecodable Protobuf": Case(PROTO, *framed(_PAID, _PAID[:-1])),
    "unknown schema": Case(AVRO, _AVRO_ROW, frame(b"\x02\x02" + HIDDEN.encode(), 99)),
    "an exception in a plug-in": Case(FOREIGN.format("only_a"), {"name": "a"}, {"name": HIDDEN}),
    "a plug-in that forgets a value": Case(FOREIGN.format("shorter_for_b"), {"name": "a"}, {"name": "b"}),
    "a key that stands twice": Case(JSON, {"name": "Zoë"}, b'{"name": "Zoe", "name": "%b"}' % HIDDEN.encode()),
    "a key that stands twice within": Case(JSON, {"n": 1}, b'{"o": [{"name": "Z", "name": "%b"}]}' % HIDDEN.encode()),
    "bytes after JSON": Case("value: {n: keep}", {"n": 1}, b'{"n": 1} ' + HIDDEN.encode()),
    "bytes after Avro": Case(AVRO, _AVRO_ROW, _AVRO_ROW + HIDDEN.encode()),
    "bytes after Protobuf": Case(PROTO, *framed(_PAID, _PAID + b"\0" + HIDDEN.encode())),
    "bytes after a number": Case(
        "key: {format: int64, domain: id}", struct.pack(">q", 4711), struct.pack(">q", 4711) + b"\0", key=True
    ),
    "a key of another form": Case(
        "key: {extract: 'c-(?P<id>\\d+)', id: {domain: id}}", b"c-1", HIDDEN.encode(), key=True
    ),
}


def rows(case: Case, odd: Any) -> list[Record]:
    """Ninety good records in three partitions, and the odd one in the middle."""
    found = []
    for number in range(90):
        given = odd if number == 47 else case.good
        headers = []
        if isinstance(given, dict) and "header" in given:
            given, headers = {"n": 1}, [("note", HIDDEN)]
        key, value = (given, {"n": 1}) if case.key else (None, given)
        found.append(record("t", number % 3, T0 + number, key, value, headers))
    return found


def text(case: Case) -> str:
    return HEAD + f"  - {{match: t, {case.rules + (', value: {n: keep}' if case.key else '')}}}\n"


@pytest.mark.parametrize("name", CASES)
def test_no_clean_output_exists_afterwards(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    raw = capture_with(tmp_path / "raw", rows(case, case.bad), (KNOWN, NEWER, SCHEMA))
    with pytest.raises(BlackboxError) as caught:
        scrub(raw, policy(tmp_path, text(case)), tmp_path / "clean")
    assert HIDDEN not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "policy.yaml"}


@pytest.mark.parametrize("name", CASES)
def test_without_that_record_there_is_a_copy(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    # Without the schema that only the odd record has: a policy answers for the schemas that a capture holds.
    raw = capture_with(tmp_path / "raw", rows(case, case.good), (KNOWN, SCHEMA))
    scrub(raw, policy(tmp_path, text(case)), tmp_path / "clean")
    assert open_capture(tmp_path / "clean").manifest.records == 90
